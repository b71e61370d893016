/** What one command does. */
export const GET = 0;
export const SET = 1;
export const MGET = 2;

/** One command to send. */
export interface Operation {
  readonly kind: typeof GET | typeof SET | typeof MGET;
  /** The key of GET and SET. ASCII. */
  readonly key: string;
  /** The keys of MGET, null otherwise. */
  readonly keys: readonly string[] | null;
  /** Size of the value: what SET writes, and what a look-aside client writes after a miss of GET. */
  readonly valueBytes: number;
  /** When it was due, on the monotonic clock: with a rate the intended time, else when it was sent. */
  startMs: number;
}

/** What a source says that has a next command, but not before one of those under way is answered. */
export const LATER = 'later';

/** Where commands come from. */
export interface Source {
  /** The next command, `LATER`, or null when there is none any more. */
  next(): Operation | typeof LATER | null;
  /** `operation` was answered: what follows from that, to be sent as soon as possible (the SET after a miss), or null. */
  followUp(operation: Operation, hits: number): Operation | null;
  /** `operation` failed: nothing follows. */
  failed(operation: Operation): void;
}

export function get(key: string, valueBytes: number): Operation {
  return { kind: GET, key, keys: null, valueBytes, startMs: 0 };
}

export function set(key: string, valueBytes: number): Operation {
  return { kind: SET, key, keys: null, valueBytes, startMs: 0 };
}

export function mget(keys: readonly string[]): Operation {
  return { kind: MGET, key: '', keys, valueBytes: 0, startMs: 0 };
}
