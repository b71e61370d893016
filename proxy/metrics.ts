import type { Metrics } from '../lib/metrics/index.ts';
import { type StatName, type Stats, sumOf } from './core/stats.ts';
import type { UpstreamNode } from './core/topology.ts';

const counters: readonly [StatName, name: string, help: string][] = [
  ['commands', 'ringside_proxy_commands_total', 'Commands answered to RESP clients.'],
  ['connectionsAccepted', 'ringside_proxy_resp_connections_total', 'Connections of RESP clients accepted.'],
  [
    'connectionsCut',
    'ringside_proxy_resp_connections_cut_total',
    'Connections of RESP and memcached clients closed for being slow, idle or greedy.',
  ],
  [
    'protocolErrors',
    'ringside_proxy_resp_protocol_errors_total',
    'Connections of RESP and memcached clients closed because of bytes that make no sense.',
  ],
  ['readRetries', 'ringside_proxy_read_retries_total', 'Reads tried a second time.'],
  [
    'possiblyStaleReads',
    'ringside_proxy_possibly_stale_reads_total',
    'Reads a follower was asked for because the leader did not answer.',
  ],
  [
    'writeRetries',
    'ringside_proxy_write_retries_total',
    'Writes tried a second time after a node refused them.',
  ],
  ['writesUnknown', 'ringside_proxy_writes_unknown_total', 'Writes whose outcome was reported as unknown.'],
  ['readTimeouts', 'ringside_proxy_read_timeouts_total', 'Reads that were not answered in time.'],
  ['shardDownErrors', 'ringside_proxy_shard_down_errors_total', 'Commands answered CLUSTERDOWN.'],
  ['overloadedErrors', 'ringside_proxy_overloaded_errors_total', 'Commands answered OVERLOADED.'],
  [
    'upstreamFailures',
    'ringside_proxy_upstream_failures_total',
    'Connections to nodes that failed or broke.',
  ],
  ['waitCommands', 'ringside_proxy_wait_commands_total', 'WAIT commands.'],
  [
    'breakerRefusals',
    'ringside_proxy_breaker_refusals_total',
    'Commands answered CLUSTERDOWN at once because the circuit breaker of a node was open.',
  ],
  [
    'queueRefusals',
    'ringside_proxy_queue_refusals_total',
    'Commands answered CLUSTERDOWN at once because enough waited for a node already.',
  ],
  [
    'retriesRefused',
    'ringside_proxy_retries_refused_total',
    'Commands not tried again because the retry budget was used up.',
  ],
];

/** Adds the proxy's figures: `stats` of all threads together, and the main thread's view of the nodes. */
export function registerMetrics(
  metrics: Metrics,
  stats: readonly Stats[],
  nodes: () => Iterable<UpstreamNode>,
): void {
  for (const [stat, name, help] of counters) metrics.observedCounter(name, help, () => sumOf(stats, stat));
  metrics.observedGauge('ringside_proxy_resp_connections', 'RESP connections open now.', () =>
    sumOf(stats, 'connectionsOpen'),
  );
  metrics.observedGauge('ringside_proxy_upstream_suspect', '1 while the node does not answer.', () =>
    Array.from(nodes(), ({ shard, name, isSuspect }) => ({
      labels: { shard, node: name },
      value: isSuspect ? 1 : 0,
    })),
  );
}
