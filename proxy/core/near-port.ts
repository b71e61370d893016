import type { KeysAhead } from '../../lib/store/index.ts';
import type { ReadPort } from './read-port.ts';

/** How large a near cache is. */
export interface NearSize {
  readonly bytes: number;
  readonly entries: number;
  readonly hotKeys: number;
}

/** What a near cache knows of a key. */
export interface NearState {
  /** off: the key's namespace has none. pass: the key holds what is not kept. */
  readonly state: 'off' | 'absent' | 'filling' | 'value' | 'miss' | 'pass';
  /** Milliseconds since a node was asked; 0 unless there is something. */
  readonly ageMs: number;
}

/** Of a proxy that keeps nothing. */
export const NO_NEAR_CACHE: NearState = { state: 'off', ageMs: 0 };

/** A value as a bulk string of RESP, `bytes[start, end)`; nothing of a key that does not exist. Good until the near cache is used again. */
export interface KeptValue {
  readonly bytes: Buffer;
  /** Of the same memory, if there is one. */
  readonly view: DataView | null;
  readonly start: number;
  readonly end: number;
}

/** Replies to GETs that came one behind the other. Good until the near cache is used again. */
export interface KeptRun {
  /** How many there are, and how long the GETs were. */
  readonly commands: number;
  readonly inputBytes: number;
  /** The replies are `bytes[start, end)`. */
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/** A read of several keys, whose reply has an element for each. */
export type ReadOfMany = 'MGET' | 'RS.MGET' | 'RS.MCGET' | 'RS.MCGETS';

/** Tells of the keys of one command whose values need not be fetched, or are to be fetched alone. */
export interface KeptKeys {
  /** The element of the reply for the key `buffer[start, end)`, in memory of its own; null: it is not at hand. */
  look(buffer: Buffer, start: number, end: number): Buffer | null;
  /** Whether a key that is not at hand is asked for alone, since that can be answered for many at once. */
  isWanted(buffer: Buffer, start: number, end: number): boolean;
}

/** Answers reads from the proxy's own memory. */
export interface NearPort extends ReadPort {
  /** Memory taken by this thread's, entries in it, and keys that are hot by now. */
  readonly size: NearSize;
  /** What is known of the key in this thread. */
  stateOf(key: Buffer): NearState;
  /** These keys will be looked for: reads the memory that this takes now, for all of them at once. Changes nothing. */
  lookAhead(keys: KeysAhead): void;
  /**
   * What a GET of the key `buffer[start, end)` in database 0 can be answered with now, for a client that goes no way of its own to the nodes; or null.
   * `isNext`: then it becomes a request, which is submitted next.
   */
  look(buffer: Buffer, start: number, end: number, nowMs: number, isNext: boolean): KeptValue | null;
  /**
   * Answers the GETs that `buffer[from, to)` begins with, one frame behind the other and at most so many, from the first up to one that needs `look`, each as if it
   * had gone there; the client is as for `look`. Null: there is none. The bytes must stay as they are until `forgetInput`.
   */
  answerRun(buffer: Buffer, from: number, to: number, most: number, nowMs: number): KeptRun | null;
  /** What `answerRun` was given may change now. */
  forgetInput(): void;
  /**
   * What is kept of the keys of such a read in database 0, as its reply has it in this version of RESP, for a client as for `look`: to be asked at once, before
   * the next one is.
   */
  keptFor(name: ReadOfMany, protocol: 2 | 3, nowMs: number): KeptKeys;
}
