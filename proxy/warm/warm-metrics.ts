import type { Metrics } from '../../lib/metrics/index.ts';
import type { WarmCount } from './warm-figures.ts';
import type { WarmUp } from './warm-up.ts';

const counters: readonly (readonly [WarmCount, name: string, help: string])[] = [
  [
    'hits',
    'ringside_proxy_warm_up_hits_total',
    'Reads during the warm-up that found what they wanted in the new cluster.',
  ],
  ['warmed', 'ringside_proxy_warm_up_warmed_total', 'Keys that the new cluster missed and the old one had.'],
  ['misses', 'ringside_proxy_warm_up_misses_total', 'Keys that neither cluster had.'],
  [
    'outdated',
    'ringside_proxy_warm_up_outdated_total',
    'Looks into the old cluster not made, or not used, since the key was written or deleted.',
  ],
  ['added', 'ringside_proxy_warm_up_added_total', 'Values put into the new cluster.'],
  ['addedBytes', 'ringside_proxy_warm_up_added_bytes_total', 'Bytes of these values.'],
  [
    'overRate',
    'ringside_proxy_warm_up_over_rate_total',
    'Values not put in since warmUp.ratePerSecond was reached.',
  ],
  ['late', 'ringside_proxy_warm_up_late_total', 'Values not let in since their key was written meanwhile.'],
  [
    'unstored',
    'ringside_proxy_warm_up_unstored_total',
    'Values that could not be put in for another reason.',
  ],
  ['failures', 'ringside_proxy_warm_up_failures_total', 'Looks into the old cluster that failed.'],
  [
    'queueFull',
    'ringside_proxy_warm_up_queue_full_total',
    'Keys not looked for since too many waited (warmUp.maxQueued), or for too long.',
  ],
];

/** Adds the figures of the warm-up of one thread, read at the scrape. */
export function registerWarmMetrics(metrics: Metrics, warmUp: WarmUp): void {
  for (const [count, name, help] of counters) metrics.observedCounter(name, help, () => warmUp.counts[count]);
}
