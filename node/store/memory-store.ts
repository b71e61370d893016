import type { RespWriter } from '../../lib/codec/resp/index.ts';
import { copy, EntryBytes } from './entry-bytes.ts';
import type { EvictionRule } from './eviction-rule.ts';
import { ExpirySet } from './expiry-set.ts';
import { HashIndex } from './hash-index.ts';
import { LruList } from './lru-list.ts';
import { ROW_SHIFT, SLOT_SHIFT, SlotTable, VERSION_HIGH, VERSION_LOW } from './slot-table.ts';
import type { ByteView, Slot, Store } from './store.ts';
import { STRING, type StoredObject, type ValueType } from './value-type.ts';

/** The row and its share of the index, with what both have in reserve after growing. */
const ENTRY_BYTES = 96;
/** Place and time in the set of expiring slots, with slack. */
const EXPIRY_BYTES = 40;
/** Rows are given back when fewer than this part of them is in use, some with each removal. */
const MIN_FILL = 7 / 8;
const MIN_ROWS = 4096;
const CUTS_PER_REMOVAL = 2;
/** Random tries to find a slot in use. */
const RANDOM_TRIES = 100;
/** Up to this many characters a loop beats the call into native code. */
const LOOP_CHARS = 32;

/** What few entries have. */
interface Extra {
  type: ValueType;
  object: StoredObject | null;
  objectBytes: number;
  clientFlags: number;
  softExpiresAt: number;
  hasTags: boolean;
  wasEdited: boolean;
}

/** The first store: everything off the JavaScript heap, a row of one cache line for each entry and a log of cells for what is longer. */
export class MemoryStore implements Store {
  readonly #slots = new SlotTable();
  readonly #bytes = new EntryBytes(this.#slots);
  readonly #lru = new LruList(this.#slots);
  readonly #expiry = new ExpirySet(this.#slots);
  readonly #index: HashIndex;
  readonly #extras = new Map<Slot, Extra>();
  #objectBytes = 0;
  #evicts = true;
  readonly spaces = 1;

  /** `hashSeed` keeps clients from choosing keys that collide. */
  constructor({ hashSeed }: { hashSeed: number }) {
    this.#index = new HashIndex(hashSeed, this.#slots, this.#bytes);
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

  get usedBytes(): number {
    return (
      this.#index.size * ENTRY_BYTES +
      this.#expiry.size * EXPIRY_BYTES +
      this.#bytes.chargedBytes +
      this.#objectBytes
    );
  }

  get reservedBytes(): number {
    return this.#slots.top * 2 ** ROW_SHIFT + this.#bytes.reservedBytes;
  }

  find(buffer: Buffer, start: number, end: number): Slot {
    return this.#index.find(this.#index.hash(buffer, start, end), buffer, start, end);
  }

  insert(buffer: Buffer, start: number, end: number): Slot {
    const slot = this.#slots.take();
    this.#bytes.begin(slot, buffer, start, end);
    this.#index.insert(slot, this.#index.hash(buffer, start, end));
    this.#lru.add(slot);
    this.setVersion(slot, 0, 0);
    return slot;
  }

  remove(slot: Slot): void {
    if (this.#extras.size > 0) this.#dropExtra(slot);
    this.#bytes.end(slot);
    this.#expiry.set(slot, 0);
    this.#lru.remove(slot);
    this.#index.remove(slot);
    this.#slots.release(slot);
    if (this.#slots.top > MIN_ROWS && this.size < this.#slots.top * MIN_FILL) this.#compact();
  }

  /** Cuts off a few of the last rows, so that after a change of workload the memory of the rows comes back too. */
  #compact(): void {
    for (let i = 0; i < CUTS_PER_REMOVAL; i++) {
      const from = this.#slots.top - 1;
      const to = this.#slots.cutLast();
      if (to === 0) continue;
      this.#index.moved(from, to);
      this.#lru.moved(to);
      this.#expiry.moved(to);
      this.#bytes.moved(to);
      const extra = this.#extras.get(from);
      if (extra) this.#extras.delete(from);
      if (extra) this.#extras.set(to, extra);
    }
  }

  clear(): void {
    this.#extras.clear();
    this.#objectBytes = 0;
    this.#index.clear();
    this.#expiry.clear();
    this.#slots.clear();
    this.#bytes.clear();
  }

  keyOf(slot: Slot): string {
    return this.#bytes.keyOf(slot);
  }

  touch(slot: Slot): void {
    this.#lru.touch(slot);
  }

  oldest(): Slot {
    return this.#lru.oldest;
  }

  victim(): Slot {
    return this.#evicts ? this.oldest() : 0;
  }

  setEviction(_space: number, { policy }: EvictionRule): void {
    this.#evicts = policy !== 'none';
  }

  spaceBytes(): number {
    return this.usedBytes;
  }

  /** No policy here notes it. */
  idleSeconds(): number {
    return 0;
  }

  /** No policy here counts. */
  frequencyOf(): number {
    return 0;
  }

  random(random: { int(n: number): number }): Slot {
    if (this.size === 0) return 0;
    const slots = this.#slots;
    let slot = 1 + random.int(slots.top - 1);
    // After mass deletion few slots are in use; a walk from a random place is good enough then.
    for (let tries = 0; tries < RANDOM_TRIES && slots.isFree(slot); tries++)
      slot = 1 + random.int(slots.top - 1);
    while (slots.isFree(slot)) slot = slot + 1 < slots.top ? slot + 1 : 1;
    return slot;
  }

  bytesOf(slot: Slot): number {
    const timed = this.expiresAt(slot) === 0 ? 0 : EXPIRY_BYTES;
    const object = this.#extras.get(slot)?.objectBytes ?? 0;
    return ENTRY_BYTES + timed + this.keyOf(slot).length + this.length(slot) + object;
  }

  length(slot: Slot): number {
    this.#bytes.locate(slot);
    return this.#bytes.length;
  }

  latin1(slot: Slot): string {
    const bytes = this.#bytes;
    bytes.locate(slot);
    return bytes.source.latin1Slice(bytes.start, bytes.start + bytes.length);
  }

  writeValue(slot: Slot, reply: RespWriter): void {
    const bytes = this.#bytes;
    bytes.locate(slot);
    reply.bulk(bytes.source, bytes.start, bytes.start + bytes.length);
  }

  copyValue(slot: Slot, target: Buffer, at: number): void {
    const bytes = this.#bytes;
    bytes.locate(slot);
    copy(bytes.source, bytes.start, bytes.start + bytes.length, target, at);
  }

  view(slot: Slot, into: ByteView): void {
    const bytes = this.#bytes;
    bytes.locate(slot);
    into.buffer = bytes.source;
    into.start = bytes.start;
    into.end = bytes.start + bytes.length;
  }

  setBytes(slot: Slot, buffer: Buffer, start: number, end: number): void {
    if (this.#extras.size > 0) this.#dropObject(slot);
    const bytes = this.#bytes;
    bytes.resize(slot, end - start);
    copy(buffer, start, end, bytes.source, bytes.start);
  }

  setLatin1(slot: Slot, value: string): void {
    if (this.#extras.size > 0) this.#dropObject(slot);
    const bytes = this.#bytes;
    bytes.resize(slot, value.length);
    const { source, start } = bytes;
    if (value.length > LOOP_CHARS) source.latin1Write(value, start);
    else for (let i = 0; i < value.length; i++) source[start + i] = value.charCodeAt(i);
  }

  append(slot: Slot, buffer: Buffer, start: number, end: number): number {
    const before = this.length(slot);
    const bytes = this.#bytes;
    bytes.extend(slot, before + end - start);
    copy(buffer, start, end, bytes.source, bytes.start + before);
    this.#extra(slot).wasEdited = true;
    return bytes.length;
  }

  resize(slot: Slot, length: number): void {
    const before = this.length(slot);
    const bytes = this.#bytes;
    bytes.extend(slot, length);
    if (length > before) bytes.source.fill(0, bytes.start + before, bytes.start + length);
    this.#extra(slot).wasEdited = true;
  }

  resizePacked(slot: Slot, length: number): Slot {
    this.#bytes.extend(slot, length);
    return slot;
  }

  writeAt(slot: Slot, at: number, buffer: Buffer, start: number, end: number): void {
    const bytes = this.#bytes;
    bytes.locate(slot);
    copy(buffer, start, end, bytes.source, bytes.start + at);
    this.#extra(slot).wasEdited = true;
  }

  wasEdited(slot: Slot): boolean {
    return this.#extras.get(slot)?.wasEdited ?? false;
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

  typeOf(slot: Slot): ValueType {
    if (this.#extras.size === 0) return STRING;
    return this.#extras.get(slot)?.type ?? STRING;
  }

  setType(slot: Slot, type: ValueType): void {
    this.#extra(slot).type = type;
  }

  objectOf(slot: Slot): StoredObject | null {
    return this.#extras.get(slot)?.object ?? null;
  }

  setObject(slot: Slot, type: ValueType, object: StoredObject): Slot {
    this.setLatin1(slot, '');
    const extra = this.#extra(slot);
    extra.type = type;
    extra.object = object;
    this.objectChanged(slot);
    return slot;
  }

  objectChanged(slot: Slot): void {
    const extra = this.#extras.get(slot);
    if (!extra?.object) return;
    this.#objectBytes += extra.object.bytes - extra.objectBytes;
    extra.objectBytes = extra.object.bytes;
  }

  clientFlags(slot: Slot): number {
    return this.#extras.get(slot)?.clientFlags ?? 0;
  }

  setClientFlags(slot: Slot, flags: number): void {
    this.#extra(slot).clientFlags = flags;
  }

  softExpiresAt(slot: Slot): number {
    return this.#extras.get(slot)?.softExpiresAt ?? 0;
  }

  setSoftExpiry(slot: Slot, atMs: number): void {
    this.#extra(slot).softExpiresAt = atMs;
  }

  hasTags(slot: Slot): boolean {
    return this.#extras.get(slot)?.hasTags ?? false;
  }

  setHasTags(slot: Slot, has: boolean): void {
    this.#extra(slot).hasTags = has;
  }

  clearMarks(slot: Slot): void {
    const extra = this.#extras.get(slot);
    if (!extra) return;
    extra.clientFlags = 0;
    extra.softExpiresAt = 0;
    extra.hasTags = false;
  }

  #extra(slot: Slot): Extra {
    let extra = this.#extras.get(slot);
    if (!extra) {
      extra = {
        type: STRING,
        object: null,
        objectBytes: 0,
        clientFlags: 0,
        softExpiresAt: 0,
        hasTags: false,
        wasEdited: false,
      };
      this.#extras.set(slot, extra);
    }
    return extra;
  }

  #dropExtra(slot: Slot): void {
    this.#dropObject(slot);
    this.#extras.delete(slot);
  }

  #dropObject(slot: Slot): void {
    const extra = this.#extras.get(slot);
    if (extra) extra.wasEdited = false;
    if (!extra?.object) return;
    this.#objectBytes -= extra.objectBytes;
    extra.objectBytes = 0;
    extra.object = null;
  }

  scan(cursor: number, visit: (slot: Slot) => void): number {
    return this.#index.scan(cursor, visit);
  }
}
