import type { RespWriter } from '../../lib/codec/resp/index.ts';
import { grown } from './arrays.ts';
import { ExpirySet } from './expiry-set.ts';
import { HashIndex } from './hash-index.ts';
import { LruList } from './lru-list.ts';
import type { Slot, Store } from './store.ts';

const INITIAL_CAPACITY = 1024;
/** Values up to this size are strings in the JavaScript heap; larger ones lie outside in a buffer of their own. */
const MAX_HEAP_VALUE_BYTES = 4096;
/** Columns, their slack after growth, bucket, and the headers of the key's and the value's string. */
const ENTRY_OVERHEAD_BYTES = 120;
/** A Buffer, its ArrayBuffer and the allocator's header. */
const BUFFER_OVERHEAD_BYTES = 250;
/** Largest value for which a loop beats the call into native code. */
const LOOP_COPY_BYTES = 24;

type Value = string | Buffer;

/**
 * The first store: columns of typed arrays for everything but the bytes, which are strings (one character a byte: exact,
 * compact, and freed by the garbage collector) or, when large, buffers.
 */
export class MemoryStore implements Store {
  readonly #index: HashIndex;
  readonly #lru = new LruList(INITIAL_CAPACITY);
  readonly #expiry = new ExpirySet(INITIAL_CAPACITY);
  /** null in free slots. */
  readonly #values: (Value | null)[] = [null];
  /** Two words a slot, the low one first. */
  #versions = new Uint32Array(2 * INITIAL_CAPACITY);
  #capacity = INITIAL_CAPACITY;
  readonly #free: Slot[] = [];
  /** Slots below this one have been in use. */
  #top = 1;
  usedBytes = 0;
  heapBytes = 0;

  /** `hashSeed` keeps clients from choosing keys that collide. */
  constructor({ hashSeed }: { hashSeed: number }) {
    this.#index = new HashIndex(hashSeed, INITIAL_CAPACITY);
  }

  get size(): number {
    return this.#index.size;
  }

  get isResizing(): boolean {
    return this.#index.isResizing;
  }

  get expiringCount(): number {
    return this.#expiry.size;
  }

  find(buffer: Buffer, start: number, end: number): Slot {
    return this.#index.find(this.#index.hash(buffer, start, end), buffer, start, end);
  }

  insert(buffer: Buffer, start: number, end: number): Slot {
    const slot = this.#free.pop() ?? this.#takeNew();
    this.#index.insert(slot, this.#index.hash(buffer, start, end), buffer.latin1Slice(start, end));
    this.#lru.add(slot);
    this.#values[slot] = '';
    this.setVersion(slot, 0, 0);
    this.#account(ENTRY_OVERHEAD_BYTES + end - start, ENTRY_OVERHEAD_BYTES + end - start);
    return slot;
  }

  #takeNew(): Slot {
    if (this.#top === this.#capacity) this.#grow(this.#capacity * 2);
    return this.#top++;
  }

  #grow(capacity: number): void {
    this.#index.resize(capacity);
    this.#lru.resize(capacity);
    this.#expiry.resize(capacity);
    this.#versions = grown(this.#versions, 2 * capacity);
    this.#capacity = capacity;
  }

  remove(slot: Slot): void {
    const overhead = ENTRY_OVERHEAD_BYTES + this.#index.keyOf(slot).length;
    this.#replace(slot, '');
    this.#values[slot] = null;
    this.#account(-overhead, -overhead);
    this.#expiry.set(slot, 0);
    this.#lru.remove(slot);
    this.#index.remove(slot);
    this.#free.push(slot);
  }

  clear(): void {
    this.#index.clear();
    this.#lru.clear();
    this.#expiry.clear();
    this.#values.length = 1;
    this.#free.length = 0;
    this.#top = 1;
    this.usedBytes = 0;
    this.heapBytes = 0;
  }

  keyOf(slot: Slot): string {
    return this.#index.keyOf(slot);
  }

  touch(slot: Slot): void {
    this.#lru.touch(slot);
  }

  oldest(): Slot {
    return this.#lru.oldest;
  }

  random(random: { int(n: number): number }): Slot {
    if (this.size === 0) return 0;
    // At least one slot in some is in use, except after mass deletion, when a scan from a random place is cheaper.
    for (let tries = 0; tries < 100; tries++) {
      const slot = 1 + random.int(this.#top - 1);
      if (this.#inUse(slot)) return slot;
    }
    let slot = 1 + random.int(this.#top - 1);
    while (!this.#inUse(slot)) slot = slot + 1 < this.#top ? slot + 1 : 1;
    return slot;
  }

  #inUse(slot: Slot): boolean {
    return this.#values[slot] !== null;
  }

  length(slot: Slot): number {
    return this.#values[slot]!.length;
  }

  latin1(slot: Slot): string {
    const value = this.#values[slot]!;
    return typeof value === 'string' ? value : value.latin1Slice();
  }

  writeValue(slot: Slot, reply: RespWriter): void {
    const value = this.#values[slot]!;
    if (typeof value === 'string') reply.bulkLatin1(value);
    else reply.bulk(value);
  }

  copyValue(slot: Slot, target: Buffer, at: number): void {
    const value = this.#values[slot]!;
    if (typeof value !== 'string') value.copy(target, at);
    else if (value.length > LOOP_COPY_BYTES) target.latin1Write(value, at);
    else for (let i = 0; i < value.length; i++) target[at + i] = value.charCodeAt(i);
  }

  setBytes(slot: Slot, buffer: Buffer, start: number, end: number): void {
    const length = end - start;
    if (length <= MAX_HEAP_VALUE_BYTES) {
      this.#replace(slot, buffer.latin1Slice(start, end));
      return;
    }
    const value = Buffer.allocUnsafeSlow(length);
    buffer.copy(value, 0, start, end);
    this.#replace(slot, value);
  }

  setLatin1(slot: Slot, value: string): void {
    if (value.length <= MAX_HEAP_VALUE_BYTES) this.#replace(slot, value);
    else this.#replace(slot, Buffer.from(value, 'latin1'));
  }

  append(slot: Slot, buffer: Buffer, start: number, end: number): number {
    const old = this.#values[slot]!;
    const length = old.length + end - start;
    if (typeof old !== 'string') {
      const room = old.buffer.byteLength - old.byteOffset - old.length;
      if (end - start <= room) {
        // Beyond the view's end nobody reads: the bytes behind it are this entry's own.
        const longer = Buffer.from(old.buffer as ArrayBuffer, old.byteOffset, length);
        buffer.copy(longer, old.length, start, end);
        this.#values[slot] = longer;
        return length;
      }
    }
    const large = length > MAX_HEAP_VALUE_BYTES;
    const joined = Buffer.allocUnsafeSlow(large ? length + (length >> 1) : length);
    this.copyValue(slot, joined, 0);
    buffer.copy(joined, old.length, start, end);
    this.#replace(slot, large ? joined.subarray(0, length) : joined.latin1Slice());
    return length;
  }

  #replace(slot: Slot, value: Value): void {
    const old = this.#values[slot]!;
    this.#values[slot] = value;
    const bytes = footprint(value) - footprint(old);
    this.#account(bytes, heapFootprint(value) - heapFootprint(old));
  }

  #account(bytes: number, heapBytes: number): void {
    this.usedBytes += bytes;
    this.heapBytes += heapBytes;
  }

  expiresAt(slot: Slot): number {
    return this.#expiry.at(slot);
  }

  setExpiry(slot: Slot, atMs: number): void {
    this.#expiry.set(slot, atMs);
  }

  nextExpiring(): Slot {
    return this.#expiry.advance();
  }

  versionHigh(slot: Slot): number {
    return this.#versions[2 * slot + 1];
  }

  versionLow(slot: Slot): number {
    return this.#versions[2 * slot];
  }

  setVersion(slot: Slot, high: number, low: number): void {
    this.#versions[2 * slot] = low;
    this.#versions[2 * slot + 1] = high;
  }

  scan(cursor: number, visit: (slot: Slot) => void): number {
    return this.#index.scan(cursor, visit);
  }
}

function footprint(value: Value): number {
  return typeof value === 'string' ? value.length : value.buffer.byteLength + BUFFER_OVERHEAD_BYTES;
}

function heapFootprint(value: Value): number {
  return typeof value === 'string' ? value.length : BUFFER_OVERHEAD_BYTES;
}
