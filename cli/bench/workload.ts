import type { Random } from '../../lib/base/index.ts';
import { UsageError } from '../errors.ts';
import { get, mget, type Source, set } from './operation.ts';
import { Zipf } from './zipf.ts';

/** What is asked for: reads, writes, a mix, or reads of many keys at once. */
export interface Workload {
  /** Share of commands that read, 0 to 1. */
  readonly readShare: number;
  /** Keys of one MGET; 0: single GETs. */
  readonly keysPerRead: number;
}

const MAX_KEYS_PER_READ = 10_000;

/** Reads `get`, `set`, `mix:0.9` or `mget:100`. Throws UsageError on anything else. */
export function parseWorkload(text: string): Workload {
  const [name, amount] = text.split(':');
  const value = Number(amount);
  if (text === 'get') return { readShare: 1, keysPerRead: 0 };
  if (text === 'set') return { readShare: 0, keysPerRead: 0 };
  if (name === 'mix' && amount && value >= 0 && value <= 1) return { readShare: value, keysPerRead: 0 };
  if (name === 'mget' && Number.isInteger(value) && value >= 1 && value <= MAX_KEYS_PER_READ) {
    return { readShare: 1, keysPerRead: value };
  }
  throw new UsageError(
    `--workload ${text}: it is get, set, mix:SHARE_OF_READS (0 to 1) or mget:KEYS (1 to ${MAX_KEYS_PER_READ})`,
  );
}

/** Which keys a generated workload uses, and how big their values are. */
export interface KeySpace {
  readonly keys: number;
  readonly valueBytes: number;
  /** Exponent of a Zipf distribution; undefined: every key alike. */
  readonly zipf?: number;
}

/** Name of key `n`. */
export function keyName(n: number): string {
  return `bench:${n}`;
}

/** A source that makes commands up, without end. */
export function generate(workload: Workload, space: KeySpace, random: Random): Source {
  const zipf = space.zipf === undefined ? null : new Zipf(space.keys, space.zipf, random);
  const pick = zipf ? () => keyName(zipf.next()) : () => keyName(random.int(space.keys));
  const { readShare, keysPerRead } = workload;
  const next = () => {
    if (readShare < 1 && (readShare === 0 || random.next() >= readShare))
      return set(pick(), space.valueBytes);
    if (keysPerRead === 0) return get(pick(), space.valueBytes);
    return mget(Array.from({ length: keysPerRead }, pick));
  };
  return { next, followUp: () => null, failed: () => {} };
}

/** A source that writes every key of a space once. */
export function fill(space: KeySpace): Source {
  let written = 0;
  const next = () => (written < space.keys ? set(keyName(written++), space.valueBytes) : null);
  return { next, followUp: () => null, failed: () => {} };
}
