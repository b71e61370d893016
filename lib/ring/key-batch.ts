import { murmur3Wasm } from './murmur3-wasm.ts';

const OPEN_BRACE = 0x7b;
/** Bytes of WebAssembly memory for keys, from its beginning; behind them the hashes. `murmur3.wat` has 192 KiB in all. */
const TEXT_BYTES = 128 * 1024;
const MAX_KEYS = 4096;
/** With more on average, what lies between the keys is not worth copying along. */
const MAX_BYTES_PER_KEY = 256;
const HASHES_AT = TEXT_BYTES;

interface Murmur3 {
  readonly memory: WebAssembly.Memory;
  hashKeys(keys: number, count: number): void;
}

/** Where the arguments of an encoded command lie in its memory, one behind the other. */
export interface KeyRanges {
  readonly buffer: Buffer;
  start(i: number): number;
  end(i: number): number;
}

/**
 * Hashes the keys of one command together, in WebAssembly: seven times as fast as one after the other by `hashKey`.
 *
 * Not of keys with a brace, which may have a hash tag.
 */
export class KeyBatch {
  readonly #hashKeys: Murmur3['hashKeys'];
  readonly #text: Uint8Array;
  /** Start and length of each key, then the lower and upper half of the first 64 bits of its hash. */
  readonly #words: Int32Array;

  constructor() {
    const module = new WebAssembly.Module(Buffer.from(murmur3Wasm, 'base64'));
    const { exports } = new WebAssembly.Instance(module);
    const { memory, hashKeys } = exports as unknown as Murmur3;
    this.#hashKeys = hashKeys;
    this.#text = new Uint8Array(memory.buffer, 0, TEXT_BYTES);
    this.#words = new Int32Array(memory.buffer, HASHES_AT, 2 * MAX_KEYS);
  }

  /** Hashes the keys `first`, `first + step`, …, so many; false when they are too many, too long or with a brace among them. */
  hash(args: KeyRanges, first: number, step: number, count: number): boolean {
    const from = args.start(first);
    const to = args.end(first + (count - 1) * step);
    if (count > MAX_KEYS || to - from > Math.min(TEXT_BYTES, MAX_BYTES_PER_KEY * count)) return false;
    const text = args.buffer.subarray(from, to);
    if (text.includes(OPEN_BRACE)) return false;
    this.#text.set(text);
    const words = this.#words;
    for (let i = first, at = 0; at < 2 * count; i += step, at += 2) {
      const start = args.start(i);
      words[at] = start - from;
      words[at + 1] = args.end(i) - start;
    }
    this.#hashKeys(HASHES_AT, count);
    return true;
  }

  /** Upper half, signed, of the 64 bits that place the key at `position` on the ring; `low`: the lower one. */
  high(position: number): number {
    return this.#words[2 * position + 1];
  }

  low(position: number): number {
    return this.#words[2 * position];
  }
}
