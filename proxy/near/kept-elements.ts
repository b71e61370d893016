import type { KeptKeys, ReadOfMany } from '../core/near-port.ts';
import type { Found } from './found.ts';
import { elementOf } from './read-answer.ts';
import { Form } from './read-form.ts';

const forms: Readonly<Record<ReadOfMany, Form>> = {
  MGET: Form.MGET,
  'RS.MGET': Form.RS_MGET,
  'RS.MCGET': Form.MCGET,
  'RS.MCGETS': Form.MCGETS,
};

/** Where the values are that are kept. */
export interface KeptSource {
  look(buffer: Buffer, start: number, end: number, nowMs: number, isNext: boolean): Found | null;
  isWanted(buffer: Buffer, start: number, end: number): boolean;
}

/** What is kept as elements of the reply to one read of several keys after the other. */
export class KeptElements implements KeptKeys {
  readonly #source: KeptSource;
  #form: Form = Form.NONE;
  #protocol: 2 | 3 = 2;
  #nowMs = 0;

  constructor(source: KeptSource) {
    this.#source = source;
  }

  /** For the read that comes next. */
  of(name: ReadOfMany, protocol: 2 | 3, nowMs: number): KeptKeys {
    this.#form = forms[name];
    this.#protocol = protocol;
    this.#nowMs = nowMs;
    return this;
  }

  look(buffer: Buffer, start: number, end: number): Buffer | null {
    const found = this.#source.look(buffer, start, end, this.#nowMs, false);
    return found && elementOf(this.#form, found, this.#protocol);
  }

  isWanted(buffer: Buffer, start: number, end: number): boolean {
    return this.#source.isWanted(buffer, start, end);
  }
}
