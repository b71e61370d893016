import type { Metrics } from '../../lib/metrics/index.ts';
import type { FillFigure, OriginFigures } from './figures.ts';
import type { Fills } from './fills.ts';

const results: readonly (readonly [FillFigure, result: string])[] = [
  ['values', 'value'],
  ['absences', 'absent'],
  ['failures', 'failure'],
  ['timeouts', 'timeout'],
];

const counters: readonly (readonly [FillFigure, name: string, help: string])[] = [
  ['refused', 'ringside_proxy_origin_refused_total', 'Fetches not made since the circuit breaker was open.'],
  ['queueFull', 'ringside_proxy_origin_queue_full_total', 'Fetches not made since too many waited.'],
  ['joined', 'ringside_proxy_origin_joined_total', 'Reads that waited for a fill that another had begun.'],
  ['gaveUp', 'ringside_proxy_origin_gave_up_total', 'Reads whose time was over before their key was filled.'],
  ['stale', 'ringside_proxy_origin_stale_total', 'Reads answered with a stale value.'],
  ['refreshes', 'ringside_proxy_origin_refreshes_total', 'Stale values that were fetched anew.'],
  [
    'earlyRefreshes',
    'ringside_proxy_origin_early_refreshes_total',
    'Values fetched anew at random before they were stale.',
  ],
  [
    'late',
    'ringside_proxy_origin_late_total',
    'Values not let in since their key was written meanwhile, or their lease was over.',
  ],
  ['unstored', 'ringside_proxy_origin_unstored_total', 'Values that could not be stored for another reason.'],
];

/** Adds the figures of the origins of one thread, read at the scrape. */
export function registerFillMetrics(metrics: Metrics, fills: Fills): void {
  const each = (value: (figures: OriginFigures) => number) => () =>
    fills.figures.map((one) => ({ labels: { namespace: one.namespace }, value: value(one) }));
  metrics.observedCounter(
    'ringside_proxy_origin_requests_total',
    'Requests to origins, by how they ended.',
    () =>
      fills.figures.flatMap(({ namespace, counts }) =>
        results.map(([figure, result]) => ({ labels: { namespace, result }, value: counts[figure] })),
      ),
  );
  for (const [figure, name, help] of counters)
    metrics.observedCounter(
      name,
      help,
      each(({ counts }) => counts[figure]),
    );
  metrics.observedGauge(
    'ringside_proxy_origin_in_flight',
    'Requests to origins now.',
    each(({ inFlight }) => inFlight),
  );
  metrics.observedGauge(
    'ringside_proxy_origin_queued',
    'Keys that wait for their turn at the origin.',
    each(({ queued }) => queued),
  );
  metrics.observedGauge(
    'ringside_proxy_origin_breaker_open',
    'Threads whose circuit breaker of the origin is not closed.',
    each(({ breaker }) => (breaker === 'closed' ? 0 : 1)),
  );
}
