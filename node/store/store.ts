import type { RespWriter } from '../../lib/codec/resp/index.ts';
import type { KeysAhead } from '../../lib/store/index.ts';
import type { EvictionRule } from './eviction-rule.ts';
import type { StoredObject, ValueType } from './value-type.ts';

/**
 * Names an entry: an integer of 32 bits, 0 for none, possibly negative. Valid until the entry is removed (then using it throws), or until
 * `maintain` or `victim` is called, which may move any entry: so for as long as one command runs.
 */
export type Slot = number;

/** A byte range that somebody looks at and does not change. */
export interface ByteView {
  buffer: Buffer;
  start: number;
  end: number;
}

/** Bytes that a store has taken, by what they are for. */
export interface BytesByClass {
  /** Keys and strings, with what stands beside them. */
  readonly entries: number;
  /** Finding entries, and the order in which they go. */
  readonly index: number;
  /** Values that are objects: collections. */
  readonly objects: number;
  /** Nothing at present. */
  readonly idle: number;
}

/** What an entry has beside key and value, which is no object. */
export interface NewEntry {
  type: ValueType;
  space: number;
  /** 0 for never. */
  expiresAt: number;
  /** Its version. */
  high: number;
  low: number;
  /** As for `setUse`. */
  idleSeconds: number | null;
  frequency: number | null;
}

/**
 * Adds entries in numbers, faster than one by one. What has been added is there for everybody else only after `flush`, until which
 * nobody else may use the store.
 */
export interface BulkInserts {
  /** Adds an entry as the most recently used of its space. As `flush`, for those added before. */
  add(
    key: Buffer,
    keyStart: number,
    keyEnd: number,
    value: Buffer,
    start: number,
    end: number,
    entry: NewEntry,
  ): string | null;
  /** Completes what has been added. The keys should not have been there: of one that was the former entry stays, and the key is returned. */
  flush(): string | null;
}

/**
 * Holds entries: binary key, string value, expiry and version. Keeps the order of last use and finds what expires; decides nothing:
 * whoever owns it evicts, expires and replicates.
 *
 * Times are unix milliseconds. Byte ranges are copied, never kept.
 */
export interface Store {
  /** Number of entries. */
  readonly size: number;
  /** Number of entries with an expiry. */
  readonly expiringCount: number;
  /** Bytes all entries take, with what it costs to keep them; comparable with the resident size of the process. */
  readonly usedBytes: number;
  /** Bytes taken from the system for keys and values; what is above `usedBytes` lies idle. */
  readonly reservedBytes: number;
  /**
   * What is to be held against a budget of memory: `reservedBytes` and the objects, with idle bytes as far as the store tolerates
   * them. Until the next `maintain`, every removal brings it down.
   */
  readonly chargedBytes: number;
  /** There are addresses for little more, whatever the budget: something has to go, or nothing may come. */
  readonly isFull: boolean;
  /** Bytes that lie idle between the entries. */
  readonly fragmentationBytes: number;
  /** Entries will have to be evicted before long, since they take `used` of the budget, below 1: makes some of what that takes ready. */
  prepareEviction(used: number): void;
  /** How many bytes may lie idle before `maintain` wins them back, as a share of what lives: the more, the less often entries are moved. */
  idleShare: number;
  /** What memory is taken for. */
  readonly bytesByClass: BytesByClass;

  /** About so many entries are going to be there: makes room for them at once, if there are few by now (up to 65536). */
  reserve(entries: number): void;
  find(buffer: Buffer, start: number, end: number): Slot;
  /** These keys will be looked up soon: reads the memory that it takes now, for all of them at once. Changes nothing. */
  lookAhead(keys: KeysAhead): void;
  /**
   * Adds an entry with an empty value, without expiry and version, as the most recently used of its space (0 when left out). The key must
   * not be there.
   */
  insert(buffer: Buffer, start: number, end: number, space?: number): Slot;
  readonly inserts: BulkInserts;
  remove(slot: Slot): void;
  clear(): void;

  /** The key, one character a byte. */
  keyOf(slot: Slot): string;
  /** Where the key is: valid until any entry is mutated. */
  viewKey(slot: Slot, into: ByteView): void;
  /** Makes the entry the most recently used one. */
  touch(slot: Slot): void;
  /** The entry that the policy of the space gives up next, or 0 when it gives up none. To be removed at once. All other slots are invalid then. */
  victim(space: number): Slot;
  /**
   * By which rule a space gives up entries; may change while it holds some. Makes the space when it is not there yet. What space 0 may take
   * (0: not known) decides how large the blocks are in which memory is taken and given back.
   */
  setEviction(space: number, rule: EvictionRule, budgetBytes?: number): void;
  /** Number of spaces; space 0 is there always. */
  readonly spaces: number;
  /** What the entries of a space take, counted like the budget that bounds it. */
  spaceBytes(space: number): number;
  /** The time that is noted with each use, in seconds of any clock that never goes back: set by whoever owns the store. */
  nowSeconds: number;
  /** Seconds since the last use, where the policy of its space notes that; else 0. */
  idleSeconds(slot: Slot): number;
  /** How often it was used, as the policy of its space counts (up to 255, decaying); 0 where it does not count. */
  frequencyOf(slot: Slot): number;
  /**
   * Sets what `idleSeconds` and `frequencyOf` (0 to 255) say, each where the policy notes that; null leaves it. Its place in an order of use
   * stays.
   */
  setUse(slot: Slot, idleSeconds: number | null, frequency: number | null): void;
  /** Any entry, each as likely; 0 when there is none. */
  random(random: { int(n: number): number }): Slot;

  /** Bytes the entry takes, with what it costs to keep it: its share of `usedBytes`. */
  bytesOf(slot: Slot): number;
  /** Bytes of the value. */
  length(slot: Slot): number;
  /** The value, one character a byte. */
  latin1(slot: Slot): string;
  /** Writes the value as a bulk string. */
  writeValue(slot: Slot, reply: RespWriter): void;
  /** Copies the value to `target` at `at`, which must have room. */
  copyValue(slot: Slot, target: Buffer, at: number): void;
  /** Where the value is: valid until any entry is mutated. */
  view(slot: Slot, into: ByteView): void;
  setBytes(slot: Slot, buffer: Buffer, start: number, end: number): void;
  /** Sets a value of characters below 256, one a byte. */
  setLatin1(slot: Slot, value: string): void;
  /** Appends to the value and returns its new length. */
  append(slot: Slot, buffer: Buffer, start: number, end: number): number;
  /** Cuts the value off at `length` bytes, or lengthens it with zero bytes, with room to grow on: what is there is not copied each time. */
  resize(slot: Slot, length: number): void;
  /**
   * Changes the length of a collection's packed bytes: cut off, or with undefined bytes behind; without room to grow on, which is the
   * caller's to plan. They may be edited where `view` finds them. Returns the slot of the entry from now on.
   */
  resizePacked(slot: Slot, length: number): Slot;
  /** Overwrites bytes of the value from `at` on; there must be as many. Takes time for the bytes written, not for the value. */
  writeAt(slot: Slot, at: number, buffer: Buffer, start: number, end: number): void;
  /** Whether the value was changed by `append`, `resize` or `writeAt` since it was last set whole. */
  wasEdited(slot: Slot): boolean;

  /** When the entry expires, or 0. */
  expiresAt(slot: Slot): number;
  /** 0 for never. */
  setExpiry(slot: Slot, atMs: number): void;
  /** An entry that expires at `nowMs` or before; 0 when there is none, or when it takes another call to find it (`isSearchingExpired`). */
  nextExpired(nowMs: number): Slot;
  readonly isSearchingExpired: boolean;

  /** Upper and lower 32 bits of the version. */
  versionHigh(slot: Slot): number;
  versionLow(slot: Slot): number;
  setVersion(slot: Slot, high: number, low: number): void;

  /** What the value is; a new entry holds a string. */
  typeOf(slot: Slot): ValueType;
  /** Says what the bytes of the value are. They stay. */
  setType(slot: Slot, type: ValueType): void;
  /** The value when it is an object, else null. */
  objectOf(slot: Slot): StoredObject | null;
  /**
   * Makes an object the value, in place of the bytes; `setBytes` and `setLatin1` do the opposite. Returns the slot of the entry from now
   * on.
   */
  setObject(slot: Slot, type: ValueType, object: StoredObject): Slot;
  /** The object of the entry has changed in size. */
  objectChanged(slot: Slot): void;

  /** Opaque 32 bits of the client, 0 unless set. */
  clientFlags(slot: Slot): number;
  setClientFlags(slot: Slot, flags: number): void;
  /**
   * Seconds since the last access that was noted, -1 for none. Only entries with client flags, a soft expiry or `trackAccess` note any,
   * whatever the policy.
   */
  secondsSinceAccess(slot: Slot): number;
  /** Whether a read is among the accesses noted since the value was last set. */
  wasRead(slot: Slot): boolean;
  /** From now on accesses of the entry are noted. */
  trackAccess(slot: Slot): void;
  /** Notes an access, where that is done; returns the client flags, which stand beside it. */
  noteAccess(slot: Slot, isRead: boolean): number;
  /** From when on the value is stale though it may still be served, unix milliseconds, or 0. */
  softExpiresAt(slot: Slot): number;
  /** 0 for never. */
  setSoftExpiry(slot: Slot, atMs: number): void;
  /** Whether somebody keeps tags for the entry, and wants to know when it goes. */
  hasTags(slot: Slot): boolean;
  setHasTags(slot: Slot, has: boolean): void;
  /** Forgets client flags, soft expiry and that there are tags. */
  clearMarks(slot: Slot): void;

  /**
   * Calls `visit` for some entries and returns the cursor to go on from (below 2^32), 0 at the end. What is there from the first call to the
   * last is visited exactly once, what comes or goes at most once. `visit` must not mutate.
   */
  scan(cursor: number, visit: (slot: Slot) => void): number;

  /** Whether a `scan` that goes on from this cursor, which is not 0, has the entry behind it. */
  isScanned(slot: Slot, cursor: number): boolean;

  /**
   * Gives memory back that removed entries leave, and wins some back from between the others: as much work as the mutations since the last
   * call are worth, or moving up to `moves` entries. True when more may be to be done. To be called between commands: all slots become
   * invalid.
   */
  maintain(moves?: number): boolean;
}
