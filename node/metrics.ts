import type { Metrics } from '../lib/metrics/index.ts';
import type { NodeParts } from './node.ts';

/** Adds the node's figures. All are read at the scrape; nothing is counted twice. */
export function addNodeMetrics(metrics: Metrics, { services, keyspace }: NodeParts): void {
  const { stats, clients, shard, followers, clock } = services;
  const { store, log } = keyspace;
  const counters: readonly [string, string, () => number][] = [
    ['ringside_node_commands_total', 'Commands executed.', () => stats.commands],
    ['ringside_node_input_bytes_total', 'Bytes received over RESP.', () => stats.inputBytes],
    ['ringside_node_output_bytes_total', 'Bytes sent over RESP.', () => stats.outputBytes],
    ['ringside_node_hits_total', 'Reads that found their key.', () => keyspace.stats.hits],
    ['ringside_node_misses_total', 'Reads that did not.', () => keyspace.stats.misses],
    [
      'ringside_node_expired_total',
      'Keys removed because their time was over.',
      () => keyspace.stats.expired,
    ],
    ['ringside_node_evicted_total', 'Keys removed to make room.', () => keyspace.stats.evicted],
    ['ringside_node_full_syncs_total', 'Full copies sent to followers.', () => stats.fullSyncs],
    [
      'ringside_node_partial_syncs_total',
      'Followers that continued from the backlog.',
      () => stats.partialSyncsAccepted,
    ],
    ['ringside_node_unknown_writes_total', 'Writes answered UNKNOWN.', () => stats.unknownWrites],
    [
      'ringside_node_lease_loss_closed_total',
      'Connections closed because the lease was over before a write could be acknowledged.',
      () => stats.leaseLossKills,
    ],
    [
      'ringside_node_output_limit_closed_total',
      'Connections closed because their replies piled up.',
      () => stats.outputLimitKills,
    ],
  ];
  for (const [name, help, read] of counters) metrics.observedCounter(name, help, read);

  const gauges: readonly [string, string, () => number][] = [
    ['ringside_node_keys', 'Keys held.', () => store.size],
    [
      'ringside_node_used_bytes',
      'Bytes the keys and values take, with their overhead.',
      () => store.usedBytes,
    ],
    ['ringside_node_reserved_bytes', 'Bytes taken from the system for them.', () => store.reservedBytes],
    ['ringside_node_max_memory_bytes', 'The budget for them.', () => services.settings.maxMemoryBytes],
    ['ringside_node_clients', 'Connected clients.', () => clients.size],
    ['ringside_node_waiting_output_bytes', 'Replies that clients have not read.', () => clients.outputBytes],
    ['ringside_node_followers', 'Connected followers.', () => followers.links.size],
    ['ringside_node_replication_offset', 'Where the replication stream stands.', () => log.end],
    ['ringside_node_shard_epoch', 'Shard epoch in force.', () => shard.epoch],
    [
      'ringside_node_may_write',
      'Whether this node leads and holds the lease.',
      () => Number(shard.mayWrite(clock.monotonicMs())),
    ],
  ];
  for (const [name, help, read] of gauges) metrics.observedGauge(name, help, read);
  metrics.observedCounter('ringside_node_errors_total', 'Error replies by code.', () =>
    [...stats.errors].map(([code, value]) => ({ labels: { code }, value })),
  );
}
