import { type Links, readWord, type TimedLinks, writeWord } from '../../lib/store/index.ts';
import type { Records } from './records.ts';

/** The links in one block of the records that have it: `EXPIRY` or `LINKS`. */
export class RecordLinks implements Links, TimedLinks {
  readonly #records: Records;
  readonly #block: number;

  constructor(records: Records, block: number) {
    this.#records = records;
    this.#block = block;
  }

  next(ref: number): number {
    const { bytes } = this.#records.log.segmentOf(ref);
    return readWord(bytes, this.#at(bytes, ref) + 4);
  }

  previous(ref: number): number {
    const { bytes } = this.#records.log.segmentOf(ref);
    return readWord(bytes, this.#at(bytes, ref));
  }

  setNext(ref: number, to: number): void {
    const { bytes } = this.#records.log.segmentOf(ref);
    writeWord(bytes, this.#at(bytes, ref) + 4, to);
  }

  setPrevious(ref: number, to: number): void {
    const { bytes } = this.#records.log.segmentOf(ref);
    writeWord(bytes, this.#at(bytes, ref), to);
  }

  /** The word behind the links of the policy. */
  word(ref: number): number {
    const { bytes } = this.#records.log.segmentOf(ref);
    return readWord(bytes, this.#at(bytes, ref) + 8);
  }

  setWord(ref: number, value: number): void {
    const { bytes } = this.#records.log.segmentOf(ref);
    writeWord(bytes, this.#at(bytes, ref) + 8, value);
  }

  dueMs(ref: number): number {
    this.#records.locate(ref);
    return this.#records.expiresAt;
  }

  #at(bytes: Buffer, ref: number): number {
    const { log } = this.#records;
    return this.#records.linksAt(bytes, log.offsetOf(ref), this.#block);
  }
}
