import type { Metrics } from '../../lib/metrics/index.ts';
import type { BalanceCount, BalanceCounts } from './balance-figures.ts';
import type { BoundedLoad } from './bounded-load.ts';

const READS: readonly (readonly [BalanceCount, to: string])[] = [
  ['leaderReads', 'leader'],
  ['followerReads', 'follower'],
  ['overflowReads', 'overflow'],
];
const FAILED: readonly (readonly [BalanceCount, reason: string])[] = [
  ['refused', 'older'],
  ['missed', 'no-copy'],
  ['lost', 'no-answer'],
  ['recalled', 'key-used'],
];
const COPIES: readonly (readonly [BalanceCount, outcome: string])[] = [
  ['copied', 'taken'],
  ['notCopied', 'not-taken'],
];

/** Adds the figures of bounded load of one thread, read at the scrape. */
export function registerBalanceMetrics(metrics: Metrics, balance: BoundedLoad): void {
  const each = (names: readonly (readonly [BalanceCount, string])[], label: string) => () =>
    names.map(([name, value]) => ({
      labels: { [label]: value },
      value: (balance.figures as Readonly<BalanceCounts>)[name],
    }));
  metrics.observedCounter(
    'ringside_proxy_balance_reads_total',
    'Reads of keys that are spread, by who answered.',
    each(READS, 'by'),
  );
  metrics.observedCounter(
    'ringside_proxy_balance_retreats_total',
    'Reads placed elsewhere that went to the leader after all, by why.',
    each(FAILED, 'reason'),
  );
  metrics.observedCounter(
    'ringside_proxy_balance_copies_total',
    'Copies sent to overflow shards.',
    each(COPIES, 'outcome'),
  );
  metrics.observedGauge(
    'ringside_proxy_balance_load',
    'Commands of the last second and in flight at a node, as one thread knows it.',
    () => balance.loads().map(({ node, load }) => ({ labels: { node }, value: load })),
  );
}
