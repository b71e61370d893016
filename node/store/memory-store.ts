import type { RespWriter } from '../../lib/codec/resp/index.ts';
import { type KeysAhead, readWord, writeWord } from '../../lib/store/index.ts';
import { BulkInsert } from './bulk-insert.ts';
import { copy, copyLatin1 } from './bytes.ts';
import { Entries, INDEX_BYTES, type StoreOptions } from './entries.ts';
import type { EvictionRule } from './eviction-rule.ts';
import { MAX_TIME_MS, OBJECT, RARE, type Records, TAGGED } from './records.ts';
import type { BytesByClass, ByteView, Slot, Store } from './store.ts';
import { STRING, type StoredObject, type ValueType } from './value-type.ts';

/** Type of a record whose value is a string that was edited in place. */
const EDITED_STRING = 5 as ValueType;
/** The number of an object. */
const OBJECT_ID_BYTES = 4;

/**
 * The store of a node: one record of a few bytes more than key and value for each entry, off the JavaScript heap, and an index of less than 6 bytes
 * an entry.
 */
export class MemoryStore implements Store {
  readonly #entries: Entries;
  readonly #records: Records;
  readonly inserts: BulkInsert;

  constructor(options: StoreOptions) {
    this.#entries = new Entries(options);
    this.#records = this.#entries.records;
    this.inserts = new BulkInsert(this.#entries);
  }

  get size(): number {
    return this.#entries.index.size;
  }

  get expiringCount(): number {
    return this.#entries.expiringCount;
  }

  get usedBytes(): number {
    return this.#entries.usedBytes;
  }

  get reservedBytes(): number {
    return this.#entries.reservedBytes;
  }

  get chargedBytes(): number {
    return this.#entries.chargedBytes;
  }

  get isFull(): boolean {
    return this.#records.log.isNearlyFull;
  }

  get fragmentationBytes(): number {
    return this.#entries.fragmentationBytes;
  }

  get idleShare(): number {
    return this.#entries.idleShare;
  }

  set idleShare(share: number) {
    this.#entries.idleShare = share;
  }

  get bytesByClass(): BytesByClass {
    return this.#entries.bytesByClass;
  }

  get spaces(): number {
    return this.#entries.spaces.length;
  }

  spaceBytes(space: number): number {
    return this.#entries.spaceBytes(space);
  }

  setEviction(space: number, rule: EvictionRule, budgetBytes = 0): void {
    this.#entries.setEviction(space, rule, budgetBytes);
  }

  prepareEviction(used: number): void {
    for (const { policy } of this.#entries.spaces) policy.prepare(used);
  }

  maintain(moves = 0): boolean {
    return this.#entries.maintain(moves);
  }

  find(buffer: Buffer, start: number, end: number): Slot {
    return this.#entries.index.find(this.#records.hash(buffer, start, end), buffer, start, end);
  }

  lookAhead(keys: KeysAhead): void {
    this.#entries.lookAhead(keys);
  }

  reserve(entries: number): void {
    this.#entries.index.reserve(entries);
  }

  insert(buffer: Buffer, start: number, end: number, space = 0): Slot {
    return this.#entries.insert(buffer, start, end, space);
  }

  remove(slot: Slot): void {
    this.#entries.remove(slot);
  }

  clear(): void {
    this.#entries.clear();
  }

  keyOf(slot: Slot): string {
    const records = this.#records;
    records.parse(slot);
    return records.bytes.latin1Slice(records.keyAt, records.valueAt);
  }

  viewKey(slot: Slot, into: ByteView): void {
    const records = this.#records;
    records.parse(slot);
    into.buffer = records.bytes;
    into.start = records.keyAt;
    into.end = records.valueAt;
  }

  touch(slot: Slot): void {
    this.#entries.touch(slot);
  }

  victim(space: number): Slot {
    return this.#entries.victim(space);
  }

  get nowSeconds(): number {
    return this.#entries.nowSeconds;
  }

  set nowSeconds(seconds: number) {
    this.#entries.nowSeconds = seconds;
  }

  idleSeconds(slot: Slot): number {
    return this.#entries.idleSeconds(slot);
  }

  frequencyOf(slot: Slot): number {
    return this.#entries.frequencyOf(slot);
  }

  setUse(slot: Slot, idleSeconds: number | null, frequency: number | null): void {
    this.#entries.setUse(slot, idleSeconds, frequency);
  }

  random(random: { int(n: number): number }): Slot {
    return this.#entries.index.random(random);
  }

  scan(cursor: number, visit: (slot: Slot) => void): number {
    return this.#entries.index.scan(cursor, visit);
  }

  isScanned(slot: Slot, cursor: number): boolean {
    const records = this.#records;
    records.parse(slot);
    return records.hash(records.bytes, records.keyAt, records.valueAt) >>> 0 < cursor;
  }

  bytesOf(slot: Slot): number {
    const records = this.#records;
    records.parse(slot);
    const isObject = (records.flags & OBJECT) !== 0;
    const object = isObject ? this.#entries.objects.bytesOf(readWord(records.bytes, records.valueAt)) : 0;
    return records.size + INDEX_BYTES + object;
  }

  length(slot: Slot): number {
    const records = this.#records;
    records.parse(slot);
    return (records.flags & OBJECT) === 0 ? records.valueLength : 0;
  }

  latin1(slot: Slot): string {
    const records = this.#records;
    records.parse(slot);
    const at = records.valueAt;
    return records.bytes.latin1Slice(at, at + records.valueLength);
  }

  writeValue(slot: Slot, reply: RespWriter): void {
    const records = this.#records;
    records.parse(slot);
    const at = records.valueAt;
    reply.bulk(records.bytes, at, at + records.valueLength, records.segment.view);
  }

  copyValue(slot: Slot, target: Buffer, at: number): void {
    const records = this.#records;
    records.parse(slot);
    const start = records.valueAt;
    copy(records.bytes, start, start + records.valueLength, target, at);
  }

  view(slot: Slot, into: ByteView): void {
    const records = this.#records;
    records.parse(slot);
    into.buffer = records.bytes;
    into.start = records.valueAt;
    into.end = into.start + records.valueLength;
  }

  setBytes(slot: Slot, buffer: Buffer, start: number, end: number): void {
    this.#replaceValue(slot, end - start);
    this.#records.write(buffer, start, end, this.#records.valueAt);
  }

  setLatin1(slot: Slot, value: string): void {
    this.#replaceValue(slot, value.length);
    copyLatin1(value, this.#records.bytes, this.#records.valueAt);
  }

  /** Makes room for another value of `length` bytes and parses the record. */
  #replaceValue(slot: Slot, length: number): void {
    const records = this.#records;
    records.parse(slot);
    if ((records.flags & OBJECT) !== 0) this.#entries.dropObject();
    if (records.type === EDITED_STRING) records.setType(STRING, false);
    if (records.valueLength !== length) this.#entries.reshape(records.extension, length);
  }

  append(slot: Slot, buffer: Buffer, start: number, end: number): number {
    const before = this.length(slot);
    const length = before + end - start;
    this.#edit(slot, length);
    copy(buffer, start, end, this.#records.bytes, this.#records.valueAt + before);
    return length;
  }

  resize(slot: Slot, length: number): void {
    const before = this.length(slot);
    this.#edit(slot, length);
    const { bytes, valueAt } = this.#records;
    if (length > before) bytes.fill(0, valueAt + before, valueAt + length);
  }

  writeAt(slot: Slot, at: number, buffer: Buffer, start: number, end: number): void {
    this.#edit(slot, this.length(slot));
    copy(buffer, start, end, this.#records.bytes, this.#records.valueAt + at);
  }

  /** Gives a string another length, with room to grow on, and takes note that it was edited. */
  #edit(slot: Slot, length: number): void {
    const records = this.#records;
    records.parse(slot);
    if (records.valueLength !== length) this.#entries.reshape(records.extension, length, length >>> 1);
    if (records.type === STRING) records.setType(EDITED_STRING, false);
  }

  wasEdited(slot: Slot): boolean {
    this.#records.locate(slot);
    return this.#records.type === EDITED_STRING;
  }

  resizePacked(slot: Slot, length: number): Slot {
    const records = this.#records;
    records.parse(slot);
    if (records.valueLength !== length) this.#entries.reshape(records.extension, length);
    return records.ref;
  }

  expiresAt(slot: Slot): number {
    this.#records.locate(slot);
    return this.#records.expiresAt;
  }

  setExpiry(slot: Slot, atMs: number): void {
    this.#entries.setExpiry(slot, Math.min(atMs, MAX_TIME_MS));
  }

  nextExpired(nowMs: number): Slot {
    return this.#entries.nextExpired(nowMs);
  }

  get isSearchingExpired(): boolean {
    return this.#entries.isSearchingExpired;
  }

  versionHigh(slot: Slot): number {
    this.#records.locate(slot);
    return this.#records.versionHigh;
  }

  versionLow(slot: Slot): number {
    this.#records.locate(slot);
    return this.#records.versionLow;
  }

  setVersion(slot: Slot, high: number, low: number): void {
    this.#entries.setVersion(slot, high, low);
  }

  typeOf(slot: Slot): ValueType {
    this.#records.locate(slot);
    const { type } = this.#records;
    return type === EDITED_STRING ? STRING : type;
  }

  setType(slot: Slot, type: ValueType): void {
    const records = this.#records;
    records.locate(slot);
    records.setType(type, (records.flags & OBJECT) !== 0);
  }

  objectOf(slot: Slot): StoredObject | null {
    const records = this.#records;
    records.parse(slot);
    if ((records.flags & OBJECT) === 0) return null;
    return this.#entries.objects.at(readWord(records.bytes, records.valueAt));
  }

  setObject(slot: Slot, type: ValueType, object: StoredObject): Slot {
    this.#replaceValue(slot, OBJECT_ID_BYTES);
    const records = this.#records;
    const { objects } = this.#entries;
    const id = objects.add(object);
    writeWord(records.bytes, records.valueAt, id);
    records.setType(type, true);
    this.#entries.countObject(objects.bytesOf(id));
    return records.ref;
  }

  objectChanged(slot: Slot): void {
    const records = this.#records;
    records.parse(slot);
    if ((records.flags & OBJECT) === 0) return;
    const id = readWord(records.bytes, records.valueAt);
    this.#entries.countObject(this.#entries.objects.update(id));
  }

  clientFlags(slot: Slot): number {
    this.#records.parse(slot);
    return this.#records.clientFlags;
  }

  setClientFlags(slot: Slot, flags: number): void {
    this.#parseRare(slot);
    this.#records.setClientFlags(flags);
  }

  secondsSinceAccess(slot: Slot): number {
    this.#records.parse(slot);
    const { access } = this.#records;
    return access === 0 ? -1 : Math.max(0, this.nowSeconds + 1 - (access >>> 1));
  }

  wasRead(slot: Slot): boolean {
    this.#records.parse(slot);
    return (this.#records.access & 1) !== 0;
  }

  trackAccess(slot: Slot): void {
    this.#parseRare(slot);
  }

  noteAccess(slot: Slot, isRead: boolean): number {
    const records = this.#records;
    records.parse(slot);
    if (!records.has(RARE)) return 0;
    // One is added so that 0 stands for none.
    records.setAccess(((this.nowSeconds + 1) << 1) | (isRead ? 1 : records.access & 1));
    return records.clientFlags;
  }

  softExpiresAt(slot: Slot): number {
    this.#records.parse(slot);
    return this.#records.softExpiresAt;
  }

  setSoftExpiry(slot: Slot, atMs: number): void {
    this.#parseRare(slot);
    this.#records.setSoftExpiresAt(Math.min(atMs, MAX_TIME_MS));
  }

  #parseRare(slot: Slot): void {
    const records = this.#records;
    records.parse(slot);
    if (!records.has(RARE)) this.#entries.reshape(records.extension | RARE, records.valueLength);
  }

  hasTags(slot: Slot): boolean {
    this.#records.parse(slot);
    return this.#records.has(TAGGED);
  }

  setHasTags(slot: Slot, has: boolean): void {
    const records = this.#records;
    records.parse(slot);
    if (records.has(TAGGED) === has) return;
    this.#entries.reshape(records.extension ^ TAGGED, records.valueLength);
  }

  clearMarks(slot: Slot): void {
    const records = this.#records;
    records.parse(slot);
    if (records.has(RARE) || records.has(TAGGED))
      this.#entries.reshape(records.extension & ~(RARE | TAGGED), records.valueLength);
  }
}
