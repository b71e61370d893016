import type { Args } from '../../lib/codec/resp/index.ts';
import { encodeCommand } from '../../lib/codec/resp/index.ts';

const MULTI = encodeCommand('MULTI');
const EXEC = encodeCommand('EXEC');
const FIRST_BYTES = 512;

/** A transaction as one piece for one node: MULTI, commands, EXEC. */
export interface Unit {
  /** Name of the shard. */
  readonly shard: string;
  readonly protocol: 2 | 3;
  readonly database: number;
  readonly frame: Buffer;
  /** Commands between MULTI and EXEC. */
  readonly commands: number;
  readonly isWrite: boolean;
  /** One of them is SELECT: the connection is about another database afterwards. */
  readonly selects: boolean;
}

/** Puts the commands of a transaction together as they come, in one piece of memory. */
export class UnitFrame {
  #buffer: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #used = MULTI.copy(this.#buffer);
  commands = 0;

  /** Memory taken. */
  get bytes(): number {
    return this.#buffer.length;
  }

  add(args: Args & { readonly frameStart: number; readonly frameEnd: number }): void {
    const { buffer, frameStart, frameEnd } = args;
    this.#reserve(frameEnd - frameStart);
    this.#used += buffer.copy(this.#buffer, this.#used, frameStart, frameEnd);
    this.commands++;
  }

  /** The whole; nothing may be added any more. */
  finish(): Buffer {
    this.#reserve(0);
    this.#used += EXEC.copy(this.#buffer, this.#used);
    return this.#buffer.subarray(0, this.#used);
  }

  /** There is always room for EXEC as well. */
  #reserve(bytes: number): void {
    const needed = this.#used + bytes + EXEC.length;
    if (needed <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#buffer.length));
    this.#buffer.copy(grown, 0, 0, this.#used);
    this.#buffer = grown;
  }
}
