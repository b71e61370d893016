import type { Args } from '../../lib/codec/resp/index.ts';
import type { Databases } from '../databases.ts';
import type { Keyspace } from '../keyspace.ts';
import type { Slot } from '../store/index.ts';
import { restoreEntry } from '../values/serialize.ts';
import type { Replayer } from './replayer.ts';

/**
 * What a frame was: an effect of the stream (counted in the offset), the announcement of several that belong together (counted too), a part of
 * a snapshot, its end, or a request for the lease.
 */
export type Frame =
  | { readonly kind: 'unit'; readonly bytes: number }
  | { readonly kind: 'effect' | 'snapshot' }
  | { readonly kind: 'snapshot end'; readonly offset: number }
  | { readonly kind: 'lease'; readonly epoch: number; readonly seq: number };

const EFFECT: Frame = { kind: 'effect' };
const SNAPSHOT: Frame = { kind: 'snapshot' };
/** Where the command of an RS.CALL begins. */
const CALLED = 3;
/** And of an RS.SNAPCALL. */
const SNAP_CALLED = 2;

/** The leader sent something this release does not understand. */
export class StreamError extends Error {}

/**
 * Applies what a leader sends to a follower's data set. Nothing is checked again and nothing is decided: what happened at the leader
 * happens here, with its versions and its expiries.
 */
export class StreamApplier {
  readonly #databases: Databases;
  readonly #replayer: Replayer;
  #high = 0;
  #low = 0;
  /** Until the snapshot has brought a key, a command on it may find something else than the leader did. */
  isSyncing = false;

  constructor(databases: Databases, replayer: Replayer) {
    this.#databases = databases;
    this.#replayer = replayer;
  }

  /** Applies one frame. Throws StreamError. */
  apply(args: Args): Frame {
    const { data } = this.#databases;
    this.#databases.maintain();
    data.isReplaying = true;
    try {
      return this.#apply(args);
    } finally {
      data.isReplaying = false;
    }
  }

  #apply(args: Args): Frame {
    if (args.equalsIgnoreCase(0, 'RS.PUT')) return this.#set(args, EFFECT);
    if (args.equalsIgnoreCase(0, 'RS.SNAP')) return this.#set(args, SNAPSHOT);
    if (args.equalsIgnoreCase(0, 'RS.CALL')) return this.#call(args);
    if (args.equalsIgnoreCase(0, 'RS.REMOVE')) return this.#delete(args);
    if (args.equalsIgnoreCase(0, 'RS.PEXPIREAT')) return this.#expire(args);
    if (args.equalsIgnoreCase(0, 'RS.APPEND')) return this.#append(args);
    if (args.equalsIgnoreCase(0, 'RS.RESTORE')) return this.#restore(args, EFFECT);
    if (args.equalsIgnoreCase(0, 'RS.SNAPRESTORE')) return this.#restore(args, SNAPSHOT);
    if (args.equalsIgnoreCase(0, 'RS.SNAPCALL')) return this.#snapCall(args);
    if (args.equalsIgnoreCase(0, 'RS.LEASE')) {
      return { kind: 'lease', epoch: numberOf(args, 1), seq: numberOf(args, 2) };
    }
    if (args.equalsIgnoreCase(0, 'RS.UNIT')) return { kind: 'unit', bytes: unitBytes(args) };
    if (args.equalsIgnoreCase(0, 'RS.FLUSH')) return this.#flush(args);
    if (args.equalsIgnoreCase(0, 'RS.SNAPEND')) {
      this.#observe(args, 2);
      return { kind: 'snapshot end', offset: numberOf(args, 1) };
    }
    throw new StreamError(`the leader sent ${args.latin1(0)}, which this node does not know`);
  }

  #set(args: Args, frame: Frame): Frame {
    const keyspace = this.#keyspaceOf(args, 5);
    const { buffer } = args;
    const expiresAt = numberOf(args, 3);
    const slot = this.#find(keyspace, args) || keyspace.insert(buffer, args.start(1), args.end(1));
    keyspace.setBytes(slot, buffer, args.start(2), args.end(2), expiresAt);
    this.#setVersion(keyspace, args, 4);
    return frame;
  }

  #restore(args: Args, frame: Frame): Frame {
    const keyspace = this.#keyspaceOf(args, 5);
    const expiresAt = numberOf(args, 3);
    const former = this.#find(keyspace, args);
    if (former !== 0) keyspace.remove(former);
    const slot = restoreEntry(keyspace, args.buffer, args.start(1), args.end(1), args.bytes(2));
    keyspace.modified(slot);
    if (expiresAt !== 0) keyspace.setExpiry(slot, expiresAt);
    this.#setVersion(keyspace, args, 4);
    return frame;
  }

  #call(args: Args): Frame {
    if (args.count <= CALLED) throw new StreamError(`malformed ${args.latin1(0)}`);
    const keyspace = this.#databaseOf(args, 1);
    const keyAt = this.#replayer.call(keyspace.index, args, CALLED);
    // On a key that the snapshot has not brought yet, a command may fail; the snapshot brings the whole value.
    if (typeof keyAt === 'string' && !this.isSyncing) throw new StreamError(keyAt);
    this.#observe(args, 2);
    if (typeof keyAt === 'string' || keyAt === 0) return EFFECT;
    const slot = keyspace.store.find(args.buffer, args.start(keyAt), args.end(keyAt));
    if (slot !== 0) keyspace.store.setVersion(slot, this.#high, this.#low);
    return EFFECT;
  }

  #snapCall(args: Args): Frame {
    if (args.count <= SNAP_CALLED) throw new StreamError(`malformed ${args.latin1(0)}`);
    const problem = this.#replayer.call(this.#databaseOf(args, 1).index, args, SNAP_CALLED);
    if (typeof problem === 'string') throw new StreamError(problem);
    return SNAPSHOT;
  }

  #delete(args: Args): Frame {
    const keyspace = this.#keyspaceOf(args, 3);
    const slot = this.#find(keyspace, args);
    if (slot !== 0) keyspace.remove(slot);
    this.#observe(args, 2);
    return EFFECT;
  }

  #expire(args: Args): Frame {
    const keyspace = this.#keyspaceOf(args, 3);
    const expiresAt = numberOf(args, 2);
    const slot = this.#find(keyspace, args);
    if (slot !== 0) keyspace.setExpiry(slot, expiresAt);
    return EFFECT;
  }

  #append(args: Args): Frame {
    const keyspace = this.#keyspaceOf(args, 4);
    const slot = this.#find(keyspace, args);
    // Before the snapshot has reached the key, it is not here; the snapshot brings the whole value.
    if (slot === 0) {
      this.#observe(args, 3);
      return EFFECT;
    }
    keyspace.append(slot, args.buffer, args.start(2), args.end(2));
    this.#setVersion(keyspace, args, 3);
    return EFFECT;
  }

  #flush(args: Args): Frame {
    const keyspace = this.#keyspaceOf(args, 2);
    keyspace.clear();
    this.#observe(args, 1);
    return EFFECT;
  }

  /** The database of a frame that has `count` arguments in database 0. */
  #keyspaceOf(args: Args, count: number): Keyspace {
    if (args.count === count) return this.#databases.at(0);
    if (args.count === count + 1) return this.#databaseOf(args, count);
    throw new StreamError(`malformed ${args.latin1(0)}`);
  }

  #databaseOf(args: Args, i: number): Keyspace {
    const index = numberOf(args, i);
    if (index >= this.#databases.count) throw new StreamError(`the leader has a database ${index}`);
    return this.#databases.at(index);
  }

  /** Finds the key; also when its time is over, since the leader says when it goes. */
  #find(keyspace: Keyspace, args: Args): Slot {
    return keyspace.store.find(args.buffer, args.start(1), args.end(1));
  }

  #setVersion(keyspace: Keyspace, args: Args, i: number): void {
    this.#observe(args, i);
    const slot = this.#find(keyspace, args);
    keyspace.store.setVersion(slot, this.#high, this.#low);
    keyspace.store.touch(slot);
  }

  /** Reads the version in argument `i`: 16 hexadecimal digits. */
  #observe(args: Args, i: number): void {
    if (i >= args.count || args.length(i) !== 16) throw new StreamError(`malformed ${args.latin1(0)}`);
    const start = args.start(i);
    this.#high = hexWord(args.buffer, start);
    this.#low = hexWord(args.buffer, start + 8);
    this.#databases.data.versions.observe(this.#high, this.#low);
  }
}

function numberOf(args: Args, i: number): number {
  const value = i < args.count ? args.integer(i) : null;
  if (value === null || value < 0) throw new StreamError(`malformed ${args.latin1(0)}`);
  return value;
}

function unitBytes(args: Args): number {
  if (args.count !== 2 || args.length(1) !== 16) throw new StreamError('malformed RS.UNIT');
  return hexWord(args.buffer, args.start(1)) * 2 ** 32 + hexWord(args.buffer, args.start(1) + 8);
}

/** Eight hexadecimal digits, as `FrameWriter` writes them. */
function hexWord(buffer: Buffer, start: number): number {
  let word = 0;
  for (let i = start; i < start + 8; i++) {
    const byte = buffer[i];
    word = (word << 4) | (byte <= 0x39 ? byte - 0x30 : byte - 0x57);
  }
  return word >>> 0;
}
