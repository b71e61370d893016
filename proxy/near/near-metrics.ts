import type { Metrics } from '../../lib/metrics/index.ts';
import type { NearCache } from './near-cache.ts';
import type { NamespaceFigures, NearCount } from './near-figures.ts';

const counters: readonly (readonly [NearCount, name: string, help: string])[] = [
  ['hits', 'ringside_proxy_near_hits_total', 'Reads answered from the near cache.'],
  [
    'staleHits',
    'ringside_proxy_near_stale_hits_total',
    'Reads answered from the near cache with a value past its soft time to live.',
  ],
  ['joined', 'ringside_proxy_near_joined_total', 'Reads answered by a fetch that another read had begun.'],
  [
    'bypasses',
    'ringside_proxy_near_bypasses_total',
    'Reads that a node was asked for though their namespace has a near cache.',
  ],
  ['fills', 'ringside_proxy_near_fills_total', 'Fetches of values to be kept.'],
  [
    'voidedFills',
    'ringside_proxy_near_voided_fills_total',
    'Fetches whose value was not kept because the key was changed or used otherwise meanwhile.',
  ],
  ['evictions', 'ringside_proxy_near_evictions_total', 'Values displaced by others before their time.'],
  [
    'drops',
    'ringside_proxy_near_drops_total',
    'Values dropped because their key was changed, or used otherwise.',
  ],
];

/** Adds the figures of the near cache of one thread, read at the scrape. */
export function registerNearMetrics(metrics: Metrics, near: NearCache): void {
  for (const [stat, name, help] of counters)
    metrics.observedCounter(name, help, () =>
      near.figures.all().map((one: NamespaceFigures) => ({
        labels: { namespace: one.namespace },
        value: one[stat],
      })),
    );
  metrics.observedGauge('ringside_proxy_near_bytes', 'Memory of the near cache.', () => near.size.bytes);
  metrics.observedGauge('ringside_proxy_near_entries', 'Values in the near cache.', () => near.size.entries);
  metrics.observedGauge('ringside_proxy_near_hot_keys', 'Keys that are hot now.', () => near.size.hotKeys);
}
