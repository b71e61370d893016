import type { LoggedArgs } from '../../lib/metrics/index.ts';
import type { Pieces } from '../core/api.ts';
import type { Words } from './watched-call.ts';

/** More than is kept of one argument. */
const HEAD_BYTES = 1024;

/** The arguments of a command that nobody has sent as one, for whoever logs them. */
export class PieceArgs implements LoggedArgs {
  readonly #args: readonly Pieces[];

  constructor(words: Words) {
    this.#args = words.map((word) => {
      if (typeof word === 'string') return [Buffer.from(word)];
      return Buffer.isBuffer(word) ? [word] : word;
    });
  }

  get count(): number {
    return this.#args.length;
  }

  length(i: number): number {
    return this.#args[i].reduce((sum, { length }) => sum + length, 0);
  }

  /** Of a long one the beginning alone. */
  bytes(i: number): Buffer {
    return this.copy(i);
  }

  copy(i: number): Buffer {
    return Buffer.concat(this.#args[i], Math.min(HEAD_BYTES, this.length(i)));
  }
}
