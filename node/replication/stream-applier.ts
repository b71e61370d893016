import type { Args } from '../../lib/codec/resp/index.ts';
import { NOTIFY_GENERIC, NOTIFY_STRING } from '../data-set.ts';
import type { Databases } from '../databases.ts';
import type { Keyspace } from '../keyspace.ts';
import type { Slot } from '../store/index.ts';
import { restoreEntry } from '../values/serialize.ts';
import { isMetadata, readMetadata } from './metadata.ts';
import type { Replayer } from './replayer.ts';
import type { StreamPosition } from './stream-position.ts';

/**
 * What a command of the stream asks of whoever follows it: nothing beyond its effect; that MULTI or EXEC be heeded; an acknowledgement at
 * once; the lease of a shard epoch; or that the follower of this id take note that it is level.
 */
export type Asked =
  | { readonly kind: 'nothing' | 'multi' | 'exec' | 'acknowledgement' }
  | { readonly kind: 'lease'; readonly epoch: number; readonly seq: number }
  | { readonly kind: 'level'; readonly id: string };

const NOTHING: Asked = { kind: 'nothing' };
const MULTI: Asked = { kind: 'multi' };
const EXEC: Asked = { kind: 'exec' };
const ACKNOWLEDGEMENT: Asked = { kind: 'acknowledgement' };

/** The leader sent something this release does not understand. */
export class StreamError extends Error {}

/**
 * Applies what a leader sends to a follower's data set. Nothing is checked again and nothing is decided: what happened at the leader
 * happens here, with its expiries and, from a node, its versions.
 */
export class StreamApplier {
  readonly #databases: Databases;
  readonly #replayer: Replayer;
  readonly #position: StreamPosition;
  /** The leader is a node: its metadata counts. A redis-server passes on what any of its clients publishes. */
  isFromNode = true;

  constructor(databases: Databases, replayer: Replayer) {
    this.#databases = databases;
    this.#replayer = replayer;
    this.#position = databases.data.log.position;
  }

  /** Applies one command. Throws StreamError. */
  apply(args: Args): Asked {
    const { data } = this.#databases;
    this.#databases.maintain();
    data.isReplaying = true;
    try {
      return this.#apply(args);
    } finally {
      data.isReplaying = false;
    }
  }

  #apply(args: Args): Asked {
    const { count } = args;
    const first = args.length(0);
    if (first === 3 && count === 3 && args.equalsIgnoreCase(0, 'SET')) return this.#set(args, 0);
    if (first === 3 && count === 5 && args.equalsIgnoreCase(0, 'SET') && args.equalsIgnoreCase(3, 'PXAT')) {
      return this.#set(args, timeOf(args, 4));
    }
    if (first === 3 && count === 2 && args.equalsIgnoreCase(0, 'DEL')) return this.#remove(args);
    if (first === 9 && count === 3 && args.equalsIgnoreCase(0, 'PEXPIREAT')) {
      return this.#expire(args, timeOf(args, 2));
    }
    if (first === 7 && count === 2 && args.equalsIgnoreCase(0, 'PERSIST')) return this.#expire(args, 0);
    if (first === 7 && count === 6 && args.equalsIgnoreCase(0, 'RESTORE')) return this.#restore(args);
    if (this.isFromNode && isMetadata(args)) return this.#metadata(args);
    return this.#applyControl(args) ?? this.#call(args);
  }

  /** What is about the stream itself; null for anything else. */
  #applyControl(args: Args): Asked | null {
    if (args.equalsIgnoreCase(0, 'SELECT')) return this.#select(args);
    if (args.equalsIgnoreCase(0, 'MULTI')) return MULTI;
    if (args.equalsIgnoreCase(0, 'EXEC')) return EXEC;
    if (args.equalsIgnoreCase(0, 'PING')) return NOTHING;
    if (args.equalsIgnoreCase(0, 'REPLCONF')) return ACKNOWLEDGEMENT;
    if (!args.equalsIgnoreCase(0, 'PUBLISH') && !args.equalsIgnoreCase(0, 'SPUBLISH')) return null;
    this.#replay(args);
    return NOTHING;
  }

  #select(args: Args): Asked {
    const index = args.count === 2 ? args.integer(1) : null;
    if (index === null || index < 0) throw malformed(args);
    if (index >= this.#databases.count) throw new StreamError(`the leader has a database ${index}`);
    this.#position.database = index;
    return NOTHING;
  }

  #metadata(args: Args): Asked {
    const metadata = readMetadata(args);
    if (metadata === null) throw malformed(args);
    if (metadata.kind === 'version') {
      this.#position.expect(metadata.high, metadata.low);
      return NOTHING;
    }
    const command = metadata.args;
    if (command.equalsIgnoreCase(0, 'RS.LEASE')) {
      return { kind: 'lease', epoch: numberOf(command, 1), seq: numberOf(command, 2) };
    }
    if (command.equalsIgnoreCase(0, 'RS.LEVEL') && command.count === 2) {
      return { kind: 'level', id: command.utf8(1) };
    }
    if (command.equalsIgnoreCase(0, 'RS.PURGING')) {
      this.#databases.data.versions.observe(numberOf(command, 1), numberOf(command, 2));
    }
    this.#replay(command);
    return NOTHING;
  }

  /** Executes the command; returns the index of its first key, 0 for none. */
  #replay(args: Args): number {
    const keyAt = this.#replayer.call(this.#keyspace.index, args);
    if (typeof keyAt === 'string') throw new StreamError(keyAt);
    return keyAt;
  }

  #set(args: Args, expiresAt: number): Asked {
    const keyspace = this.#keyspace;
    const { buffer } = args;
    const slot = find(keyspace, args, 1) || keyspace.insert(buffer, args.start(1), args.end(1));
    keyspace.setBytes(slot, buffer, args.start(2), args.end(2), expiresAt);
    notify(keyspace, NOTIFY_STRING, 'set', args);
    if (expiresAt !== 0) notify(keyspace, NOTIFY_GENERIC, 'expire', args);
    this.#renew(keyspace, args, 1);
    return NOTHING;
  }

  /** `RESTORE key ttl payload REPLACE ABSTTL`; with other options it is a command like others. */
  #restore(args: Args): Asked {
    if (!args.equalsIgnoreCase(4, 'REPLACE') || !args.equalsIgnoreCase(5, 'ABSTTL')) return this.#call(args);
    const keyspace = this.#keyspace;
    const expiresAt = timeOf(args, 2);
    const former = find(keyspace, args, 1);
    const { versions } = keyspace;
    const { high, low } = versions;
    if (former !== 0) keyspace.remove(former);
    // The two are one change.
    versions.high = high;
    versions.low = low;
    const slot = restoreEntry(keyspace, args.buffer, args.start(1), args.end(1), args.bytes(3));
    keyspace.modified(slot);
    if (expiresAt !== 0) keyspace.setExpiry(slot, expiresAt);
    notify(keyspace, NOTIFY_GENERIC, 'restore', args);
    this.#renew(keyspace, args, 1);
    return NOTHING;
  }

  /** Any other command. What it takes of the clock of versions is nobody's where the leader says them. */
  #call(args: Args): Asked {
    const { versions } = this.#databases.data;
    const { high, low } = versions;
    const keyAt = this.#replay(args);
    if (this.isFromNode) {
      versions.high = high;
      versions.low = low;
    }
    this.#renew(this.#keyspace, args, keyAt);
    return NOTHING;
  }

  #remove(args: Args): Asked {
    const keyspace = this.#keyspace;
    const slot = find(keyspace, args, 1);
    if (slot !== 0) {
      keyspace.remove(slot);
      notify(keyspace, NOTIFY_GENERIC, 'del', args);
    }
    this.#renew(keyspace, args, 0);
    return NOTHING;
  }

  #expire(args: Args, atMs: number): Asked {
    const keyspace = this.#keyspace;
    const slot = find(keyspace, args, 1);
    if (slot === 0) return NOTHING;
    keyspace.setExpiry(slot, atMs);
    notify(keyspace, NOTIFY_GENERIC, atMs === 0 ? 'persist' : 'expire', args);
    return NOTHING;
  }

  get #keyspace(): Keyspace {
    return this.#databases.at(Math.max(0, this.#position.database));
  }

  /** The command has happened: the key of argument `keyAt` (0: none) has the stream's next version. */
  #renew(keyspace: Keyspace, args: Args, keyAt: number): void {
    const { versions } = this.#databases.data;
    if (!this.isFromNode) {
      this.#position.moveTo(versions.high, versions.low);
      return;
    }
    this.#position.step();
    const { high, low } = this.#position;
    versions.observe(high, low);
    const slot = keyAt === 0 ? 0 : find(keyspace, args, keyAt);
    if (slot === 0) return;
    keyspace.store.setVersion(slot, high, low);
    keyspace.store.touch(slot);
  }
}

/** Finds the key; also when its time is over, since the leader says when it goes. */
function find(keyspace: Keyspace, args: Args, i: number): Slot {
  return keyspace.store.find(args.buffer, args.start(i), args.end(i));
}

/** Tells clients of this node that the key in argument 1 had this event. */
function notify(keyspace: Keyspace, kind: number, event: string, args: Args): void {
  keyspace.notify(kind, event, args.buffer, args.start(1), args.end(1));
}

function numberOf(args: Args, i: number): number {
  const value = i < args.count ? args.integer(i) : null;
  if (value === null || value < 0) throw malformed(args);
  return value;
}

/** Unix milliseconds, which may be beyond the numbers that can be told apart. */
function timeOf(args: Args, i: number): number {
  const value = args.integer(i) ?? args.bigint(i);
  if (value === null || value < 0) throw malformed(args);
  return Number(value);
}

function malformed(args: Args): StreamError {
  return new StreamError(`malformed ${args.latin1(0)}`);
}
