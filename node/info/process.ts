import { release, type } from 'node:os';
import { resourceUsage } from 'node:process';
import { REDIS_VERSION, RINGSIDE_VERSION } from '../version.ts';
import type { Fields, InfoSource } from './section.ts';

const US_PER_S = 1e6;
const SECONDS_PER_DAY = 86_400;
/** Redis's clock of last use has 24 bits of seconds. */
const LRU_CLOCK_RANGE = 2 ** 24;

/** What runs, where, since when. */
export function server({ node: { clock, startedAtMs, runId, settings, shutdown } }: InfoSource): Fields {
  const uptime = Math.floor((clock.monotonicMs() - startedAtMs) / 1000);
  const hz = settings.kept.get('hz') ?? '10';
  const wallMs = clock.wallMs();
  return [
    ['redis_version', REDIS_VERSION],
    ['ringside_version', RINGSIDE_VERSION],
    ['redis_git_sha1', '00000000'],
    ['redis_git_dirty', 0],
    ['redis_build_id', RINGSIDE_VERSION],
    ['redis_mode', 'standalone'],
    ['os', `${type()} ${release()} ${process.arch}`],
    ['arch_bits', 64],
    ['monotonic_clock', 'POSIX clock_gettime'],
    ['multiplexing_api', 'libuv'],
    ['node_version', process.versions.node],
    ['process_id', process.pid],
    ['process_supervised', 'no'],
    ['run_id', runId],
    ['tcp_port', settings.fixed.get('port') ?? '0'],
    ['server_time_usec', wallMs * 1000],
    ['uptime_in_seconds', uptime],
    ['uptime_in_days', Math.floor(uptime / SECONDS_PER_DAY)],
    ['hz', hz],
    ['configured_hz', hz],
    ['lru_clock', Math.floor(wallMs / 1000) % LRU_CLOCK_RANGE],
    ['executable', process.execPath],
    ['config_file', ''],
    ['io_threads_active', 0],
    ...(shutdown.leftMs === null ? [] : ([['shutdown_in_milliseconds', shutdown.leftMs]] as const)),
  ];
}

/** Who is connected. */
export function clients({ node: { clients: registry, settings, observers } }: InfoSource): Fields {
  let blocked = 0;
  let links = 0;
  let mostInput = 0;
  let mostOutput = 0;
  for (const { client, inputBytes, outputBytes } of registry.all()) {
    if (client.blocked) blocked++;
    if (client.link) links++;
    mostInput = Math.max(mostInput, inputBytes);
    mostOutput = Math.max(mostOutput, outputBytes);
  }
  return [
    ['connected_clients', registry.size - links],
    ['cluster_connections', 0],
    ['maxclients', settings.maxClients],
    ['client_recent_max_input_buffer', mostInput],
    ['client_recent_max_output_buffer', mostOutput],
    ['blocked_clients', blocked],
    ['tracking_clients', observers.tracking.size],
    ['clients_in_timeout_table', 0],
  ];
}

/** Seconds of CPU. */
export function cpu(): Fields {
  const { systemCPUTime, userCPUTime } = resourceUsage();
  return [
    ['used_cpu_sys', (systemCPUTime / US_PER_S).toFixed(6)],
    ['used_cpu_user', (userCPUTime / US_PER_S).toFixed(6)],
    ['used_cpu_sys_children', '0.000000'],
    ['used_cpu_user_children', '0.000000'],
  ];
}
