import { type BalanceState, NO_BALANCE } from '../core/balance-port.ts';

/** What is counted. */
const NAMES = [
  /** Reads of keys that are spread, by who answered. */
  'leaderReads',
  'followerReads',
  'overflowReads',
  /** Answers from elsewhere that were older than what had been read, or that could not be judged. */
  'refused',
  /** Overflow shards that had no copy. */
  'missed',
  /** Placed elsewhere, and not answered there. */
  'lost',
  /** Placed elsewhere, and sent to the leader after all since the key was used otherwise. */
  'recalled',
  /** Copies that overflow shards have taken, and that they have not. */
  'copied',
  'notCopied',
] as const;
export type BalanceCount = (typeof NAMES)[number];

/** What bounded load did, in one thread. */
export type BalanceCounts = Record<BalanceCount, number>;

/** All zero. */
export function noCounts(): BalanceCounts {
  return Object.fromEntries(NAMES.map((name) => [name, 0])) as BalanceCounts;
}

/** The counts of several threads together. */
export function sumOfCounts(counts: readonly BalanceCounts[]): BalanceCounts {
  const sum = noCounts();
  for (const one of counts) for (const name of NAMES) sum[name] += one[name];
  return sum;
}

/** What the thread says that spreads the key, if one does. */
export function mostDecided(states: readonly BalanceState[]): BalanceState {
  const isElsewhere = ({ decision }: BalanceState) => decision === 'follower' || decision === 'overflow';
  return states.find(isElsewhere) ?? states.find(({ decision }) => decision !== 'off') ?? NO_BALANCE;
}
