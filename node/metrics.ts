import { commands } from '../lib/commands/index.ts';
import { type Metrics, type ObservedHistogram, secondsHistogram } from '../lib/metrics/index.ts';
import type { NodeParts } from './node.ts';
import { memoryFigures } from './operations/memory-figures.ts';

type Figure = readonly [name: string, help: string, read: () => number];

/** Bounds for durations of commands in seconds, from 1 µs to 1 s. */
const commandBuckets = [
  0.000001, 0.0000025, 0.000005, 0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.01,
  0.1, 1,
];
/** What keys of no namespace are counted under. */
const DEFAULT_NAME = 'default';

/** Adds the node's figures. All are read at the scrape; nothing is counted twice. */
export function addNodeMetrics(metrics: Metrics, parts: NodeParts): void {
  for (const [name, help, read] of counters(parts)) metrics.observedCounter(name, help, read);
  for (const [name, help, read] of gauges(parts)) metrics.observedGauge(name, help, read);
  addByNamespace(metrics, parts);
  addMemory(metrics, parts);
  addCommands(metrics, parts);
}

function counters({ services, databases }: NodeParts): Figure[] {
  const { stats } = services;
  const keys = databases.data.stats;
  const copies = databases.copies.figures;
  return [
    ['ringside_node_commands_total', 'Commands executed.', () => stats.commands],
    ['ringside_node_input_bytes_total', 'Bytes received over RESP.', () => stats.inputBytes],
    ['ringside_node_output_bytes_total', 'Bytes sent over RESP.', () => stats.outputBytes],
    ['ringside_node_hits_total', 'Reads that found their key.', () => keys.hits],
    ['ringside_node_misses_total', 'Reads that did not.', () => keys.misses],
    [
      'ringside_node_copy_hits_total',
      'Reads that found a copy of a value of another shard.',
      () => copies.hits,
    ],
    ['ringside_node_copy_misses_total', 'Reads that did not.', () => copies.misses],
    ['ringside_node_copies_stored_total', 'Copies that proxies put here.', () => copies.stored],
    [
      'ringside_node_copies_evicted_total',
      'Copies dropped before their time to make room.',
      () => copies.evicted,
    ],
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
    [
      'ringside_node_expire_cycle_seconds_total',
      'Time spent on removing expired keys that nobody asked for.',
      () => stats.expireCycleMs / 1000,
    ],
  ];
}

function gauges({ services, databases, keyspace }: NodeParts): Figure[] {
  const { clients, shard, followers, clock, settings, observers, watch } = services;
  const keys = databases.data.stats;
  return [
    ['ringside_node_keys', 'Keys held.', () => databases.size],
    [
      'ringside_node_hit_ratio',
      'Part of the reads that found their key, since the start or CONFIG RESETSTAT; 0 before the first.',
      () => keys.hits / Math.max(1, keys.hits + keys.misses),
    ],
    [
      'ringside_node_used_bytes',
      'Bytes the keys and values take, with their overhead.',
      () => databases.usedBytes,
    ],
    ['ringside_node_copies', 'Copies of values of other shards.', () => databases.copies.size],
    ['ringside_node_copy_bytes', 'Bytes that these take, with their overhead.', () => databases.copies.bytes],
    ['ringside_node_max_memory_bytes', 'The budget for them.', () => settings.maxMemoryBytes],
    ['ringside_node_clients', 'Connected clients.', () => clients.size],
    ['ringside_node_waiting_output_bytes', 'Replies that clients have not read.', () => clients.outputBytes],
    [
      'ringside_node_tracked_clients',
      'Clients that keep copies and are told of changes.',
      () => observers.tracking.size,
    ],
    ['ringside_node_channels', 'Channels with subscribers.', () => observers.pubsub.count('channels')],
    ['ringside_node_followers', 'Connected followers.', () => followers.links.size],
    ['ringside_node_replication_offset', 'Where the replication stream stands.', () => keyspace.log.end],
    ['ringside_node_shard_epoch', 'Shard epoch in force.', () => shard.epoch],
    [
      'ringside_node_may_write',
      'Whether this node leads and holds the lease.',
      () => Number(shard.mayWrite(clock.monotonicMs())),
    ],
    [
      'ringside_node_hottest_key_commands',
      'Estimated commands on the hottest key, each counting half after a minute; RS.HOTKEYS names it.',
      () => watch.hotKeys.top(1)[0]?.count ?? 0,
    ],
  ];
}

/** What namespaces hold and have lost. */
function addByNamespace(metrics: Metrics, { databases }: NodeParts): void {
  const { stats, namespaces } = databases.data;
  const each = (read: (number: number) => number) =>
    namespaces.rules.map((rule, number) => ({
      labels: { namespace: rule?.name ?? DEFAULT_NAME },
      value: read(number),
    }));
  metrics.observedCounter('ringside_node_expired_total', 'Keys removed because their time was over.', () =>
    each((number) => stats.expiredByNamespace[number]),
  );
  metrics.observedCounter('ringside_node_evicted_total', 'Keys removed to make room.', () =>
    each((number) => stats.evictedByNamespace[number]),
  );
  metrics.observedGauge('ringside_node_namespace_bytes', 'Bytes the keys of a namespace take.', () =>
    each((number) => {
      let bytes = 0;
      for (const { store } of databases.all()) bytes += store.spaceBytes(number);
      return bytes;
    }),
  );
}

/** Where memory goes. */
function addMemory(metrics: Metrics, { services, databases }: NodeParts): void {
  metrics.observedGauge('ringside_node_memory_bytes', 'Bytes by what they are taken for.', () => {
    const { clientBytes, followerBytes, backlogBytes } = memoryFigures(services, databases);
    const { entries, index, objects, idle } = databases.bytesByClass;
    const classes = {
      entries,
      index,
      objects,
      idle,
      clients: clientBytes,
      followers: followerBytes,
      backlog: backlogBytes,
    };
    return Object.entries(classes).map(([of, value]) => ({ labels: { class: of }, value }));
  });
  metrics.observedGauge(
    'ringside_node_reserved_bytes',
    'Bytes taken from the system for keys and values.',
    () => {
      const { reservedBytes } = memoryFigures(services, databases);
      return reservedBytes;
    },
  );
  metrics.observedGauge(
    'ringside_node_fragmentation_ratio',
    'Part of the bytes taken for keys and values that lies idle.',
    () => {
      const { entries, index, objects, idle } = databases.bytesByClass;
      return idle / Math.max(1, entries + index + objects + idle);
    },
  );
}

/** How commands went and how long they took. */
function addCommands(metrics: Metrics, { services: { stats, watch } }: NodeParts): void {
  const everySpec = commands.flatMap((spec) => [spec, ...spec.subcommands]);
  const counted = (counts: Float64Array) =>
    everySpec
      .filter(({ id }) => counts[id] > 0)
      .map(({ id, name }) => ({ labels: { command: name }, value: counts[id] }));
  metrics.observedCounter('ringside_node_command_failures_total', 'Commands answered with an error.', () =>
    counted(watch.stats.failed),
  );
  metrics.observedCounter('ringside_node_command_rejections_total', 'Commands refused before they ran.', () =>
    counted(watch.stats.rejected),
  );
  metrics.observedHistogram('ringside_node_command_seconds', 'How long commands took to execute.', () => {
    const found: ObservedHistogram[] = [];
    for (const { id, name } of everySpec) {
      const durations = watch.stats.durationsOf(id);
      if (durations)
        found.push({ labels: { command: name }, histogram: secondsHistogram(durations, commandBuckets) });
    }
    return found;
  });
  metrics.observedCounter('ringside_node_errors_total', 'Error replies by code.', () =>
    [...stats.errors].map(([code, value]) => ({ labels: { code }, value })),
  );
}
