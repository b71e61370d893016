import type { Metrics } from '../../lib/metrics/index.ts';
import type { Shadow } from './shadow.ts';
import type { ShadowCount } from './shadow-figures.ts';

const results: readonly ShadowCount[] = ['equal', 'different', 'failed', 'uncompared'];

/** Adds the figures of the shadowing of one thread, read at the scrape. */
export function registerShadowMetrics(metrics: Metrics, shadow: Shadow): void {
  metrics.observedCounter(
    'ringside_proxy_shadow_commands_total',
    'Commands that another cluster has answered too, by what came of it.',
    () => results.map((result) => ({ labels: { result }, value: shadow.counts[result] })),
  );
  metrics.observedCounter(
    'ringside_proxy_shadow_sent_total',
    'Commands sent to the other cluster too.',
    () => shadow.counts.sent,
  );
  metrics.observedCounter(
    'ringside_proxy_shadow_dropped_total',
    'Commands not sent to the other cluster since too much waited for it (shadow.maxInFlight, shadow.maxInFlightBytes).',
    () => shadow.counts.dropped,
  );
  metrics.observedCounter(
    'ringside_proxy_shadow_unsupported_total',
    'Commands not sent to the other cluster since its engine does not have them, or its shards do not have their keys together.',
    () => shadow.counts.unsupported,
  );
  metrics.observedGauge(
    'ringside_proxy_shadow_in_flight',
    'Commands that the other cluster has not answered.',
    () => shadow.inFlight,
  );
}
