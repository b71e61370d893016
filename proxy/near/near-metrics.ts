import type { Metrics } from '../../lib/metrics/index.ts';
import type { NearCache } from './near-cache.ts';
import type { NamespaceFigures, NearCount } from './near-figures.ts';

const counters: readonly (readonly [NearCount, name: string, help: string])[] = [
  ['hits', 'hits', 'Reads answered from the near cache.'],
  ['staleHits', 'stale_hits', 'Reads answered from the near cache with a value past its soft time to live.'],
  ['joined', 'joined', 'Reads answered by a fetch that another read had begun.'],
  ['bypasses', 'bypasses', 'Reads that a node was asked for though their namespace has a near cache.'],
  ['fills', 'fills', 'Fetches of values to be kept.'],
  [
    'voidedFills',
    'voided_fills',
    'Fetches whose value was not kept because the key was changed or used otherwise meanwhile.',
  ],
  ['evictions', 'evictions', 'Values displaced by others before their time.'],
  ['drops', 'drops', 'Values dropped because their key was changed, or used otherwise.'],
];

/** Adds the figures of the near cache of one thread, read at the scrape. */
export function registerNearMetrics(metrics: Metrics, near: NearCache): void {
  for (const [stat, name, help] of counters)
    metrics.observedCounter(`ringside_proxy_near_${name}_total`, help, () =>
      near.figures.all().map((one: NamespaceFigures) => ({
        labels: { namespace: one.namespace },
        value: one[stat],
      })),
    );
  metrics.observedGauge('ringside_proxy_near_bytes', 'Memory of the near cache.', () => near.size.bytes);
  metrics.observedGauge('ringside_proxy_near_entries', 'Values in the near cache.', () => near.size.entries);
  metrics.observedGauge('ringside_proxy_near_hot_keys', 'Keys that are hot now.', () => near.size.hotKeys);
}
