import { loadPackageDefinition, Server, type ServiceClientConstructor } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { type Clock, type Logger, type Random, RingsideError } from '../lib/base/index.ts';
import { controlPlaneProto, protoLoaderOptions } from '../lib/codec/proto/index.ts';
import type { Config, ControlPlaneConfig } from '../lib/config/index.ts';
import { listenGrpc } from '../lib/net/grpc/index.ts';
import { createHttpServer, type HttpServer, loadTls, type TlsMaterial } from '../lib/net/index.ts';
import { DEFAULT_VIRTUAL_NODES } from '../lib/ring/index.ts';
import { AttachService } from './attach.ts';
import { ControlCore, type CoreOptions } from './core/index.ts';
import { Driver } from './driver.ts';
import { registerRoutes } from './http.ts';
import { controlPlaneMetrics } from './metrics.ts';
import { EmbeddedStateStore } from './state/embedded.ts';
import { MemoryStateStore } from './state/memory.ts';
import { decodeRecord } from './state/record.ts';
import type { StateStore } from './state/store.ts';

const TICK_MS = 25;
const MAX_CONNECTIONS = 10_000;
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
/** A connection whose other end vanished is found out within twice this. */
const KEEPALIVE_MS = 5000;
const CLOSE_GRACE_MS = 500;

/** What a control plane is started with. */
export interface ControlPlaneDeps {
  clock: Clock;
  random: Random;
  log: Logger;
}

/** A running control plane. */
export interface ControlPlane {
  /** `host:port` by protocol. */
  readonly listeners: Readonly<Record<string, string>>;
  /** Ends all streams and lets go of the state; agents go on by what they have. */
  close(): Promise<void>;
}

/**
 * Starts a control plane. Rejects with RingsideError: `not_implemented` for `state: etcd`, `conflict` when another
 * process uses the state folder, `config_invalid` when folder or certificates cannot be used, `port_in_use`.
 */
export async function startControlPlane(config: Config, deps: ControlPlaneDeps): Promise<ControlPlane> {
  const settings = config.controlPlane;
  const store = await openStore(settings, deps.log);
  const stack: (() => Promise<void> | void)[] = [() => store.close()];
  const close = async () => {
    while (stack.length > 0) await stack.pop()!();
  };
  try {
    const listeners = await start(config, deps, store, stack);
    return { listeners, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function start(
  config: Config,
  { clock, log }: ControlPlaneDeps,
  store: StateStore,
  stack: (() => Promise<void> | void)[],
): Promise<Record<string, string>> {
  const settings = config.controlPlane;
  const stored = await store.load();
  const record = stored === null ? null : decodeRecord(stored.text);
  const core = new ControlCore(coreOptions(settings), record, clock.monotonicMs());
  const agents: AttachService = new AttachService((event) => driver.submit(event), log);
  const driver = new Driver({
    core,
    clock,
    store,
    version: stored?.version ?? 0n,
    port: agents,
    log,
    tickMs: TICK_MS,
  });
  driver.onFatal = () => agents.close();
  driver.start();
  stack.push(() => driver.close());

  const tls = config.tls === null ? undefined : loadTls(config.tls, log);
  if (tls) stack.push(() => tls.close());
  const grpc = await listenForAgents(settings, agents, log, tls);
  stack.push(
    () => grpc.close(CLOSE_GRACE_MS),
    () => agents.close(),
  );
  const listeners: Record<string, string> = { grpc: grpc.address };
  if (settings.httpPort === 'off') return listeners;
  const self = () => ({
    id: settings.id,
    pid: process.pid,
    address: listeners.http ?? listeners.grpc,
    leader: true,
  });
  const metrics = controlPlaneMetrics(driver, agents);
  const http = await listenForOperators(
    settings,
    (app) => registerRoutes(app, { driver, metrics, self }),
    log,
    tls,
  );
  stack.push(() => http.close(CLOSE_GRACE_MS));
  listeners.http = http.address;
  return { http: http.address, grpc: grpc.address };
}

async function openStore(settings: ControlPlaneConfig, log: Logger): Promise<StateStore> {
  if (settings.state === 'etcd') {
    throw new RingsideError(
      'not_implemented',
      'controlPlane.state etcd comes in a later release: use embedded',
    );
  }
  return settings.dir === null ? new MemoryStateStore() : EmbeddedStateStore.open(settings.dir, log);
}

function coreOptions(settings: ControlPlaneConfig): CoreOptions {
  const { leaseMs, heartbeatMs, suspectAfterMs, collectMs, formation } = settings;
  const virtualNodes = DEFAULT_VIRTUAL_NODES;
  return { leaseMs, heartbeatMs, suspectAfterMs, collectMs, tickMs: TICK_MS, virtualNodes, formation };
}

function listenForAgents(
  settings: ControlPlaneConfig,
  agents: AttachService,
  log: Logger,
  tls?: TlsMaterial,
) {
  const server = new Server({
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_MS,
    'grpc.max_concurrent_streams': 16,
  });
  const definition = loadPackageDefinition(loadSync(controlPlaneProto, protoLoaderOptions));
  const { v1 } = definition.ringside as unknown as { v1: { ControlPlane: ServiceClientConstructor } };
  server.addService(v1.ControlPlane.service, agents.implementation);
  return listenGrpc(server, {
    name: 'grpc',
    setting: 'controlPlane.grpcPort',
    host: settings.bind,
    port: portNumber(settings.grpcPort),
    maxConnections: MAX_CONNECTIONS,
    tls,
    log,
  });
}

function listenForOperators(
  settings: ControlPlaneConfig,
  register: Parameters<typeof createHttpServer>[1],
  log: Logger,
  tls?: TlsMaterial,
): Promise<HttpServer> {
  return createHttpServer(
    {
      name: 'http',
      setting: 'controlPlane.httpPort',
      host: settings.bind,
      port: portNumber(settings.httpPort),
      maxConnections: MAX_CONNECTIONS,
      tls,
      log,
    },
    register,
  );
}

function portNumber(port: number | 'auto' | 'off'): number {
  return typeof port === 'number' ? port : 0;
}
