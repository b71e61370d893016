import type { KeyArgs } from '../core/key-split.ts';
import type { FrameSlab } from './frame-slab.ts';
import type { MemcachedKey } from './key.ts';
import type { MemcachedParser } from './protocol/index.ts';

const LINE_END_BYTES = 2;
/** Where the arguments end of what was encoded last. */
const ends: number[] = [];

/** Keys that are asked for together. The parser's words are gone by the time of the answer; the bytes stay. */
export class ItemKeys {
  readonly buffer: Buffer;
  readonly count: number;
  /** Start and end of each, in `buffer`. */
  readonly #ranges: readonly number[];

  /** `ranges`: start and end of each key, in `buffer`; they are kept. */
  constructor(buffer: Buffer, ranges: readonly number[]) {
    this.buffer = buffer;
    this.count = ranges.length / 2;
    this.#ranges = ranges;
  }

  /** The words of a command from the first key on. */
  static from(parser: MemcachedParser, first: number): ItemKeys {
    const ranges: number[] = [];
    for (let i = first; i < parser.count; i++) ranges.push(parser.start(i), parser.end(i));
    return new ItemKeys(parser.buffer, ranges);
  }

  start(i: number): number {
    return this.#ranges[2 * i];
  }

  end(i: number): number {
    return this.#ranges[2 * i + 1];
  }

  at(i: number): MemcachedKey {
    return { buffer: this.buffer, start: this.start(i), end: this.end(i) };
  }

  /** The frame in `frames` becomes the command of this name on all of them; its arguments, which can be asked for up to the next time. */
  encode(frames: FrameSlab, name: string): KeyArgs {
    let bytes = name.length;
    for (let i = 0; i < this.count; i++) bytes += this.end(i) - this.start(i);
    frames.begin(1 + this.count, bytes);
    frames.text(name);
    ends.length = 0;
    ends[0] = frames.end - LINE_END_BYTES;
    for (let i = 0; i < this.count; i++) {
      frames.bytes(this.buffer, this.start(i), this.end(i));
      ends[i + 1] = frames.end - LINE_END_BYTES;
    }
    const lengthOf = (i: number) => (i === 0 ? name.length : this.end(i - 1) - this.start(i - 1));
    return {
      ...{ buffer: frames.buffer, count: 1 + this.count },
      start: (i) => ends[i] - lengthOf(i),
      end: (i) => ends[i],
    };
  }
}
