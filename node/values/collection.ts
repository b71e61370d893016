import type { Keyspace } from '../keyspace.ts';
import type { Slot, StoredObject, ValueType } from '../store/index.ts';
import { packed } from './packed.ts';

/** What a collection is once it is too large for the bytes of its entry. */
export interface LargeForm extends StoredObject {
  /** Number of elements. */
  readonly size: number;
}

/** As `LargeForm`, of a type for which Redis has a compact encoding and another one. */
export interface TwofoldForm extends LargeForm {
  /** Whether it is still small by Redis's limits, which can be set above ours. */
  isCompact: boolean;
}

/**
 * A value of several elements under a key: packed in the bytes of its entry (`packed`) while it is small, else an object. Opened for one
 * command; a mutation of any other entry makes it stale. Whoever mutates it calls `keyspace.modified(slot)` behind that, or removes the
 * entry when `size` has become 0. Bytes that are given to it must not be its own.
 */
export abstract class Collection<Large extends LargeForm> {
  /** The entry; kept right through this value's own mutations. */
  slot: Slot;
  protected keyspace: Keyspace;
  /** Null while it is packed. */
  protected large: Large | null;

  /** Opens the value of an entry, which must be of the right type. */
  constructor(keyspace: Keyspace, slot: Slot) {
    this.keyspace = keyspace;
    this.slot = slot;
    this.large = keyspace.store.objectOf(slot) as Large | null;
  }

  /** Opens the value of another entry of the same type. */
  turnTo(keyspace: Keyspace, slot: Slot): void {
    this.keyspace = keyspace;
    this.slot = slot;
    this.large = keyspace.store.objectOf(slot) as Large | null;
  }

  /** Refers to the value no longer, so that it can go. */
  letGo(): void {
    this.large = null;
  }

  /** Number of elements. */
  get size(): number {
    if (this.large !== null) return this.large.size;
    this.look();
    return packed.count;
  }

  /** Turns `packed` to what this one has packed. */
  protected look(): void {
    packed.look(this.keyspace.store, this.slot);
  }

  /** As `packed.splice`, right behind `look`. */
  protected splice(offset: number, removed: number, added: number, elements: number): void {
    packed.splice(offset, removed, added, elements);
    this.slot = packed.slot;
  }

  /** What was packed is in this object now. */
  protected become(type: ValueType, large: Large): Large {
    this.slot = this.keyspace.store.setObject(this.slot, type, large);
    this.large = large;
    return large;
  }
}

/** A collection that Redis would keep in a compact encoding up to some limits; beyond them once, it is called by the other one for good. */
export abstract class TwofoldCollection<Large extends TwofoldForm> extends Collection<Large> {
  /** Whether it is called by the compact encoding. */
  protected get isCompact(): boolean {
    if (this.large !== null) return this.large.isCompact;
    this.look();
    return !packed.isOutgrown;
  }

  /** It has gone beyond a limit. What is packed must be looked at. */
  protected outgrow(): void {
    if (this.large === null) packed.isOutgrown = true;
    else this.large.isCompact = false;
  }
}

const singles: Collection<LargeForm>[] = [];

/**
 * Opens values for commands that work on one of this type: all share one object. To make one for each, whose class has a base, is something V8
 * cannot put into the code of the caller, and costs a tenth of an HSET. Lists do without: LPUSH and RPOP got slower by it.
 */
export function sharedBy<Value extends Collection<LargeForm>>(
  open: (keyspace: Keyspace, slot: Slot) => Value,
): (keyspace: Keyspace, slot: Slot) => Value {
  let shared: Value | null = null;
  return (keyspace, slot) => {
    if (shared === null) {
      shared = open(keyspace, slot);
      singles.push(shared);
    } else shared.turnTo(keyspace, slot);
    return shared;
  };
}

/** To be called between commands from time to time: what has been opened last may be removed, and must not be kept from being collected. */
export function letGoOfShared(): void {
  for (const value of singles) value.letGo();
}

/** Adds an entry of this type with nothing in it, for a key that is not there. */
export function emptyEntry(
  keyspace: Keyspace,
  type: ValueType,
  buffer: Buffer,
  start: number,
  end: number,
): Slot {
  const slot = keyspace.insert(buffer, start, end);
  keyspace.store.setType(slot, type);
  return slot;
}
