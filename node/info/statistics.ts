import type { Random } from '../../lib/base/index.ts';
import { type CommandSpec, commands } from '../../lib/commands/index.ts';
import type { Keyspace } from '../keyspace.ts';
import { percentileText } from '../settings/kinds-of-lists.ts';
import type { Fields, InfoSource } from './section.ts';

/** Entries that are looked at for the average time to live. */
const TTL_SAMPLES = 64;

/** Counters since the start or CONFIG RESETSTAT. */
export function statistics({ node: { stats, observers }, databases }: InfoSource): Fields {
  const { pubsub, tracking } = observers;
  const { copies } = databases;
  const { hits, misses, expired, evicted } = databases.data.stats;
  let errors = 0;
  for (const count of stats.errors.values()) errors += count;
  return [
    ['total_connections_received', stats.connectionsReceived],
    ['total_commands_processed', stats.commands],
    ['instantaneous_ops_per_sec', stats.commandsPerSecond],
    ['total_net_input_bytes', stats.inputBytes],
    ['total_net_output_bytes', stats.outputBytes],
    ['total_net_repl_input_bytes', 0],
    ['total_net_repl_output_bytes', 0],
    ['instantaneous_input_kbps', (stats.inputBytesPerSecond / 1024).toFixed(2)],
    ['instantaneous_output_kbps', (stats.outputBytesPerSecond / 1024).toFixed(2)],
    ['instantaneous_input_repl_kbps', '0.00'],
    ['instantaneous_output_repl_kbps', '0.00'],
    ['rejected_connections', stats.connectionsRefused],
    ['sync_full', stats.fullSyncs],
    ['sync_partial_ok', stats.partialSyncsAccepted],
    ['sync_partial_err', stats.partialSyncsRefused],
    ['expired_keys', expired],
    ['expired_stale_perc', '0.00'],
    ['expired_time_cap_reached_count', 0],
    ['expire_cycle_cpu_milliseconds', Math.floor(stats.expireCycleMs)],
    ['evicted_keys', evicted],
    ['evicted_clients', stats.evictedClients],
    ['total_eviction_exceeded_time', 0],
    ['current_eviction_exceeded_time', 0],
    ['keyspace_hits', hits],
    ['keyspace_misses', misses],
    ['pubsub_channels', pubsub.count('channels')],
    ['pubsub_patterns', pubsub.count('patterns')],
    ['pubsubshard_channels', pubsub.count('shardChannels')],
    ['latest_fork_usec', 0],
    ['total_forks', 0],
    ['migrate_cached_sockets', 0],
    ['slave_expires_tracked_keys', 0],
    ['active_defrag_hits', 0],
    ['active_defrag_misses', 0],
    ['active_defrag_key_hits', 0],
    ['active_defrag_key_misses', 0],
    ['total_active_defrag_time', 0],
    ['current_active_defrag_time', 0],
    ['tracking_total_keys', tracking.keys],
    ['tracking_total_items', tracking.items],
    ['tracking_total_prefixes', tracking.prefixes],
    ['unexpected_error_replies', 0],
    ['total_error_replies', errors],
    ['dump_payload_sanitizations', 0],
    ['client_output_buffer_limit_disconnections', stats.outputLimitKills],
    ['unknown_writes', stats.unknownWrites],
    ['copies', copies.size],
    ['copy_bytes', copies.bytes],
    ['copy_hits', copies.figures.hits],
    ['copy_misses', copies.figures.misses],
    ['copies_stored', copies.figures.stored],
    ['copies_evicted', copies.figures.evicted],
  ];
}

function everySpec(): CommandSpec[] {
  return commands.flatMap((spec) => [spec, ...spec.subcommands]);
}

/** What each command was called, took, and how it ended. */
export function commandStatistics({ node: { watch } }: InfoSource): Fields {
  const { calls, elapsedMs, rejected, failed } = watch.stats;
  return everySpec()
    .filter(({ id }) => calls[id] > 0 || rejected[id] > 0)
    .map(({ id, name }) => {
      const usec = Math.floor(elapsedMs[id] * 1000);
      const each = calls[id] === 0 ? 0 : usec / calls[id];
      return [
        `cmdstat_${name}`,
        `calls=${calls[id]},usec=${usec},usec_per_call=${each.toFixed(2)},rejected_calls=${rejected[id]},failed_calls=${failed[id]}`,
      ] as const;
    });
}

/** How long each command took, in microseconds. */
export function latencyStatistics({ node: { watch, settings } }: InfoSource): Fields {
  const lines: [string, string][] = [];
  for (const { id, name } of everySpec()) {
    const durations = watch.stats.durationsOf(id);
    if (durations === null) continue;
    const values = settings.latencyPercentiles.map(
      (wanted) => `p${percentileText(wanted)}=${(durations.percentile(wanted) / 1000).toFixed(3)}`,
    );
    lines.push([`latency_percentiles_usec_${name}`, values.join(',')]);
  }
  return lines;
}

/** Error replies by their first word. */
export function errorStatistics({ node: { stats } }: InfoSource): Fields {
  return [...stats.errors].map(([code, count]) => [`errorstat_${code}`, `count=${count}`]);
}

/** The databases that hold anything. */
export function keyspaces({ node, databases }: InfoSource): Fields {
  return [...databases.all()]
    .filter(({ store }) => store.size > 0)
    .map((keyspace) => {
      const { store, index } = keyspace;
      return [
        `db${index}`,
        `keys=${store.size},expires=${store.expiringCount},avg_ttl=${averageTtlMs(keyspace, node.random)}`,
      ];
    });
}

/** Of a sample of the entries that expire, in milliseconds. */
function averageTtlMs({ store, nowMs }: Keyspace, random: Random): number {
  let sum = 0;
  let found = 0;
  for (let i = 0; i < TTL_SAMPLES && store.expiringCount > 0; i++) {
    const expiresAt = store.expiresAt(store.random(random));
    if (expiresAt === 0) continue;
    sum += Math.max(0, expiresAt - nowMs);
    found++;
  }
  return found === 0 ? 0 : Math.floor(sum / found);
}
