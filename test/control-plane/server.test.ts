import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import t from 'tap';
import { request } from 'undici';
import { type ControlPlane, startControlPlane } from '../../control-plane/index.ts';
import type { StatusBody } from '../../control-plane/status.ts';
import { isRingsideError, silentLogger, systemRandom } from '../../lib/base/index.ts';
import { type Config, parseConfig } from '../../lib/config/index.ts';
import { keyHashHex, sealDocument } from '../../lib/ring/index.ts';
import { wakingClock } from '../support/patience.ts';
import { until } from '../support/until.ts';
import { FakeAgent } from './fake-agent.ts';

const deps = { clock: wakingClock(t), random: systemRandom, log: silentLogger };
const HEARTBEAT_MS = 40;

function configOf(settings: object): Config {
  const controlPlane = {
    httpPort: 'auto',
    grpcPort: 'auto',
    heartbeatMs: HEARTBEAT_MS,
    leaseMs: 200,
    suspectAfterMs: 200,
    collectMs: 300,
    formation: { shards: 1, nodesPerShard: 2 },
    ...settings,
  };
  const parsed = parseConfig(JSON.stringify({ controlPlane }), { file: 'test', sets: [] });
  if (!('config' in parsed) || parsed.config === undefined) throw new Error(JSON.stringify(parsed));
  return parsed.config;
}

// biome-ignore lint/suspicious/noExplicitAny: the tests below are about its shape
type Json = any;

interface Fleet {
  control: ControlPlane;
  a: FakeAgent;
  b: FakeAgent;
  proxy: FakeAgent;
  agent(
    hello: ConstructorParameters<typeof FakeAgent>[1],
    options?: ConstructorParameters<typeof FakeAgent>[2],
  ): FakeAgent;
  get(path: string): Promise<{ status: number; body: Json; text: string; type: string }>;
  failover(shard: string, body?: object): Promise<{ status: number; body: Json }>;
}

async function start(t: { teardown(f: () => unknown): void }, settings: object = {}): Promise<ControlPlane> {
  const control = await startControlPlane(configOf(settings), deps);
  t.teardown(() => control.close());
  return control;
}

/** One shard of two nodes, a proxy, and the first ring with both nodes in it. */
async function fleet(t: { teardown(f: () => unknown): void }, settings: object = {}): Promise<Fleet> {
  const control = await start(t, settings);
  const agents: FakeAgent[] = [];
  t.teardown(() => {
    for (const agent of agents) agent.close();
  });
  const agent: Fleet['agent'] = (hello, options) => {
    agents.push(new FakeAgent(control.listeners.grpc, hello, options));
    return agents.at(-1)!;
  };
  const url = `http://${control.listeners.http}`;
  const get: Fleet['get'] = async (path) => {
    const response = await request(url + path);
    const text = await response.body.text();
    const type = String(response.headers['content-type']);
    return { status: response.statusCode, text, type, body: type.includes('json') ? JSON.parse(text) : null };
  };
  const failover: Fleet['failover'] = async (shard, body = {}) => {
    const headers = { 'content-type': 'application/json' };
    const response = await request(`${url}/v1/shards/${shard}/failover`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    });
    return { status: response.statusCode, body: await response.body.json() };
  };
  const a = agent({ id: 'a', shard: 's1' }).heartbeats(HEARTBEAT_MS);
  const b = agent({ id: 'b', shard: 's1' }).heartbeats(HEARTBEAT_MS);
  const proxy = agent({ kind: 'PROXY', id: 'p', address: '', resp: 'p:7379', admin: 'p:7390' }).heartbeats(
    HEARTBEAT_MS,
  );
  await until('the proxy has the ring', () => proxy.document?.shards[0].followers.length === 1);
  await until('the nodes have it', () => a.shard?.followers.length === 1 && b.shard?.followers.length === 1);
  return { control, a, b, proxy, agent, get, failover };
}

t.test('a fleet forms a ring; the API and the page show it', async (t) => {
  const { a, b, proxy, get, control } = await fleet(t, { id: 'cp-1' });
  t.match(a.all('welcome')[0], { welcome: { heartbeatMs: HEARTBEAT_MS, leaseMs: 200, suspectAfterMs: 200 } });
  await until(
    'the proxy acknowledged',
    async () => (await get('/v1/status')).body.proxies[0].state === 'serving',
  );
  const { body } = (await get('/v1/status')) as { body: StatusBody };
  t.same(Object.keys(body), ['ring', 'shards', 'proxies', 'controlPlane']);
  t.match(body.ring, { incarnation: '1', epoch: /^\d+$/, sha256: /^[0-9a-f]{64}$/ });
  const [shard] = body.shards;
  t.match(shard, { name: 's1', weight: 1, epoch: '1', failover: null });
  t.same(shard.leader, {
    id: 'a',
    pid: 4711,
    address: 'a:7501',
    admin: '',
    state: 'serving',
    offset: '100',
    lagBytes: '0',
    lagMs: 0,
    refusal: null,
  });
  t.match(shard.followers, [
    { id: 'b', pid: 4711, address: 'b:7501', state: 'serving', offset: '100', lagBytes: '0', listed: true },
  ]);
  t.match(body.proxies, [
    { id: 'p', pid: 4711, admin: 'p:7390', resp: 'p:7379', ackedEpoch: body.ring?.epoch, state: 'serving' },
  ]);
  t.same(body.controlPlane, [
    { id: 'cp-1', pid: process.pid, address: control.listeners.http, leader: true },
  ]);

  const ring = await get('/v1/ring');
  t.same(ring.body, JSON.parse(JSON.stringify(proxy.document)), 'the very document that was pushed');
  const key = Buffer.from([0xff, 0x00, 0x2b, 0x41]);
  const route = await get('/v1/route?key=%FF%00+A');
  t.match(route.body, {
    hash: keyHashHex(key),
    shard: 's1',
    epoch: '1',
    leader: { id: 'a' },
    followers: [{ id: 'b' }],
  });
  t.same(route.body.l1, {});
  t.match(await get('/v1/route?key=%zz'), { status: 400, body: { error: { code: 'bad_request' } } });
  t.match(await get('/v1/route'), { status: 400, body: { error: { code: 'bad_request' } } });
  t.match(await get('/v1/nothing'), { status: 404, body: { error: { code: 'not_found' } } });

  t.equal((await get('/healthz')).status, 200);
  t.equal((await get('/readyz')).status, 200);
  t.match((await get('/metrics')).text, /ringside_control_plane_streams 3/);
  const page = await get('/');
  t.match(page.type, 'text/html');
  t.match(page.text, /<td>s1<\/td>/);
  t.notMatch(page.text, /<script|src=/, 'needs nothing else');
  t.ok(
    b.all('heartbeatReply').every(({ heartbeatReply }) => !heartbeatReply.granted),
    'a follower has no lease',
  );
  t.ok(
    a.all('heartbeatReply').some(({ heartbeatReply }) => heartbeatReply.granted),
    'the leader has one',
  );
});

t.test('before there is a ring', async (t) => {
  const control = await start(t);
  const url = `http://${control.listeners.http}`;
  for (const path of ['/v1/ring', '/v1/route?key=a', '/readyz']) {
    const { statusCode, body } = await request(url + path);
    t.equal(statusCode, 503, path);
    t.match(await body.json(), { error: { code: 'unavailable', message: 'there is no ring yet' } });
  }
  t.match(await (await request(`${url}/v1/status`)).body.json(), { ring: null, shards: [], proxies: [] });
  t.equal((await request(`${url}/healthz`)).statusCode, 200);
});

t.test('the leader dies: seal, promotion, the new leader first, then everybody', async (t) => {
  const { a, b, proxy } = await fleet(t);
  b.acks = false;
  a.close();
  b.leaderSilentMs = 1000;
  const { seal } = await b.first('seal');
  t.same(seal, { shard: 's1', epoch: '2' });
  await until('b leads', () => b.leads);
  t.match(b.shard, { leader: 'b', epoch: '2', followers: [] });
  t.not(proxy.document?.shards[0].leader, 'b', 'others wait for the new leader');
  b.acks = true;
  const { incarnation, epoch, sha256 } = b.document!;
  b.send({ ack: { nonce: b.all('push').at(-1)!.push.nonce, incarnation, epoch, sha256 } });
  await until('the proxy knows', () => proxy.document?.shards[0].leader === 'b');
  await until('b has a lease', () =>
    b
      .all('heartbeatReply')
      .some(({ heartbeatReply: { granted, shardEpoch } }) => granted && shardEpoch === '2'),
  );
  t.pass('the new leader has a lease');
});

t.test('an operator moves the leader', async (t) => {
  const { control, b, failover } = await fleet(t);
  t.match(await failover('nope'), { status: 404, body: { error: { code: 'not_found' } } });
  t.match(await failover('s1', { to: 'x' }), { status: 404, body: { error: { message: /no node x/ } } });
  t.match(await failover('s1', { to: 'a' }), {
    status: 409,
    body: { error: { message: /leads shard s1 already/ } },
  });
  t.match(await failover('s1', { to: 7 }), { status: 400, body: { error: { code: 'bad_request' } } });
  const headers = { origin: 'http://evil.example' };
  const page = await request(`http://${control.listeners.http}/v1/shards/s1/failover`, {
    method: 'POST',
    headers,
  });
  t.equal(page.statusCode, 403, 'a web page may not');
  t.same(await failover('s1', { to: 'b' }), { status: 200, body: { shard: 's1', leader: 'b', epoch: '2' } });
  t.ok(b.leads, 'and it knows by the time of the answer');
  b.replication = { ...b.replication, synced: false };
});

t.test('a planned failover without a follower that could take over is refused', async (t) => {
  const { a, b, failover } = await fleet(t);
  b.replication = { ...b.replication, synced: false };
  await until('b is unlisted', () => a.shard?.followers.length === 0);
  t.match(await failover('s1'), {
    status: 409,
    body: { error: { code: 'conflict', message: /no follower of shard s1 is live and synced/ } },
  });
  t.match(await failover('s1', { to: 'b' }), { status: 409 });
});

t.test('bad agents are refused with a reason, and nobody else notices', async (t) => {
  const { a, proxy, agent, get } = await fleet(t);
  const epoch = a.document!.epoch;
  const refused: [string, FakeAgent, status, RegExp][] = [
    [
      'unknown shard',
      agent({ id: 'c', shard: 's9' }),
      status.FAILED_PRECONDITION,
      /shard s9 is not part of the ring, which has: s1/,
    ],
    [
      'id in use',
      agent({ id: 'a', shard: 's1' }, { runId: 'other' }),
      status.ALREADY_EXISTS,
      /id a is in use by another live process \(pid 4711 at a:7501\)/,
    ],
    ['no id', agent({ id: '', shard: 's1' }), status.INVALID_ARGUMENT, /needs an id/],
    ['id that is not a name', agent({ id: 'a b\n', shard: 's1' }), status.INVALID_ARGUMENT, /without spaces/],
    [
      'no address',
      agent({ id: 'c', shard: 's1', address: '' }),
      status.INVALID_ARGUMENT,
      /needs a shard and an address/,
    ],
    [
      'no kind',
      agent({ id: 'c', shard: 's1', kind: 'AGENT_KIND_UNSPECIFIED' }),
      status.INVALID_ARGUMENT,
      /no kind/,
    ],
    ['no Hello', agent({ id: 'c' }, { greet: false }), status.INVALID_ARGUMENT, /begins with Hello/],
    [
      'two Hellos',
      agent({ id: 'd', shard: 's1', kind: 'PROXY' }),
      status.INVALID_ARGUMENT,
      /begins with Hello, sent once/,
    ],
  ];
  const foreign = sealDocument({
    ...JSON.parse(JSON.stringify(a.document)),
    incarnation: '9',
    shards: [{ name: 'x', weight: 1, epoch: '1', leader: null, followers: [] }],
    nodes: [],
  });
  const stray = agent({ kind: 'PROXY', id: 'stray', ringJson: JSON.stringify(foreign) });
  refused.push([
    'ring of another fleet',
    stray,
    status.INVALID_ARGUMENT,
    /ring 9\/\d+ of another fleet \(shards x\)/,
  ]);
  refused[6][1].send({ refresh: {} });
  refused[7][1].send({ hello: refused[7][1].hello });
  for (const [what, bad, code, details] of refused) {
    await until(`${what} is refused`, () => bad.ended !== null);
    t.equal(bad.ended?.code, code, what);
    t.match(bad.ended?.details, details, what);
  }
  const odd = agent({ kind: 'PROXY', id: 'odd', ringJson: '{"not":"a ring"}' });
  await until('it gets the ring all the same', () => odd.document !== null);
  odd.send({ ack: { nonce: '1', incarnation: 'x', epoch: '-1', sha256: '' } });
  odd.send({ ack: { nonce: '99999', incarnation: '1', epoch: '99999', sha256: '' } });
  odd.send({ sealed: { shard: 's1', epoch: '18446744073709551615' } });
  odd.send({ nack: { nonce: '1', code: 'invalid', message: 'just because' } });
  odd.acks = false;
  odd.send({ refresh: {} });
  await until('the status shows who refused', async () =>
    (await get('/v1/status')).body.proxies.some((proxy: Json) => proxy.refusal === 'invalid: just because'),
  );
  await until('it is still served', () => odd.all('push').length === 2);
  t.equal((await get('/v1/status')).status, 200);
  t.equal(a.document!.epoch, epoch, 'the ring is as it was');
  t.equal(a.ended ?? proxy.ended, null);
});

t.test('an agent that does not read gets the newest document only', async (t) => {
  const { a, agent } = await fleet(t);
  const long = 'x'.repeat(250);
  const others = Array.from({ length: 40 }, (_, i) =>
    agent({ id: `n${i}`, shard: 's1', address: long, admin: long }),
  );
  await until('a large ring', () => a.document?.nodes.length === others.length + 2);
  // They stay in the document when they are gone.
  for (const other of others) other.close();
  const slow = agent({ kind: 'PROXY', id: 'slow' });
  await until('the first document', () => slow.document !== null);
  slow.stream.pause();
  const before = Number(a.document!.epoch);
  for (let i = 0; i < 100; i++) {
    // Each process of this node makes a new document, of 24 kB.
    const c = agent({ id: 'c', shard: 's1' }, { runId: `run-${i}` });
    const isKnown = () => a.document?.nodes.some(({ runId }) => runId === c.runId);
    await until('c is in the ring', isKnown, { everyMs: 1 });
    c.close();
  }
  slow.stream.resume();
  await until('the newest arrives', () => slow.document?.epoch === a.document!.epoch);
  const [made, got] = [Number(a.document!.epoch) - before, slow.all('push').length];
  t.ok(made >= 100);
  t.ok(got < made / 2, `${made} documents were made, the slow agent got ${got}`);
});

t.test('a restart goes on where it was, also without its folder', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'ringside-control-'));
  t.teardown(() => rm(dir, { recursive: true }));
  const first = await fleet(t, { dir });
  const document = first.a.document!;
  const error = await startControlPlane(configOf({ dir }), deps).catch((reason: unknown) => reason);
  t.ok(isRingsideError(error, 'conflict'), 'a second process is kept out');
  await first.control.close();

  const second = await start(t, { dir });
  const again = new FakeAgent(second.listeners.grpc, { id: 'a', shard: 's1' }).heartbeats(HEARTBEAT_MS);
  t.teardown(() => again.close());
  await until('the ring is pushed again', () => again.document !== null);
  t.same(again.document, document, 'the same document');
  await until('a lease is granted', () =>
    again.all('heartbeatReply').some(({ heartbeatReply }) => heartbeatReply.granted),
  );
  await second.close();

  const third = await start(t, { dir: null });
  const ringJson = JSON.stringify(document);
  const knowing = new FakeAgent(third.listeners.grpc, { kind: 'PROXY', id: 'p', ringJson });
  const node = new FakeAgent(third.listeners.grpc, { id: 'a', shard: 's1', ringJson: '' });
  t.teardown(() => {
    for (const agent of [knowing, node]) agent.close();
  });
  await until('both have a ring', () => knowing.document !== null && node.document !== null);
  t.equal(knowing.document?.incarnation, '2', 'above what the fleet held');
  t.same(knowing.document?.shards, document.shards, 'with the same content');
});

t.test('what cannot be started says why', async (t) => {
  const { control } = await fleet(t);
  const config = configOf({});
  const withEtcd: Config = { ...config, controlPlane: { ...config.controlPlane, state: 'etcd' } };
  const etcd = await startControlPlane(withEtcd, deps).catch((reason: unknown) => reason);
  t.ok(isRingsideError(etcd, 'not_implemented'), 'etcd');
  const port = Number(control.listeners.grpc.split(':')[1]);
  const taken = await startControlPlane(configOf({ grpcPort: port }), deps).catch(
    (reason: unknown) => reason,
  );
  t.ok(isRingsideError(taken, 'port_in_use'), 'a taken port');
  t.match((taken as Error).message, new RegExp(`${port}.*controlPlane.grpcPort`));
});
