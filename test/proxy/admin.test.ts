import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import tls from 'node:tls';
import grpc from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { Client } from 'undici';
import { makeCerts } from '../../cli/certs/index.ts';
import { silentLogger } from '../../lib/base/index.ts';
import { createMetrics } from '../../lib/metrics/index.ts';
import { loadTls } from '../../lib/net/index.ts';
import type { RingDocument } from '../../lib/ring/index.ts';
import { startAdminListener } from '../../proxy/admin/index.ts';
import { noCounts } from '../../proxy/balance/index.ts';
import type { ProxyAdminApi } from '../../proxy/core/api.ts';
import { NO_BALANCE } from '../../proxy/core/balance-port.ts';
import { startGrpcListener } from '../../proxy/grpc/index.ts';
import { startHttpListener } from '../../proxy/http/index.ts';
import { startMemcachedListener } from '../../proxy/memcached/index.ts';
import { UpstreamMover } from '../../proxy/upstream-mover.ts';
import { MainGroup } from '../../proxy/workers/group.ts';
import { captureLog } from '../support/capture-log.ts';
import { MemoryApi } from '../support/memory-api.ts';
import { listenerOptions, quietDeps } from '../support/proxy-limits.ts';
import { threadOf } from '../support/proxy-thread.ts';
import { until } from '../support/until.ts';
import { caller, packages } from './grpc-contract.ts';
import { requester } from './http-contract.ts';

const ring: RingDocument = {
  incarnation: '1',
  epoch: '7',
  sha256: 'ab'.repeat(32),
  virtualNodes: 256,
  leaseMs: 1000,
  shards: [{ name: 's0', weight: 1, epoch: '3', leader: 'n0', followers: [] }],
  nodes: [],
};

function fakeProxy() {
  const admin = {
    id: 'p1',
    runId: 'run',
    current: 'starting' as ReturnType<ProxyAdminApi['state']>,
    document: null as RingDocument | null,
    state: () => admin.current,
    ring: () => admin.document,
    upstreams: () => [
      {
        shard: 's0',
        role: 'leader' as const,
        address: '127.0.0.1:1',
        state: 'connected' as const,
        inFlight: 2,
      },
    ],
    listeners: () => ({ resp: '127.0.0.1:2' }),
    figures: {
      shards: () => [],
      nodes: async () => [],
      commands: async () => [],
      near: async () => [],
      nearState: async () => ({ state: 'off' as const, ageMs: 0 }),
      balance: async () => noCounts(),
      balanceState: async () => NO_BALANCE,
      warmUp: async () => null,
      stopWarmUp: async () => null,
      shadow: async () => null,
      workerMetrics: async () => [],
    },
    move: new UpstreamMover({
      upstreams: [],
      connectTimeoutMs: 1000,
      log: silentLogger,
      step: async () => [],
      apply: () => {},
    }),
    drain: async () => {
      admin.current = 'draining';
    },
  };
  return admin;
}

async function start(t: Test, admin: ProxyAdminApi) {
  const metrics = createMetrics();
  const listener = await startAdminListener(listenerOptions(), admin, { ...quietDeps, metrics });
  const client = new Client(`http://${listener.address}`);
  t.teardown(async () => {
    await client.destroy();
    await listener.close(0);
  });
  return { send: requester(client), metrics };
}

t.test('health, readiness, status, ring', async (t) => {
  const admin = fakeProxy();
  const { send } = await start(t, admin);
  t.equal((await send('GET', '/healthz')).status, 200);
  t.match(await send('GET', '/readyz'), { status: 503, body: Buffer.from('{"state":"starting"}') });
  const noRing = await send('GET', '/ring');
  t.equal(noRing.status, 503);
  t.match(noRing.json(), { error: { code: 'unavailable' } });
  t.match((await send('GET', '/status')).json(), { state: 'starting', ring: null });
  admin.current = 'serving';
  admin.document = ring;
  t.equal((await send('GET', '/readyz')).status, 200);
  t.same((await send('GET', '/ring')).json(), ring);
  t.match((await send('GET', '/status')).json(), {
    id: 'p1',
    runId: 'run',
    pid: process.pid,
    version: /^\d+\.\d+\.\d+/,
    uptimeSeconds: Number,
    state: 'serving',
    ring: { incarnation: '1', epoch: '7', sha256: ring.sha256 },
    listeners: { resp: '127.0.0.1:2' },
    upstreams: [{ shard: 's0', role: 'leader', state: 'connected', inFlight: 2 }],
  });
  t.match((await send('GET', '/nothing')).json(), { error: { code: 'not_found' } });
});

t.test('drain', async (t) => {
  const admin = fakeProxy();
  admin.current = 'serving';
  const { send } = await start(t, admin);
  const fromPage = await send('POST', '/drain', { headers: { origin: 'http://evil.example' } });
  t.equal(fromPage.status, 403);
  t.equal(admin.current, 'serving');
  t.match(await send('POST', '/drain'), { status: 202, body: Buffer.from('{"state":"draining"}') });
  t.equal((await send('GET', '/readyz')).status, 503);
  t.equal((await send('GET', '/healthz')).status, 200, 'alive while it drains');
});

t.test('metrics of the listeners', async (t) => {
  const { send, metrics } = await start(t, fakeProxy());
  const api = new MemoryApi();
  const http = await startHttpListener(listenerOptions(), api, { ...quietDeps, metrics });
  const rpc = await startGrpcListener(listenerOptions(), api, { ...quietDeps, metrics });
  const client = new Client(`http://${http.address}`);
  const cache = new packages.ringside.v1.Cache(rpc.address, grpc.credentials.createInsecure());
  t.teardown(async () => {
    cache.close();
    await client.destroy();
    await Promise.all([http.close(0), rpc.close(0)]);
  });
  await requester(client)('PUT', '/v1/key/a', { body: 'x' });
  await requester(client)('GET', '/v1/key/a');
  await requester(client)('GET', '/v1/key/b');
  await caller(cache)('get', { key: Buffer.from('a') });
  await caller(cache)('get', {}).catch(() => {});
  const text = (await send('GET', '/metrics')).body.toString();
  for (const line of [
    'ringside_proxy_http_requests_total{answer="201"} 1',
    'ringside_proxy_http_requests_total{answer="200"} 1',
    'ringside_proxy_http_requests_total{answer="404"} 1',
    'ringside_proxy_grpc_calls_total{answer="ok"} 1',
    'ringside_proxy_grpc_calls_total{answer="bad_request"} 1',
    'ringside_net_accepted_total{listener="http"} 1',
  ]) {
    t.match(text, line);
  }
});

t.test('mutual TLS on every listener', async (t) => {
  const dir = t.testdir();
  await makeCerts({ dir: join(dir, 'fleet'), identities: ['proxy/p1', 'proxy/p2', 'node/n1'] });
  await makeCerts({ dir: join(dir, 'strangers'), identities: ['proxy/p2'] });
  const { log, lines } = captureLog();
  const material = (name: string, allowedNames: string[], folder = 'fleet') => {
    const files = {
      ca: join(dir, 'fleet', 'ca.crt'),
      cert: join(dir, folder, `${name}.crt`),
      key: join(dir, folder, `${name}.key`),
      allowedNames,
    };
    const made = loadTls(files, log, { reloadMs: 1_000_000 });
    t.teardown(() => made.close());
    return made;
  };
  const options = { ...listenerOptions(), tls: material('proxy-p1', ['spiffe://ringside/proxy/*']) };
  const deps = { ...quietDeps, log };
  const api = new MemoryApi();
  const { path, thread } = threadOf(t, {}, null, log);
  const listeners = {
    http: await startHttpListener(options, api, deps),
    grpc: await startGrpcListener(options, api, deps),
    memcached: await startMemcachedListener(
      { ...options, reusePort: false, threads: 1 },
      { router: path.router, thread, group: new MainGroup(thread.desk, null) },
    ),
    admin: await startAdminListener(options, fakeProxy(), { ...deps, metrics: createMetrics() }),
  };
  t.teardown(() => Promise.all(Object.values(listeners).map((listener) => listener.close(0))));
  const greeting = {
    http: 'GET /v1/key/a HTTP/1.1\r\nHost: x\r\n\r\n',
    grpc: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0',
    memcached: 'version\r\n',
    admin: 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n',
  };
  const read = (...path: string[]) => readFileSync(join(dir, ...path));
  const talk = async (name: keyof typeof listeners, identity: string | null, folder = 'fleet') => {
    const socket = tls.connect({
      host: '127.0.0.1',
      port: listeners[name].port,
      ca: read('fleet', 'ca.crt'),
      ...(identity && {
        cert: read(folder, `${identity}.crt`),
        key: read(folder, `${identity}.key`),
      }),
      checkServerIdentity: () => undefined,
      ALPNProtocols: name === 'grpc' ? ['h2'] : undefined,
    });
    let closed = false;
    let bytes = 0;
    socket
      .on('error', () => {})
      .on('close', () => {
        closed = true;
      })
      .on('data', (chunk) => {
        bytes += chunk.length;
      });
    socket.write(greeting[name]);
    await until('an answer or the end', () => bytes > 0 || closed);
    socket.destroy();
    return bytes > 0;
  };
  for (const name of Object.keys(listeners) as (keyof typeof listeners)[]) {
    t.ok(await talk(name, 'proxy-p2'), `${name}: an allowed name`);
    for (const [identity, folder, reason] of [
      [null, 'fleet', 'no certificate'],
      ['node-n1', 'fleet', 'name not allowed'],
      ['proxy-p2', 'strangers', 'unknown CA'],
    ] as const) {
      t.notOk(await talk(name, identity, folder), `${name}: ${reason}`);
      await until('the log says so', () =>
        lines.some((line) => line.listener === name && line.reason === reason),
      );
    }
  }
});
