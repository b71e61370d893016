import type { RespWriter } from '../../lib/codec/resp/index.ts';
import { ExpirySet } from './expiry-set.ts';
import { HashIndex } from './hash-index.ts';
import { LruList } from './lru-list.ts';
import { SLOT_SHIFT, SlotTable, VERSION_HIGH, VERSION_LOW } from './slot-table.ts';
import type { Slot, Store } from './store.ts';

/** Values up to this size are strings in the JavaScript heap, unless they fit into the row; larger ones lie outside in a buffer of their own. */
const MAX_HEAP_VALUE_BYTES = 4096;
/** The row, its share of the index, and the slack both have after growing. */
const ENTRY_BYTES = 112;
/** A string's header, what rounding adds, and the reference to it. */
const STRING_OVERHEAD_BYTES = 32;
/** A Buffer, its ArrayBuffer and the allocator's header. */
const BUFFER_OVERHEAD_BYTES = 250;
/** Largest value for which a loop beats the call into native code. */
const LOOP_COPY_BYTES = 24;
const EMPTY = Buffer.alloc(0);

type Value = string | Buffer;

/**
 * The first store: small entries in rows off the heap; what does not fit is a string (one character a byte: exact, compact, and freed by
 * the garbage collector) or, when large, a buffer.
 */
export class MemoryStore implements Store {
  readonly #slots = new SlotTable();
  /** Values that are not inline. */
  readonly #values: (Value | undefined)[] = [];
  readonly #index: HashIndex;
  readonly #lru = new LruList(this.#slots);
  readonly #expiry = new ExpirySet(this.#slots);
  usedBytes = 0;
  heapBytes = 0;

  /** `hashSeed` keeps clients from choosing keys that collide. */
  constructor({ hashSeed }: { hashSeed: number }) {
    this.#index = new HashIndex(hashSeed, this.#slots);
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
    const slot = this.#slots.take(buffer, start, end);
    this.#index.insert(slot, this.#index.hash(buffer, start, end));
    this.#lru.add(slot);
    this.setVersion(slot, 0, 0);
    // An empty value fits beside every key but one that is elsewhere itself.
    if (!this.#slots.setInline(slot, EMPTY, 0, 0)) this.#keep(slot, '');
    this.usedBytes += ENTRY_BYTES;
    this.#accountKey(slot, 1);
    return slot;
  }

  remove(slot: Slot): void {
    this.#drop(slot);
    this.#accountKey(slot, -1);
    this.usedBytes -= ENTRY_BYTES;
    this.#expiry.set(slot, 0);
    this.#lru.remove(slot);
    this.#index.remove(slot);
    this.#slots.release(slot);
  }

  #accountKey(slot: Slot, sign: 1 | -1): void {
    const length = this.#slots.longKeyBytes(slot);
    if (length > 0)
      this.#account(sign * (length + STRING_OVERHEAD_BYTES), sign * (length + STRING_OVERHEAD_BYTES));
  }

  #account(bytes: number, heapBytes: number): void {
    this.usedBytes += bytes;
    this.heapBytes += heapBytes;
  }

  clear(): void {
    this.#index.clear();
    this.#expiry.clear();
    this.#slots.clear();
    this.#values.length = 0;
    this.usedBytes = 0;
    this.heapBytes = 0;
  }

  keyOf(slot: Slot): string {
    return this.#slots.keyOf(slot);
  }

  touch(slot: Slot): void {
    this.#lru.touch(slot);
  }

  oldest(): Slot {
    return this.#lru.oldest;
  }

  random(random: { int(n: number): number }): Slot {
    if (this.size === 0) return 0;
    const slots = this.#slots;
    let slot = 1 + random.int(slots.top - 1);
    // After mass deletion few slots are in use; a walk from a random place is good enough then.
    for (let tries = 0; tries < 100 && slots.isFree(slot); tries++) slot = 1 + random.int(slots.top - 1);
    while (slots.isFree(slot)) slot = slot + 1 < slots.top ? slot + 1 : 1;
    return slot;
  }

  length(slot: Slot): number {
    const length = this.#slots.inlineLength(slot);
    return length >= 0 ? length : this.#values[slot]!.length;
  }

  latin1(slot: Slot): string {
    const length = this.#slots.inlineLength(slot);
    if (length >= 0) {
      const start = this.#slots.inlineStart(slot);
      return this.#slots.bytes.latin1Slice(start, start + length);
    }
    const value = this.#values[slot]!;
    return typeof value === 'string' ? value : value.latin1Slice();
  }

  writeValue(slot: Slot, reply: RespWriter): void {
    const length = this.#slots.inlineLength(slot);
    if (length >= 0) {
      const start = this.#slots.inlineStart(slot);
      reply.bulk(this.#slots.bytes, start, start + length);
      return;
    }
    const value = this.#values[slot]!;
    if (typeof value === 'string') reply.bulkLatin1(value);
    else reply.bulk(value);
  }

  copyValue(slot: Slot, target: Buffer, at: number): void {
    const length = this.#slots.inlineLength(slot);
    if (length >= 0) {
      const { bytes } = this.#slots;
      const start = this.#slots.inlineStart(slot);
      for (let i = 0; i < length; i++) target[at + i] = bytes[start + i];
      return;
    }
    const value = this.#values[slot]!;
    if (typeof value !== 'string') value.copy(target, at);
    else if (value.length > LOOP_COPY_BYTES) target.latin1Write(value, at);
    else for (let i = 0; i < value.length; i++) target[at + i] = value.charCodeAt(i);
  }

  setBytes(slot: Slot, buffer: Buffer, start: number, end: number): void {
    if (this.#slots.inlineLength(slot) < 0) this.#drop(slot);
    if (this.#slots.setInline(slot, buffer, start, end)) return;
    const length = end - start;
    if (length <= MAX_HEAP_VALUE_BYTES) {
      this.#keep(slot, buffer.latin1Slice(start, end));
      return;
    }
    const value = Buffer.allocUnsafeSlow(length);
    buffer.copy(value, 0, start, end);
    this.#keep(slot, value);
  }

  setLatin1(slot: Slot, value: string): void {
    const bytes = Buffer.from(value, 'latin1');
    this.setBytes(slot, bytes, 0, bytes.length);
  }

  append(slot: Slot, buffer: Buffer, start: number, end: number): number {
    const oldLength = this.length(slot);
    const length = oldLength + end - start;
    const old = this.#values[slot];
    if (old instanceof Buffer) {
      const room = old.buffer.byteLength - old.byteOffset - old.length;
      if (end - start <= room) {
        // Beyond the view's end nobody reads: the bytes behind it are this entry's own.
        const longer = Buffer.from(old.buffer as ArrayBuffer, old.byteOffset, length);
        buffer.copy(longer, oldLength, start, end);
        this.#values[slot] = longer;
        return length;
      }
    }
    const isLarge = length > MAX_HEAP_VALUE_BYTES;
    const joined = Buffer.allocUnsafeSlow(isLarge ? length + (length >> 1) : length);
    this.copyValue(slot, joined, 0);
    buffer.copy(joined, oldLength, start, end);
    if (isLarge) {
      this.#drop(slot);
      this.#keep(slot, joined.subarray(0, length));
    } else {
      this.setBytes(slot, joined, 0, length);
    }
    return length;
  }

  /** Keeps a value that is not inline. */
  #keep(slot: Slot, value: Value): void {
    this.#values[slot] = value;
    this.#slots.setElsewhere(slot);
    this.#account(footprint(value), heapFootprint(value));
  }

  /** Lets go of the value, if it is not inline. */
  #drop(slot: Slot): void {
    if (this.#slots.inlineLength(slot) >= 0) return;
    const value = this.#values[slot]!;
    this.#values[slot] = undefined;
    this.#account(-footprint(value), -heapFootprint(value));
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
    return this.#slots.words[(slot << SLOT_SHIFT) + VERSION_HIGH] >>> 0;
  }

  versionLow(slot: Slot): number {
    return this.#slots.words[(slot << SLOT_SHIFT) + VERSION_LOW] >>> 0;
  }

  setVersion(slot: Slot, high: number, low: number): void {
    const { words } = this.#slots;
    words[(slot << SLOT_SHIFT) + VERSION_LOW] = low;
    words[(slot << SLOT_SHIFT) + VERSION_HIGH] = high;
  }

  scan(cursor: number, visit: (slot: Slot) => void): number {
    return this.#index.scan(cursor, visit);
  }
}

function footprint(value: Value): number {
  return typeof value === 'string'
    ? value.length + STRING_OVERHEAD_BYTES
    : value.buffer.byteLength + BUFFER_OVERHEAD_BYTES;
}

function heapFootprint(value: Value): number {
  return typeof value === 'string' ? value.length + STRING_OVERHEAD_BYTES : BUFFER_OVERHEAD_BYTES;
}
