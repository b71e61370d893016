import type { Config } from '../../lib/config/index.ts';
import type { Metrics } from '../../lib/metrics/index.ts';
import type { TlsMaterial } from '../../lib/net/index.ts';
import type { DataPath } from '../core/data-path.ts';
import { DATABASES } from '../core/topology.ts';
import type { ProxyThread } from '../thread.ts';
import type { Group } from '../workers/questions.ts';
import { RespListener } from './listener.ts';

/** What a RESP listener is started with, beyond the configuration. */
export interface RespStart {
  readonly port: number;
  readonly reusePort: boolean;
  readonly tls: TlsMaterial | undefined;
  readonly runId: string;
  readonly version: string;
  /** Where connections and refusals are counted. */
  readonly metrics?: Metrics;
  readonly thread: ProxyThread;
  readonly group: Group;
}

/** Starts the RESP listener of one worker. Rejects with RingsideError `port_in_use`. */
export async function startRespListener(
  path: DataPath,
  config: Config,
  start: RespStart,
): Promise<RespListener> {
  const { proxy } = config;
  const { limits } = proxy;
  const { clock } = path.router.env;
  const listener = new RespListener(path, {
    host: proxy.bind,
    port: start.port,
    tls: start.tls,
    reusePort: start.reusePort,
    metrics: start.metrics,
    thread: start.thread,
    group: start.group,
    limits: {
      maxBulkBytes: limits.maxBulkBytes,
      maxArrayLength: limits.maxArrayLength,
      maxInlineBytes: limits.maxInlineBytes,
      maxBufferedBytes: limits.maxBufferedBytesPerConnection,
      maxInFlight: limits.maxInFlightPerConnection,
      maxHeldBytes: limits.maxBufferedBytesPerConnection,
      maxPushBytes: limits.maxUnreadMessageBytes,
    },
    maxConnections: limits.maxConnections,
    handshakeTimeoutMs: limits.handshakeTimeoutMs,
    requestTimeoutMs: limits.headerTimeoutMs,
    stalledReaderTimeoutMs: limits.stalledReaderTimeoutMs,
    info: {
      version: start.version,
      runId: start.runId,
      pid: process.pid,
      port: start.port,
      startedWallMs: clock.wallMs(),
      config: redisSettings(config, start.port),
    },
  });
  await listener.listen();
  return listener;
}

/** What CONFIG GET answers: the settings that libraries and tools ask for, by Redis's names. */
function redisSettings({ proxy }: Config, port: number): Record<string, string> {
  return {
    save: '',
    appendonly: 'no',
    bind: proxy.bind,
    port: String(port),
    databases: String(DATABASES),
    maxclients: String(proxy.limits.maxConnections),
    maxmemory: '0',
    'maxmemory-policy': 'noeviction',
    'proto-max-bulk-len': String(proxy.limits.maxBulkBytes),
    aclfile: proxy.aclFile ?? '',
  };
}
