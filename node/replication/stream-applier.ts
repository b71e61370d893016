import type { Args } from '../../lib/codec/resp/index.ts';
import type { Keyspace } from '../keyspace.ts';

/** What a frame was: an effect of the stream (counted in the offset), a part of a snapshot, its end, or a request for the lease. */
export type Frame =
  | { readonly kind: 'effect' | 'snapshot' }
  | { readonly kind: 'snapshot end'; readonly offset: number }
  | { readonly kind: 'lease'; readonly epoch: number; readonly seq: number };

const EFFECT: Frame = { kind: 'effect' };
const SNAPSHOT: Frame = { kind: 'snapshot' };

/** The leader sent something this release does not understand. */
export class StreamError extends Error {}

/**
 * Applies what a leader sends to a follower's data set. Nothing is checked again and nothing is decided: what happened at the leader
 * happens here, with its versions and its expiries.
 */
export class StreamApplier {
  readonly #keyspace: Keyspace;
  #high = 0;
  #low = 0;

  constructor(keyspace: Keyspace) {
    this.#keyspace = keyspace;
  }

  /** Applies one frame. Throws StreamError. */
  apply(args: Args): Frame {
    if (args.equalsIgnoreCase(0, 'RS.SET')) return this.#set(args, EFFECT);
    if (args.equalsIgnoreCase(0, 'RS.SNAP')) return this.#set(args, SNAPSHOT);
    if (args.equalsIgnoreCase(0, 'RS.DEL')) return this.#delete(args);
    if (args.equalsIgnoreCase(0, 'RS.PEXPIREAT')) return this.#expire(args);
    if (args.equalsIgnoreCase(0, 'RS.APPEND')) return this.#append(args);
    if (args.equalsIgnoreCase(0, 'RS.LEASE')) {
      return { kind: 'lease', epoch: numberOf(args, 1, 3), seq: numberOf(args, 2, 3) };
    }
    if (args.equalsIgnoreCase(0, 'RS.FLUSHALL')) return this.#flush(args);
    if (args.equalsIgnoreCase(0, 'RS.SNAPEND')) {
      this.#observe(args, 2, 3);
      return { kind: 'snapshot end', offset: numberOf(args, 1, 3) };
    }
    throw new StreamError(`the leader sent ${args.latin1(0)}, which this node does not know`);
  }

  #set(args: Args, frame: Frame): Frame {
    const { store } = this.#keyspace;
    const { buffer } = args;
    const expiresAt = numberOf(args, 3, 5);
    this.#observe(args, 4, 5);
    const slot = this.#find(args) || store.insert(buffer, args.start(1), args.end(1));
    store.setBytes(slot, buffer, args.start(2), args.end(2));
    store.setExpiry(slot, expiresAt);
    store.setVersion(slot, this.#high, this.#low);
    store.touch(slot);
    return frame;
  }

  #delete(args: Args): Frame {
    this.#observe(args, 2, 3);
    const slot = this.#find(args);
    if (slot !== 0) this.#keyspace.store.remove(slot);
    return EFFECT;
  }

  #expire(args: Args): Frame {
    const expiresAt = numberOf(args, 2, 3);
    const slot = this.#find(args);
    if (slot !== 0) this.#keyspace.store.setExpiry(slot, expiresAt);
    return EFFECT;
  }

  #append(args: Args): Frame {
    const { store } = this.#keyspace;
    this.#observe(args, 3, 4);
    const slot = this.#find(args);
    // Before the snapshot has reached the key, it is not here; the snapshot brings the whole value.
    if (slot !== 0) {
      store.append(slot, args.buffer, args.start(2), args.end(2));
      store.setVersion(slot, this.#high, this.#low);
      store.touch(slot);
    }
    return EFFECT;
  }

  #flush(args: Args): Frame {
    this.#observe(args, 1, 2);
    this.#keyspace.store.clear();
    return EFFECT;
  }

  #find(args: Args): number {
    return this.#keyspace.store.find(args.buffer, args.start(1), args.end(1));
  }

  /** Reads the version in argument `i`: 16 hexadecimal digits. */
  #observe(args: Args, i: number, count: number): void {
    const start = args.start(i);
    if (args.count !== count || args.length(i) !== 16) throw new StreamError(`malformed ${args.latin1(0)}`);
    this.#high = hexWord(args.buffer, start);
    this.#low = hexWord(args.buffer, start + 8);
    this.#keyspace.versions.observe(this.#high, this.#low);
  }
}

function numberOf(args: Args, i: number, count: number): number {
  const value = args.count === count ? args.integer(i) : null;
  if (value === null || value < 0) throw new StreamError(`malformed ${args.latin1(0)}`);
  return value;
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
