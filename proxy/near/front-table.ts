import type { KeptRun } from '../core/near-port.ts';
import { copyRange } from '../core/slab.ts';
import { FrontRecords } from './front-records.ts';
import { frontTableWasm } from './front-table-wasm.ts';

/** Where things lie in the memory of `front-table.wat`. */
const INPUT_BYTES = 0x4000;
const ENDS_AT = 0x4800;
const HITS_AT = 0x4810;
const REPLIES_AT = 0x6810;
const WINDOW_BYTES = 0x10000;
const PAGE_BYTES = 0x10000;
/** What is told of a GET that was answered, in words: hash of the key, where it begins and ends in the input, its namespace. */
const HIT_WORDS = 4;
const MOST_HITS = 512;
/** A GET of the longest key is not longer. */
const LONGEST_GET_BYTES = 1024;
const MOST_KEY_BYTES = 999;
/** Longer values are copied twice faster than they are looked up. */
const MOST_FRAME_BYTES = 2048;
/** Addresses have 32 bits, and what is asked for again and again is seldom as much. */
const MOST_BYTES = 256 << 20;
const LEAST_BYTES = 4 * PAGE_BYTES;
/** The shortest GET. */
const LEAST_GET_BYTES = 19;
const TWO = 0x32;
const G = 0x47;
const LETTER_MASK = 0xdf;

interface Exports {
  readonly memory: WebAssembly.Memory;
  answer(
    at: number,
    to: number,
    most: number,
    nowMs: number,
    seed: number,
    index: number,
    mask: number,
  ): number;
}

/** An entry to be answered from here: its key, and behind it the value as a bulk string of RESP, lie at `bytes[start…)`. */
export interface FrontSource {
  readonly bytes: Buffer;
  readonly start: number;
  readonly keyBytes: number;
  readonly frameBytes: number;
  readonly hash: number;
  readonly namespace: number;
  /** Monotonic milliseconds modulo 2^32, signed. */
  readonly endsMs: number;
}

let compiled: WebAssembly.Module | null = null;

/**
 * Answers GETs that clients send one behind the other, of keys that L1 has and that are asked for again, in WebAssembly: in a twentieth of the time that it takes
 * one by one. What is in it is always in L1 too, with the same value for the same time; who keeps both sees to that.
 *
 * Also tells what it has answered last.
 */
export class FrontTable implements KeptRun {
  commands = 0;
  inputBytes = 0;
  readonly bytes: Buffer;
  readonly start = REPLIES_AT;
  end = REPLIES_AT;
  readonly #memory: Buffer;
  readonly #answer: Exports['answer'];
  readonly #records: FrontRecords;
  readonly #seed: number;
  readonly #ends: Int32Array;
  readonly #hits: Int32Array;
  /** What lies in the window for input: a copy of this one's bytes in this range. */
  #input: Buffer | null = null;
  #inputStart = 0;
  #inputEnd = 0;

  /** Bytes that a table takes of so many that it may take: in whole pages; 0 when they are too few for one. */
  static sizeFor(bytes: number): number {
    const whole = Math.floor(Math.min(bytes, MOST_BYTES) / PAGE_BYTES) * PAGE_BYTES;
    return whole < LEAST_BYTES ? 0 : whole;
  }

  /** `bytes`: as `sizeFor` has it. `seed`: of `murmur3x86_32`, which hashes the keys. */
  constructor(bytes: number, seed: number) {
    compiled ??= new WebAssembly.Module(Buffer.from(frontTableWasm, 'base64'));
    const { memory, answer } = new WebAssembly.Instance(compiled).exports as unknown as Exports;
    memory.grow(bytes / PAGE_BYTES - 1);
    const { buffer } = memory;
    this.#answer = answer;
    this.#seed = seed;
    this.#memory = Buffer.from(buffer);
    this.#records = new FrontRecords(buffer, WINDOW_BYTES);
    this.bytes = Buffer.from(buffer, 0, WINDOW_BYTES);
    this.#ends = new Int32Array(buffer, ENDS_AT, 2);
    this.#hits = new Int32Array(buffer, HITS_AT, HIT_WORDS * MOST_HITS);
  }

  /** Answers with this entry from now on, if there is room for it. */
  add(source: FrontSource, nowMs: number): void {
    const { bytes, start, keyBytes, frameBytes } = source;
    if (keyBytes > MOST_KEY_BYTES || frameBytes > MOST_FRAME_BYTES) return;
    const at = this.#records.add(source, Math.ceil(nowMs));
    if (at !== 0) copyRange(bytes, start, start + keyBytes + frameBytes, this.#memory, at);
  }

  /** Forgets the keys with this hash. */
  remove(hash: number): void {
    this.#records.remove(hash);
  }

  clear(): void {
    this.#records.clear();
  }

  /**
   * Answers the GETs that `buffer[from, to)` begins with, at most so many, up to the first that is not whole, or not answered from here. False: there is none.
   * The bytes must stay as they are until `forgetInput`.
   */
  answer(buffer: Buffer, from: number, to: number, most: number, nowMs: number): boolean {
    // Nothing is copied for another command.
    if (to - from < LEAST_GET_BYTES || buffer[from + 1] !== TWO) return false;
    if ((buffer[from + 8] & LETTER_MASK) !== G) return false;
    if (!this.#holds(buffer, from, to)) this.#take(buffer, from, to);
    const at = from - this.#inputStart;
    const end = Math.min(to, this.#inputEnd) - this.#inputStart;
    const { indexAt, mask } = this.#records;
    this.commands = this.#answer(
      at,
      end,
      Math.min(most, MOST_HITS),
      // An entry counts until less than a millisecond is left.
      Math.ceil(nowMs) | 0,
      this.#seed,
      indexAt,
      mask,
    );
    if (this.commands === 0) return false;
    this.inputBytes = this.#ends[0] - at;
    this.end = this.#ends[1];
    return true;
  }

  /** What was answered from may change. */
  forgetInput(): void {
    this.#input = null;
  }

  namespaceOf(command: number): number {
    return this.#hits[HIT_WORDS * command + 3];
  }

  /** The first command behind this one whose key is of another namespace. */
  namespaceEnd(command: number): number {
    const hits = this.#hits;
    const end = HIT_WORDS * this.commands;
    const first = HIT_WORDS * command + 3;
    let at = first;
    while (at < end && hits[at] === hits[first]) at += HIT_WORDS;
    return at >> 2;
  }

  hashOf(command: number): number {
    return this.#hits[HIT_WORDS * command];
  }

  /** Where the key of a command lies in `bytes`. */
  keyStart(command: number): number {
    return this.#hits[HIT_WORDS * command + 1];
  }

  keyEnd(command: number): number {
    return this.#hits[HIT_WORDS * command + 2];
  }

  /** Whether the next GET is in the window already. */
  #holds(buffer: Buffer, from: number, to: number): boolean {
    if (buffer !== this.#input || from < this.#inputStart) return false;
    return Math.min(to, from + LONGEST_GET_BYTES) <= this.#inputEnd;
  }

  #take(buffer: Buffer, from: number, to: number): void {
    const end = Math.min(to, from + INPUT_BYTES);
    copyRange(buffer, from, end, this.bytes, 0);
    this.#input = buffer;
    this.#inputStart = from;
    this.#inputEnd = end;
  }
}
