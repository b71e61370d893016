import { Stat } from '../core/stats.ts';
import type { RespConnection } from './connection.ts';
import type { Handler } from './context.ts';

/** The Redis whose commands and texts are answered. */
export const REDIS_VERSION = '7.0.15';

type Section = (connection: RespConnection) => Record<string, string | number>;

const sections: Readonly<Record<string, Section>> = {
  Server: ({ context: { info, router } }) => {
    const upSeconds = Math.floor((router.env.clock.wallMs() - info.startedWallMs) / 1000);
    return {
      redis_version: REDIS_VERSION,
      ringside_version: info.version,
      redis_mode: 'standalone',
      ringside_role: 'proxy',
      os: process.platform,
      arch_bits: 64,
      process_id: info.pid,
      run_id: info.runId,
      tcp_port: info.port,
      uptime_in_seconds: upSeconds,
      uptime_in_days: Math.floor(upSeconds / 86_400),
    };
  },
  Clients: ({ context }) => ({
    connected_clients: context.connections.size,
    maxclients: context.info.config.maxclients ?? 0,
    blocked_clients: 0,
  }),
  Memory: () => {
    const { rss, heapUsed } = process.memoryUsage();
    return { used_memory: heapUsed, used_memory_rss: rss, maxmemory: 0, maxmemory_policy: 'noeviction' };
  },
  Persistence: () => ({ loading: 0, rdb_bgsave_in_progress: 0, aof_enabled: 0 }),
  Stats: ({ context: { router } }) => {
    const { counts } = router.stats;
    return {
      total_connections_received: counts[Stat.connectionsAccepted],
      total_commands_processed: counts[Stat.commands],
      rejected_connections: counts[Stat.connectionsRefused],
      possibly_stale_reads: counts[Stat.possiblyStaleReads],
      unknown_writes: counts[Stat.writesUnknown],
    };
  },
  Replication: () => ({ role: 'master', connected_slaves: 0 }),
  CPU: () => {
    const { user, system } = process.cpuUsage();
    return { used_cpu_sys: (system / 1e6).toFixed(6), used_cpu_user: (user / 1e6).toFixed(6) };
  },
  Ringside: ({ context: { router } }) => {
    const fields: Record<string, string | number> = { shards: router.routes.length };
    router.routes.forEach((route, i) => {
      const { name, epoch, leader, followers } = route;
      const nodes = `leader=${leader?.name ?? ''},followers=${followers.map((node) => node.name).join('|')}`;
      fields[`shard${i}`] = `name=${name},epoch=${epoch ?? ''},${nodes},suspect=${leader?.isSuspect ? 1 : 0}`;
    });
    return fields;
  },
};

const EVERYTHING = new Set(['all', 'default', 'everything']);

/** INFO [section …]: about this proxy; the nodes tell about themselves. */
export const runInfo: Handler = (connection, args) => {
  const asked = new Set<string>();
  for (let i = 1; i < args.count; i++) asked.add(args.latin1(i).toLowerCase());
  const isAll = asked.size === 0 || [...asked].some((name) => EVERYTHING.has(name));
  const blocks = Object.entries(sections)
    .filter(([name]) => isAll || asked.has(name.toLowerCase()))
    .map(([name, section]) => {
      const lines = Object.entries(section(connection)).map(([key, value]) => `${key}:${value}\r\n`);
      return `# ${name}\r\n${lines.join('')}`;
    });
  const { writer } = connection;
  writer.verbatim('txt', blocks.join('\r\n'));
  connection.replyWritten();
};
