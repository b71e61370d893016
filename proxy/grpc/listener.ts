import { Server } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';
import { listenGrpc } from '../../lib/net/grpc/index.ts';
import type { CallApi } from '../core/api.ts';
import {
  AnswerCounter,
  type ApiListenerDeps,
  type ApiListenerOptions,
  ByteBudget,
  type ListenerHandle,
  passwordCheck,
} from '../listener/index.ts';
import { CallGuard } from './call-guard.ts';
import { loadDefinitions } from './definitions.ts';
import { cacheHandlers, laterHandlers } from './handlers.ts';

/** Calls of one connection at once; each costs some kilobytes before a byte of it has come. */
const MAX_STREAMS = 1000;
const SERVICES = ['', 'ringside.v1.Cache'];

/** Starts the gRPC interface of the data (docs/grpc.md), with health and reflection. Rejects as `createServer` of lib/net does. */
export async function startGrpcListener(
  options: ApiListenerOptions,
  api: CallApi,
  deps: ApiListenerDeps,
): Promise<ListenerHandle> {
  const { host, port, tls, reusePort, limits, password, rates = null, onLimit, onRefused } = options;
  const guard = new CallGuard({
    budget: new ByteBudget(limits.maxApiBytes, 'proxy.limits.maxApiBytes', onLimit),
    timeoutMs: limits.headerTimeoutMs,
    isAuthorized: passwordCheck(password),
    clock: deps.clock,
    rates,
  });
  const server = createGrpcServer(options, guard);
  const definitions = loadDefinitions();
  const answers = new AnswerCounter(deps.metrics, {
    name: 'ringside_proxy_grpc_calls_total',
    help: 'gRPC calls of the Cache service, by error code.',
  });
  server.addService(definitions.cache, cacheHandlers(api, { log: deps.log, clock: deps.clock, answers }));
  server.addService(definitions.coordination, laterHandlers(definitions.coordination));
  const health = new HealthImplementation();
  for (const service of SERVICES) health.setStatus(service, 'SERVING');
  health.addToServer(server);
  new ReflectionService(definitions.all).addToServer(server);

  const { maxConnections, handshakeTimeoutMs } = limits;
  const where = { name: 'grpc', setting: 'proxy.grpcPort', host, port, tls, reusePort };
  const listening = await listenGrpc(server, {
    ...where,
    maxConnections,
    handshakeTimeoutMs,
    ...(onRefused && { onRefused }),
    ...deps,
  });
  return {
    address: listening.address,
    port: listening.port,
    async close(graceMs) {
      for (const service of SERVICES) health.setStatus(service, 'NOT_SERVING');
      await listening.close(graceMs);
      guard.close();
    },
  };
}

function createGrpcServer({ limits }: ApiListenerOptions, guard: CallGuard): Server {
  return new Server({
    interceptors: [guard.interceptor],
    'grpc.max_receive_message_length': limits.maxHttpBodyBytes,
    'grpc.max_concurrent_streams': Math.min(limits.maxInFlightPerConnection, MAX_STREAMS),
    // A peer that does not speak HTTP/2, or no longer answers, does not answer the ping.
    'grpc.keepalive_time_ms': limits.headerTimeoutMs,
    'grpc.keepalive_timeout_ms': limits.headerTimeoutMs,
    ...(limits.idleTimeoutMs > 0 && { 'grpc.max_connection_idle_ms': limits.idleTimeoutMs }),
  });
}
