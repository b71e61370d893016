import type { Keyspace } from '../keyspace.ts';
import type { Slot } from '../store/index.ts';

/** Versions up to 2^53 are numbers. */
const EXACT_HIGH = 2 ** 21;

/** A version in decimal. */
export function versionText(high: number, low: number): string {
  if (high < EXACT_HIGH) return String(high * 2 ** 32 + low);
  return ((BigInt(high) << 32n) | BigInt(low)).toString();
}

/** The version of an entry in decimal, 0 for none. */
export function versionOf({ store }: Keyspace, slot: Slot): string {
  return slot === 0 ? '0' : versionText(store.versionHigh(slot), store.versionLow(slot));
}
