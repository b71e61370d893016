import { MOST_WORD_BYTES, sameWords } from '../../lib/base/index.ts';
import { murmur3x86_32Hash } from '../../lib/ring/index.ts';
import {
  KeyHashes,
  type KeysAhead,
  type RecordFormat,
  RefIndex,
  type RefKeys,
  readWord,
  SegmentLog,
  type SegmentQueue,
  writeWord,
} from '../../lib/store/index.ts';
import { type Found, FoundKind, fromWords, highWord } from './found.ts';
import { FrequencySketch } from './frequency-sketch.ts';
import { FrontTable } from './front-table.ts';

/*
 * A record: kind 1, nothing 1, length of the key 2, length of the value's frame 4, hash 4, source 2, namespace 2, generation of the source 4,
 * flags of the client 4, entered at 4, ends at 4, version 8, time to live 8, soft time to live 8, key, frame. Little-endian; times are
 * monotonic milliseconds modulo 2^32.
 */
const KEY_LENGTH = 2;
const FRAME_LENGTH = 4;
const HASH = 8;
const SOURCE = 12;
const NAMESPACE = 14;
const GENERATION = 16;
const CLIENT_FLAGS = 20;
const ENTERED = 24;
const ENDS = 28;
const VERSION = 32;
const TTL = 40;
const SOFT_TTL = 48;
const HEADER_BYTES = 56;
const UNIT_SHIFT = 3;

const MAX_KEY_BYTES = 0xffff;
/** A record may take this part of the memory. */
const LARGEST_PART = 64;
const SEGMENT_PARTS = 32;
const MIN_SEGMENT_BYTES = 16 << 10;
const MAX_SEGMENT_BYTES = 1 << 20;
/** What an entry takes on average, as a guess, to know how many keys there may be. */
const GUESSED_BYTES = 256;
/** Below this part of the memory nothing will have to go, and nobody counts. */
const COUNTED_PART = 1 / 2;
/** The front table gets this part of the memory. */
const FRONT_PART = 8;
/** Entries that one newcomer is compared with. */
const MAX_VICTIMS = 64;

/** Where an entry comes from, how long it counts, and whose budget it is. */
export interface Provenance {
  readonly source: number;
  readonly namespace: number;
  /** Monotonic milliseconds. */
  readonly enteredMs: number;
  readonly endsMs: number;
}

/** How the store is made. */
export interface L1Options {
  readonly maxBytes: number;
  readonly hashSeed: number;
  /** An entry of this namespace was displaced by another. */
  readonly onEvicted: (namespace: number) => void;
}

/**
 * Values that a proxy keeps for a short time, off the JavaScript heap, within `maxBytes`. Every entry has a source (a connection on which a node tells
 * of changes), and is worth nothing from the moment the source is dropped.
 *
 * When the memory is used up, the oldest entry goes. One that counts still makes room only for what was asked for more often, and goes to the end of the
 * line otherwise (CLOCK with the admission of TinyLFU).
 *
 * What GETs ask for again lies in a front table too, once `promote` was told of it: it never has what the store has not, nor for longer.
 */
export class L1Store implements RecordFormat, RefKeys {
  readonly #log: SegmentLog<null>;
  readonly #queue: SegmentQueue<null>;
  readonly #index: RefIndex;
  readonly #sketch: FrequencySketch;
  readonly #keys: KeyHashes;
  readonly #limitBytes: number;
  readonly #maxRecordBytes: number;
  readonly #onEvicted: (namespace: number) => void;
  readonly #hashSeed: number;
  readonly #frontBytes: number;
  /** Null until there is something for it. */
  #front: FrontTable | null = null;
  #generations = new Uint32Array(16);
  /** Namespace of what `find` found. */
  namespace = 0;

  constructor({ maxBytes: allBytes, hashSeed, onEvicted }: L1Options) {
    this.#frontBytes = FrontTable.sizeFor(allBytes / FRONT_PART);
    const maxBytes = allBytes - this.#frontBytes;
    let segmentBytes = MIN_SEGMENT_BYTES;
    while (segmentBytes * 2 <= Math.min(maxBytes / SEGMENT_PARTS, MAX_SEGMENT_BYTES)) segmentBytes *= 2;
    this.#log = new SegmentLog({ unitShift: UNIT_SHIFT, segmentBytes }, this);
    this.#queue = this.#log.createQueue(null);
    this.#index = new RefIndex(this);
    this.#sketch = new FrequencySketch(maxBytes / GUESSED_BYTES / 2);
    this.#keys = new KeyHashes(murmur3x86_32Hash, hashSeed);
    // A segment that is being emptied and one that is being filled may be there at once.
    this.#limitBytes = maxBytes - 2 * segmentBytes - this.#sketch.bytes;
    this.#maxRecordBytes = Math.floor(allBytes / LARGEST_PART);
    this.#onEvicted = onEvicted;
    this.#hashSeed = hashSeed;
  }

  /** Entries, those included that do not count any more and were not met since. */
  get size(): number {
    return this.#index.size;
  }

  /** Memory taken. */
  get bytes(): number {
    const frontBytes = this.#front === null ? 0 : this.#frontBytes;
    return this.#log.reservedBytes + this.#index.reservedBytes + this.#sketch.bytes + frontBytes;
  }

  hash(buffer: Buffer, start: number, end: number): number {
    return this.#keys.of(buffer, start, end);
  }

  /** Reads the memory that looking for these keys will need. */
  lookAhead(keys: KeysAhead): void {
    this.#keys.lookAhead(keys, this.#index);
  }

  /** Looks for an entry that counts, and fills `found` with it: the bytes are those of the store, good until the store is changed. */
  find(hash: number, key: Buffer, start: number, end: number, nowMs: number, found: Found): boolean {
    if (this.#isCounting()) this.#sketch.add(hash);
    const ref = this.#index.find(hash, key, start, end);
    if (ref === 0) return false;
    const { bytes, view } = this.#log.segmentOf(ref);
    const at = this.#log.offsetOf(ref);
    if (!this.#counts(view, at, nowMs)) {
      this.#drop(hash, ref);
      return false;
    }
    this.namespace = view.getUint16(at + NAMESPACE, true);
    read(bytes, view, at, nowMs, found);
    return true;
  }

  /**
   * A GET of a key of `keyBytes` bytes is answered with what `find` has just put into `found`: the next ones may be answered by the front, if it is a value, and
   * until that is stale.
   */
  promote(hash: number, keyBytes: number, found: Found, nowMs: number): void {
    const { kind, bytes, view, softTtlMs } = found;
    if (kind !== FoundKind.VALUE || view === null || this.#frontBytes === 0) return;
    const start = found.start - keyBytes;
    const at = start - HEADER_BYTES;
    const enteredMs = view.getInt32(at + ENTERED, true);
    let endsMs = view.getInt32(at + ENDS, true);
    if (softTtlMs >= 0 && softTtlMs < ((endsMs - enteredMs) | 0)) endsMs = (enteredMs + softTtlMs) | 0;
    const namespace = view.getUint16(at + NAMESPACE, true);
    const frameBytes = found.end - found.start;
    this.#front ??= new FrontTable(this.#frontBytes, this.#hashSeed);
    this.#front.add({ bytes, start, keyBytes, frameBytes, hash, namespace, endsMs }, nowMs);
  }

  /** Answers the GETs that `buffer[from, to)` begins with from the front, as `find` would: what it tells is good until its next use; null: not even the first. */
  answer(buffer: Buffer, from: number, to: number, most: number, nowMs: number): FrontTable | null {
    const front = this.#front;
    if (front === null || !front.answer(buffer, from, to, most, nowMs)) return null;
    if (this.#isCounting()) for (let i = 0; i < front.commands; i++) this.#sketch.add(front.hashOf(i));
    return front;
  }

  /** The bytes that `answer` was given may change now. */
  forgetInput(): void {
    this.#front?.forgetInput();
  }

  /** Whether the memory is so far used that somebody must know what is asked for. */
  #isCounting(): boolean {
    return this.#log.live > this.#limitBytes * COUNTED_PART;
  }

  /** Whether the store would take what was found of a key. */
  fits(key: Buffer, found: Found): boolean {
    return found.rest === null && this.#sizeOf(key, found) <= this.#maxRecordBytes;
  }

  #sizeOf(key: Buffer, found: Found): number {
    return this.#log.round(HEADER_BYTES + key.length + frameBytesOf(found));
  }

  /** Keeps what was found of a key, in place of what was there. False: there is no room for it. */
  put(hash: number, key: Buffer, found: Found, provenance: Provenance): boolean {
    const size = this.#sizeOf(key, found);
    if (size > this.#maxRecordBytes || key.length > MAX_KEY_BYTES) return false;
    this.remove(hash, key, 0, key.length);
    if (!this.#makeRoom(hash, provenance.enteredMs)) return false;
    const segment = this.#log.roomFor(this.#queue, size);
    const ref = this.#log.take(segment, size);
    const at = this.#log.offsetOf(ref);
    this.#write(segment.bytes, at, hash, key, found, provenance);
    this.#index.insert(hash, ref);
    return true;
  }

  /** Forgets a key. False: it was not there. */
  remove(hash: number, key: Buffer, start: number, end: number): boolean {
    const ref = this.#index.find(hash, key, start, end);
    if (ref === 0) return false;
    this.#drop(hash, ref);
    this.#log.releaseEmptied();
    return true;
  }

  /** Nothing of this source counts any more. */
  dropSource(source: number): void {
    this.#reach(source);
    this.#generations[source]++;
    this.#front?.clear();
  }

  /** Forgets everything. */
  clear(): void {
    this.#log.clear();
    this.#index.clear();
    this.#front?.clear();
  }

  #write(
    bytes: Buffer,
    at: number,
    hash: number,
    key: Buffer,
    found: Found,
    { source, namespace, enteredMs, endsMs }: Provenance,
  ): void {
    this.#reach(source);
    const frameBytes = frameBytesOf(found);
    bytes[at] = found.kind;
    writeShort(bytes, at + KEY_LENGTH, key.length);
    writeWord(bytes, at + FRAME_LENGTH, frameBytes);
    writeWord(bytes, at + HASH, hash);
    writeShort(bytes, at + SOURCE, source);
    writeShort(bytes, at + NAMESPACE, namespace);
    writeWord(bytes, at + GENERATION, this.#generations[source]);
    writeWord(bytes, at + CLIENT_FLAGS, found.clientFlags);
    writeWord(bytes, at + ENTERED, enteredMs);
    writeWord(bytes, at + ENDS, endsMs);
    writeWord(bytes, at + VERSION, found.versionHigh);
    writeWord(bytes, at + VERSION + 4, found.versionLow);
    writeWord(bytes, at + TTL, highWord(found.ttlMs));
    writeWord(bytes, at + TTL + 4, found.ttlMs);
    writeWord(bytes, at + SOFT_TTL, highWord(found.softTtlMs));
    writeWord(bytes, at + SOFT_TTL + 4, found.softTtlMs);
    key.copy(bytes, at + HEADER_BYTES);
    if (frameBytes > 0) found.bytes.copy(bytes, at + HEADER_BYTES + key.length, found.start, found.end);
  }

  #reach(source: number): void {
    if (source < this.#generations.length) return;
    const grown = new Uint32Array(2 * source);
    grown.set(this.#generations);
    this.#generations = grown;
  }

  #counts(view: DataView, at: number, nowMs: number): boolean {
    if (((view.getInt32(at + ENDS, true) - nowMs) | 0) <= 0) return false;
    const source = view.getUint16(at + SOURCE, true);
    return view.getUint32(at + GENERATION, true) === this.#generations[source];
  }

  /** The one way in which an entry goes alone. */
  #drop(hash: number, ref: number): void {
    this.#front?.remove(hash);
    this.#index.remove(hash, ref);
    this.#log.free(ref, this.#log.sizeOf(ref));
  }

  get #isFull(): boolean {
    return this.#log.live + this.#log.dead + this.#index.reservedBytes > this.#limitBytes;
  }

  /** False when what is there was asked for more often than the newcomer. What goes is given back a segment at a time. */
  #makeRoom(hash: number, nowMs: number): boolean {
    const frequency = this.#isFull ? this.#sketch.estimate(hash) : 0;
    for (let victims = 0; this.#isFull && victims < MAX_VICTIMS; victims++) {
      const ref = this.#log.oldest(this.#queue);
      if (ref === 0) break;
      if (this.#mayDisplace(ref, frequency, nowMs)) continue;
      this.#requeue(ref);
      this.#log.releaseEmptied();
      return false;
    }
    this.#log.releaseEmptied();
    return true;
  }

  /** Removes an entry when it does not count, or was asked for less often. */
  #mayDisplace(ref: number, frequency: number, nowMs: number): boolean {
    const { view } = this.#log.segmentOf(ref);
    const at = this.#log.offsetOf(ref);
    const hash = view.getInt32(at + HASH, true);
    if (this.#counts(view, at, nowMs)) {
      if (this.#sketch.estimate(hash) >= frequency) return false;
      this.#onEvicted(view.getUint16(at + NAMESPACE, true));
    }
    this.#drop(hash, ref);
    return true;
  }

  /** To the end of the line. */
  #requeue(ref: number): void {
    const size = this.#log.sizeOf(ref);
    const from = this.#log.segmentOf(ref);
    const at = this.#log.offsetOf(ref);
    const segment = this.#log.roomFor(this.#queue, size);
    const moved = this.#log.take(segment, size);
    from.bytes.copy(segment.bytes, this.#log.offsetOf(moved), at, at + size);
    this.#index.replace(readWord(from.bytes, at + HASH), ref, moved);
    this.#log.free(ref, size);
  }

  sizeAt(bytes: Buffer, at: number): number {
    const key = shortAt(bytes, at + KEY_LENGTH);
    return this.#log.round(HEADER_BYTES + key + readWord(bytes, at + FRAME_LENGTH));
  }

  touchByte(ref: number): number {
    return this.#log.segmentOf(ref).bytes[this.#log.offsetOf(ref)];
  }

  hashOf(ref: number): number {
    return readWord(this.#log.segmentOf(ref).bytes, this.#log.offsetOf(ref) + HASH);
  }

  matches(ref: number, key: Buffer, start: number, end: number): boolean {
    const { bytes, view } = this.#log.segmentOf(ref);
    const at = this.#log.offsetOf(ref);
    const length = end - start;
    if (view.getUint16(at + KEY_LENGTH, true) !== length) return false;
    const keyAt = at + HEADER_BYTES;
    const { input, inputView } = this.#keys;
    if (key === input && length <= MOST_WORD_BYTES) return sameWords(view, keyAt, inputView, start, length);
    for (let i = 0; i < length; i++) if (bytes[keyAt + i] !== key[start + i]) return false;
    return true;
  }
}

function read(bytes: Buffer, view: DataView, at: number, nowMs: number, found: Found): void {
  const frameAt = at + HEADER_BYTES + view.getUint16(at + KEY_LENGTH, true);
  const word = (offset: number) => view.getInt32(at + offset, true);
  found.kind = bytes[at] as FoundKind;
  if (found.bytes !== bytes) found.bytes = bytes;
  if (found.view !== view) found.view = view;
  found.start = frameAt;
  found.end = frameAt + word(FRAME_LENGTH);
  found.rest = null;
  found.restBytes = 0;
  found.versionHigh = word(VERSION);
  found.versionLow = word(VERSION + 4);
  found.clientFlags = word(CLIENT_FLAGS) >>> 0;
  found.ttlMs = fromWords(word(TTL), word(TTL + 4));
  found.softTtlMs = fromWords(word(SOFT_TTL), word(SOFT_TTL + 4));
  found.ageMs = (nowMs - word(ENTERED)) | 0;
}

/** Only a value has any. */
function frameBytesOf({ kind, start, end }: Found): number {
  return kind === FoundKind.VALUE ? end - start : 0;
}

function shortAt(bytes: Buffer, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8);
}

function writeShort(bytes: Buffer, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
}
