import { keySorterWasm } from './key-sorter-wasm.ts';
import type { PointTable } from './points.ts';

const OPEN_BRACE = 0x7b;
/** Where things lie in the memory of `key-sorter.wat`. */
const MAX_TEXT_BYTES = 0x20000;
const PLACES_AT = 0x48000;
const MAX_KEYS = 4096;
const RING_AT = 0x50000;
const PAGE_BYTES = 0x10000;
/** With more on average, copying them there and back costs more than it saves. */
const MAX_BYTES_PER_KEY = 256;
/** What `sort` knows of a part, in words: its shard, how many keys it has, their bytes with what follows them, and where they end. */
const PART_WORDS = 4;
const LINE_END_BYTES = 2;
/** `*2`, `$3` and `GET`, with their line ends: what comes before the key of a GET; of a SET it is as much. */
const HEAD_BYTES = 13;

interface Exports {
  readonly memory: WebAssembly.Memory;
  countCommands(to: number, args: number, tags: number): number;
  sort(
    count: number,
    head: number,
    step: number,
    shift: number,
    firsts: number,
    positions: number,
    points: number,
    owners: number,
    placeOf: number,
    parts: number,
  ): number;
  group(count: number, head: number, found: number, parts: number): void;
}

/** Where the arguments of an encoded command lie in its memory, one behind the other. */
export interface KeyRanges {
  readonly buffer: Buffer;
  start(i: number): number;
  end(i: number): number;
}

/** Where the points of the ring lie. */
interface Table {
  /** Of a position, for its top bits. */
  readonly shift: number;
  readonly firstsAt: number;
  readonly positionsAt: number;
  readonly points: number;
  readonly ownersAt: number;
}

let compiled: WebAssembly.Module | null = null;

/**
 * Sorts the keys of one command, or of GETs or SETs one behind the other, by the shard of a ring that owns them, in WebAssembly: five times as fast as one key after the other.
 *
 * Not keys with a brace, which may have a hash tag.
 */
export class KeySorter {
  /** Of the last command that was sorted: the shards that own keys of it, each a part, in the order in which it first names one of theirs. */
  partCount = 0;
  /** By position of the key, the part that it belongs to. */
  readonly places: Uint16Array;
  readonly #exports: Exports;
  readonly #memory: Buffer;
  readonly #parts: Uint32Array;
  readonly #partsAt: number;
  readonly #placeOfAt: number;
  readonly #table: Table;
  #keyCount = 0;
  /** Bytes before each key that are no part of it. */
  #headBytes = 0;

  constructor(points: PointTable, shards: number) {
    compiled ??= new WebAssembly.Module(Buffer.from(keySorterWasm, 'base64'));
    this.#exports = new WebAssembly.Instance(compiled).exports as unknown as Exports;
    const { firsts, highs, lows, owners, shift } = points;
    const positionsAt = RING_AT + 4 * Math.ceil(firsts.length / 2) * 2;
    const ownersAt = positionsAt + 8 * highs.length;
    this.#placeOfAt = ownersAt + 2 * owners.length;
    this.#partsAt = 4 * Math.ceil((this.#placeOfAt + 2 * shards) / 4);
    const maxParts = Math.min(shards, MAX_KEYS);
    const bytes = this.#partsAt + 4 * PART_WORDS * maxParts;
    const { memory } = this.#exports;
    memory.grow(Math.ceil((bytes - memory.buffer.byteLength) / PAGE_BYTES));
    const { buffer } = memory;
    this.#memory = Buffer.from(buffer);
    this.places = new Uint16Array(buffer, PLACES_AT, MAX_KEYS);
    this.#parts = new Uint32Array(buffer, this.#partsAt, PART_WORDS * maxParts);
    new Uint32Array(buffer, RING_AT, firsts.length).set(firsts);
    const positions = new Uint32Array(buffer, positionsAt, 2 * highs.length);
    for (let i = 0; i < highs.length; i++) {
      positions[2 * i] = lows[i];
      positions[2 * i + 1] = highs[i];
    }
    new Uint16Array(buffer, ownersAt, owners.length).set(owners);
    // All belongs to a single shard, wherever its points are.
    const count = shards === 1 ? 0 : highs.length;
    this.#table = { shift: 32 + shift, firstsAt: RING_AT, positionsAt, points: count, ownersAt };
  }

  /**
   * Sorts the keys `first`, `first + step`, …, so many, each with the arguments up to the next; false when they are too many, too long or with a brace among them. What
   * it tells holds up to the next call.
   */
  sort(args: KeyRanges, first: number, step: number, count: number): boolean {
    const from = args.end(first - 1) + LINE_END_BYTES;
    const to = args.end(first + count * step - 1) + LINE_END_BYTES;
    if (count > MAX_KEYS || to - from > Math.min(MAX_TEXT_BYTES, MAX_BYTES_PER_KEY * count)) return false;
    // Most have none, and this is found faster than any tag.
    if (args.buffer.subarray(from, to).includes(OPEN_BRACE)) return false;
    this.#load(args.buffer, from, to);
    this.#sort(count, 0, step);
    return true;
  }

  /**
   * Sorts the keys of the GETs (`args` is 1) or the SETs without options (2) that `bytes[from, to)` consists of, each of which has that many arguments behind its name of less
   * than 1,000 bytes, in their order, as `sort` does: how many they are. 0: they are too many, there is something else among them, or a key that may have a hash tag while there
   * are several shards.
   */
  sortCommands(bytes: Buffer, from: number, to: number, args: 1 | 2): number {
    if (to - from > MAX_TEXT_BYTES) return 0;
    this.#load(bytes, from, to);
    const count = this.#exports.countCommands(to - from, args, this.#table.points > 0 ? 1 : 0);
    if (count > MAX_KEYS) return 0;
    if (count > 0) this.#sort(count, HEAD_BYTES, args);
    return count;
  }

  #load(bytes: Buffer, from: number, to: number): void {
    // `set` copies shared memory, which this may be, byte for byte.
    bytes.copy(this.#memory, 0, from, to);
  }

  #sort(count: number, headBytes: number, step: number): void {
    const { shift, firstsAt, positionsAt, points, ownersAt } = this.#table;
    this.#keyCount = count;
    this.#headBytes = headBytes;
    this.partCount = this.#exports.sort(
      count,
      headBytes,
      step,
      shift,
      firstsAt,
      positionsAt,
      points,
      ownersAt,
      this.#placeOfAt,
      this.#partsAt,
    );
  }

  /** The shard of a part, by position in the ring. */
  shardOf(part: number): number {
    return this.#parts[PART_WORDS * part];
  }

  /** Puts the shard of each key to `shards`, in the order of the keys. */
  shardsTo(shards: Uint16Array): void {
    for (let i = 0; i < this.#keyCount; i++) shards[i] = this.shardOf(this.places[i]);
  }

  /** How many of the keys a part has. */
  countOf(part: number): number {
    return this.#parts[PART_WORDS * part + 1];
  }

  /** Bytes of the keys of a part, as they travel, and of what follows each up to the next. */
  bytesOf(part: number): number {
    return this.#parts[PART_WORDS * part + 2];
  }

  /** Puts the keys of each part, and what follows them, side by side; to be called once before `copy`. */
  group(): void {
    this.#exports.group(this.#keyCount, this.#headBytes, this.partCount, this.#partsAt);
  }

  /** Copies what a part has to `target[at…)`; returns where it ends there. */
  copy(part: number, target: Buffer, at: number): number {
    const bytes = this.bytesOf(part);
    const end = this.#parts[PART_WORDS * part + 3];
    this.#memory.copy(target, at, end - bytes, end);
    return at + bytes;
  }
}
