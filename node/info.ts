import { memoryUsage, resourceUsage } from 'node:process';
import { commands } from '../lib/commands/index.ts';
import { REDIS_VERSION } from './commands/connection.ts';
import type { Keyspace } from './keyspace.ts';
import type { NodeServices } from './services.ts';
import { RINGSIDE_VERSION } from './version.ts';

type Fields = readonly (readonly [string, string | number])[];
type Section = (node: NodeServices, keyspace: Keyspace) => Fields;

const US_PER_S = 1e6;

function server({ clock, startedAtMs, runId, settings }: NodeServices): Fields {
  const uptime = Math.floor((clock.monotonicMs() - startedAtMs) / 1000);
  return [
    ['redis_version', REDIS_VERSION],
    ['ringside_version', RINGSIDE_VERSION],
    ['redis_mode', 'standalone'],
    ['os', `${process.platform} ${process.arch}`],
    ['arch_bits', 64],
    ['multiplexing_api', 'libuv'],
    ['process_id', process.pid],
    ['process_supervised', 'no'],
    ['run_id', runId],
    ['tcp_port', settings.fixed.get('port') ?? '0'],
    ['server_time_usec', clock.wallMs() * 1000],
    ['uptime_in_seconds', uptime],
    ['uptime_in_days', Math.floor(uptime / 86_400)],
    ['hz', 10],
    ['configured_hz', 10],
    ['executable', process.execPath],
    ['config_file', ''],
    ['io_threads_active', 0],
  ];
}

function clients({ clients: registry, blocked, settings }: NodeServices): Fields {
  return [
    ['connected_clients', registry.size],
    ['cluster_connections', 0],
    ['maxclients', settings.maxClients],
    ['blocked_clients', blocked.size],
    ['tracking_clients', 0],
    ['clients_in_timeout_table', blocked.withTimeout],
  ];
}

function memory({ settings, stats, clients: registry }: NodeServices, { store }: Keyspace): Fields {
  const { rss, heapUsed, external } = memoryUsage();
  stats.usedBytesPeak = Math.max(stats.usedBytesPeak, store.usedBytes);
  return [
    ['used_memory', store.usedBytes],
    ['used_memory_human', human(store.usedBytes)],
    ['used_memory_rss', rss],
    ['used_memory_rss_human', human(rss)],
    ['used_memory_peak', stats.usedBytesPeak],
    ['used_memory_peak_human', human(stats.usedBytesPeak)],
    ['used_memory_dataset', store.usedBytes],
    ['used_memory_reserved', store.reservedBytes],
    ['process_heap_used', heapUsed],
    ['process_external', external],
    ['maxmemory', settings.maxMemoryBytes],
    ['maxmemory_human', human(settings.maxMemoryBytes)],
    ['maxmemory_policy', settings.maxMemoryPolicy],
    ['mem_fragmentation_ratio', (rss / Math.max(1, store.usedBytes)).toFixed(2)],
    ['mem_clients_normal', registry.outputBytes],
    ['mem_allocator', 'v8'],
  ];
}

function persistence({ shard }: NodeServices): Fields {
  return [
    ['loading', shard.complete ? 0 : 1],
    ['async_loading', 0],
    ['rdb_changes_since_last_save', 0],
    ['rdb_bgsave_in_progress', 0],
    ['rdb_last_save_time', 0],
    ['rdb_last_bgsave_status', 'ok'],
    ['aof_enabled', 0],
    ['aof_rewrite_in_progress', 0],
    ['aof_last_write_status', 'ok'],
  ];
}

function statistics({ stats }: NodeServices, keyspace: Keyspace): Fields {
  let errors = 0;
  for (const count of stats.errors.values()) errors += count;
  return [
    ['total_connections_received', stats.connectionsReceived],
    ['total_commands_processed', stats.commands],
    ['instantaneous_ops_per_sec', stats.commandsPerSecond],
    ['total_net_input_bytes', stats.inputBytes],
    ['total_net_output_bytes', stats.outputBytes],
    ['rejected_connections', stats.connectionsRefused],
    ['sync_full', stats.fullSyncs],
    ['sync_partial_ok', stats.partialSyncsAccepted],
    ['sync_partial_err', stats.partialSyncsRefused],
    ['expired_keys', keyspace.stats.expired],
    ['evicted_keys', keyspace.stats.evicted],
    ['keyspace_hits', keyspace.stats.hits],
    ['keyspace_misses', keyspace.stats.misses],
    ['pubsub_channels', 0],
    ['pubsub_patterns', 0],
    ['total_error_replies', errors],
    ['client_output_buffer_limit_disconnections', stats.outputLimitKills],
    ['unknown_writes', stats.unknownWrites],
  ];
}

function replication(node: NodeServices, { log }: Keyspace): Fields {
  const { shard, followers, clock } = node;
  const nowMs = clock.monotonicMs();
  const links = [...followers.links].map((link, i): readonly [string, string] => [
    `slave${i}`,
    `ip=${link.address.slice(0, link.address.lastIndexOf(':'))},port=${link.address.slice(link.address.lastIndexOf(':') + 1)},state=${link.isStreaming ? 'online' : 'send_bulk'},offset=${Math.max(0, link.ackOffset)},lag=${Math.floor(link.lagMs(nowMs) / 1000)},id=${link.id}`,
  ]);
  const leader: Fields = shard.leader
    ? [
        ['master_host', shard.leader.host],
        ['master_port', shard.leader.port],
        ['master_link_status', shard.linkUp ? 'up' : 'down'],
        ['master_sync_in_progress', shard.complete ? 0 : 1],
        ['slave_read_repl_offset', log.end],
        ['slave_repl_offset', log.end],
        ['slave_read_only', 1],
      ]
    : [];
  return [
    ['role', shard.leader ? 'slave' : 'master'],
    ...leader,
    ['connected_slaves', links.length],
    ...links,
    ['master_failover_state', 'no-failover'],
    ['master_replid', log.replId],
    ['master_replid2', log.formerReplId || '0'.repeat(40)],
    ['master_repl_offset', log.end],
    ['second_repl_offset', log.formerReplId ? log.formerEnd : -1],
    ['repl_backlog_active', log.active ? 1 : 0],
    ['repl_backlog_first_byte_offset', log.start],
    ['repl_backlog_histlen', log.end - log.start],
    ['shard', shard.shard],
    ['shard_epoch', shard.epoch],
    ['may_write', shard.mayWrite(nowMs) ? 1 : 0],
  ];
}

function cpu(): Fields {
  const { systemCPUTime, userCPUTime } = resourceUsage();
  return [
    ['used_cpu_sys', (systemCPUTime / US_PER_S).toFixed(6)],
    ['used_cpu_user', (userCPUTime / US_PER_S).toFixed(6)],
  ];
}

function commandStatistics({
  watch: {
    stats: { calls },
  },
}: NodeServices): Fields {
  return [...commands, ...commands.flatMap(({ subcommands }) => subcommands)]
    .filter(({ id }) => calls[id] > 0)
    .map(({ id, name }) => [`cmdstat_${name}`, `calls=${calls[id]}`]);
}

function errorStatistics({ stats }: NodeServices): Fields {
  return [...stats.errors].map(([code, count]) => [`errorstat_${code}`, `count=${count}`]);
}

function keyspaceSection(_node: NodeServices, { store }: Keyspace): Fields {
  if (store.size === 0) return [];
  return [['db0', `keys=${store.size},expires=${store.expiringCount},avg_ttl=0`]];
}

const sections: Readonly<Record<string, Section>> = {
  server,
  clients,
  memory,
  persistence,
  stats: statistics,
  replication,
  cpu,
  modules: () => [],
  commandstats: commandStatistics,
  errorstats: errorStatistics,
  cluster: () => [['cluster_enabled', 0]],
  keyspace: keyspaceSection,
};
/** Left out unless asked for by name, or by `all` or `everything`. */
const onRequest = new Set(['commandstats']);

/** The text of INFO: the sections asked for (none: the default ones), in Redis's order, names and format. */
export function infoText(asked: readonly string[], node: NodeServices, keyspace: Keyspace): string {
  const all = asked.includes('all') || asked.includes('everything');
  const byDefault = asked.length === 0 || asked.includes('default');
  return Object.entries(sections)
    .filter(([name]) => all || asked.includes(name) || (byDefault && !onRequest.has(name)))
    .map(([name, section]) => {
      const title = name === 'cpu' ? 'CPU' : name[0].toUpperCase() + name.slice(1);
      const lines = section(node, keyspace).map(([key, value]) => `${key}:${value}\r\n`);
      return `# ${title}\r\n${lines.join('')}`;
    })
    .join('\r\n');
}

function human(bytes: number): string {
  const units = ['B', 'K', 'M', 'G', 'T'];
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return unit === 0 ? `${bytes}B` : `${value.toFixed(2)}${units[unit]}`;
}
