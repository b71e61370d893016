import { release, type } from 'node:os';
import type { NearPort } from '../core/near-port.ts';
import type { InfoFields } from '../core/shard-info.ts';
import { humanBytes } from '../core/shard-info.ts';
import { Stat } from '../core/stats.ts';
import type { RespConnection } from './connection.ts';

/** The Redis whose commands and texts are answered. */
export const REDIS_VERSION = '7.0.15';

const SECONDS_PER_DAY = 86_400;
const US_PER_S = 1e6;

type Fields = Readonly<Record<string, string | number>>;
type Section = (connection: RespConnection) => Fields;

/** What the proxy says of itself, by section in lower case. Where the shards have fields of a section too, theirs come first. */
const sections: Readonly<Record<string, Section>> = {
  server: ({ context: { info, router } }) => {
    const { clock } = router.env;
    const upSeconds = Math.floor((clock.wallMs() - info.startedWallMs) / 1000);
    return {
      redis_version: REDIS_VERSION,
      ringside_version: info.version,
      redis_mode: 'standalone',
      ringside_role: 'proxy',
      os: `${type()} ${release()} ${process.arch}`,
      arch_bits: 64,
      process_id: info.pid,
      run_id: info.runId,
      tcp_port: info.port,
      server_time_usec: clock.wallMs() * 1000,
      uptime_in_seconds: upSeconds,
      uptime_in_days: Math.floor(upSeconds / SECONDS_PER_DAY),
    };
  },
  clients: ({ context }) => ({
    connected_clients: context.connections.size,
    tracking_clients: context.router.ownLinks.size,
    maxclients: context.info.config.maxclients ?? 0,
  }),
  stats: ({ context: { router } }) => {
    const { counts } = router.stats;
    return {
      total_connections_received: counts[Stat.connectionsAccepted],
      total_commands_processed: counts[Stat.commands],
      rejected_connections: counts[Stat.connectionsRefused],
      possibly_stale_reads: counts[Stat.possiblyStaleReads],
      unknown_writes: counts[Stat.writesUnknown],
    };
  },
  replication: () => ({ role: 'master', connected_slaves: 0 }),
  cpu: () => {
    const { user, system } = process.cpuUsage();
    return {
      used_cpu_sys: (system / US_PER_S).toFixed(6),
      used_cpu_user: (user / US_PER_S).toFixed(6),
    };
  },
  cluster: () => ({ cluster_enabled: 0 }),
  ringside: ({ context: { router } }) => {
    const { rss, heapUsed } = process.memoryUsage();
    const shards = router.routes.map(({ name, epoch, leader, followers }, i) => {
      const nodes = `leader=${leader?.name ?? ''},followers=${followers.map((node) => node.name).join('|')}`;
      return [
        `shard${i}`,
        `name=${name},epoch=${epoch ?? ''},${nodes},suspect=${leader?.isSuspect ? 1 : 0}`,
      ] as const;
    });
    return {
      proxy_used_memory: heapUsed,
      proxy_used_memory_rss: rss,
      proxy_used_memory_rss_human: humanBytes(rss),
      ...nearFields(router.near),
      ring_epoch: router.ringEpoch,
      shards: router.routes.length,
      ...Object.fromEntries(shards),
    };
  },
};

/** Of this thread. */
function nearFields(near: NearPort | null): Fields {
  if (near === null) return {};
  const { bytes, entries, hotKeys } = near.size;
  return { near_cache_used_memory: bytes, near_cache_entries: entries, near_cache_hot_keys: hotKeys };
}

/** What the proxy says of itself in a section (lower case); nothing in those that are of the shards alone. */
export function ownFields(connection: RespConnection, section: string): InfoFields {
  const fields = sections[section]?.(connection) ?? {};
  return Object.entries(fields).map(([name, value]) => [name, String(value)]);
}
