import {
  type CountedDurations,
  durationBuckets,
  durationsOf,
  type Metrics,
  type ObservedHistogram,
  secondsHistogram,
} from '../../lib/metrics/index.ts';
import type { NodeFigure } from '../core/node-figures.ts';
import type { LimitLog } from '../health/index.ts';
import type { CommandFigure } from './command-figures.ts';

/** Adds the figures of one thread, read at the scrape. */
export function registerThreadMetrics(
  metrics: Metrics,
  commands: () => readonly CommandFigure[],
  nodes: () => readonly NodeFigure[],
): void {
  const byCommand = ({ listener, command }: CommandFigure) => ({ listener, command });
  const byNode = ({ shard, node }: NodeFigure) => ({ shard, node });
  metrics.observedHistogram(
    'ringside_proxy_command_seconds',
    'How long commands took, from their bytes being read until the reply left.',
    () => commands().map((figure) => observed(byCommand(figure), figure.durations)),
  );
  metrics.observedCounter('ringside_proxy_command_failures_total', 'Commands answered with an error.', () =>
    commands().map((figure) => ({ labels: byCommand(figure), value: figure.failed })),
  );
  metrics.observedHistogram(
    'ringside_proxy_upstream_seconds',
    'How long nodes took to answer, queueing in the proxy included.',
    () => nodes().map((figure) => observed(byNode(figure), figure.durations)),
  );
  metrics.observedCounter('ringside_proxy_upstream_errors_total', 'Error replies of nodes.', () =>
    nodes().map((figure) => ({ labels: byNode(figure), value: figure.errors })),
  );
  metrics.observedCounter(
    'ringside_proxy_upstream_retries_total',
    'Commands tried again because of a node.',
    () => nodes().map((figure) => ({ labels: byNode(figure), value: figure.retries })),
  );
  metrics.observedCounter(
    'ringside_proxy_upstream_hedges_total',
    'Reads sent to a follower as well because their leader was slow.',
    () => nodes().map((figure) => ({ labels: byNode(figure), value: figure.hedges })),
  );
  metrics.observedCounter(
    'ringside_proxy_upstream_hedges_won_total',
    'Such reads that the follower answered.',
    () => nodes().map((figure) => ({ labels: byNode(figure), value: figure.hedgesWon })),
  );
  metrics.observedCounter(
    'ringside_proxy_upstream_multiget_hedges_total',
    'Those of the reads sent to a follower as well that were multi-gets, or parts of one.',
    () => nodes().map((figure) => ({ labels: byNode(figure), value: figure.multiGetHedges })),
  );
  metrics.observedCounter(
    'ringside_proxy_upstream_multiget_hedges_won_total',
    'Such multi-gets, or parts of one, that the follower answered.',
    () => nodes().map((figure) => ({ labels: byNode(figure), value: figure.multiGetHedgesWon })),
  );
  metrics.observedGauge('ringside_proxy_upstream_in_flight', 'Commands queued or sent to a node.', () =>
    nodes().map((figure) => ({ labels: byNode(figure), value: figure.inFlight })),
  );
  metrics.observedGauge(
    'ringside_proxy_upstream_queued_bytes',
    'Bytes of commands that have not left for a node.',
    () => nodes().map((figure) => ({ labels: byNode(figure), value: figure.queuedBytes })),
  );
  metrics.observedGauge('ringside_proxy_upstream_ejected', 'Threads that have ejected the node.', () =>
    nodes().map((figure) => ({ labels: byNode(figure), value: figure.state === 'ejected' ? 1 : 0 })),
  );
  metrics.observedGauge(
    'ringside_proxy_breaker_open',
    'Threads in which the circuit breaker of the node is not closed.',
    () => nodes().map((figure) => ({ labels: byNode(figure), value: figure.breaker === 'closed' ? 0 : 1 })),
  );
  metrics.observedCounter(
    'ringside_proxy_breaker_opened_total',
    'How often the circuit breaker of the node has opened.',
    () => nodes().map((figure) => ({ labels: byNode(figure), value: figure.breakerOpened })),
  );
}

/** Adds how often each limit refused something, read at the scrape. */
export function registerLimitMetrics(metrics: Metrics, limits: LimitLog): void {
  metrics.observedCounter(
    'ringside_proxy_limit_reached_total',
    'How often the limit of a setting refused something.',
    () => limits.counts().map(({ setting, count }) => ({ labels: { setting }, value: count })),
  );
}

function observed(labels: Readonly<Record<string, string>>, durations: CountedDurations): ObservedHistogram {
  return { labels, histogram: secondsHistogram(durationsOf([durations]), durationBuckets) };
}
