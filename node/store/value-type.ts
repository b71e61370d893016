/** What a value is. */
export type ValueType = 0 | 1 | 2 | 3 | 4;
export const STRING = 0;
export const LIST = 1;
export const SET = 2;
export const ZSET = 3;
export const HASH = 4;

/** Redis's names of the types, by their number. */
export const typeNames: readonly string[] = Object.freeze(['string', 'list', 'set', 'zset', 'hash']);

/** A value too large for the store's own bytes. The store asks for its size and nothing else. */
export interface StoredObject {
  /** Bytes it takes, on and off the JavaScript heap. */
  readonly bytes: number;
}
