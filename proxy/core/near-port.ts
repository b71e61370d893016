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

/** Answers reads from the proxy's own memory. */
export interface NearPort extends ReadPort {
  /** Memory taken by this thread's, entries in it, and keys that are hot by now. */
  readonly size: NearSize;
  /** What is known of the key in this thread. */
  stateOf(key: Buffer): NearState;
}
