import http2 from 'node:http2';
import grpc from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { ManualClock, systemRandom } from '../../lib/base/index.ts';
import { configFrom } from '../../lib/config/index.ts';
import { CallDeadlines } from '../../proxy/core/call-deadlines.ts';
import { DataPath } from '../../proxy/core/data-path.ts';
import { NO_MARK } from '../../proxy/core/read-port.ts';
import type { Request } from '../../proxy/core/request.ts';
import { Stats } from '../../proxy/core/stats.ts';
import { captureLog } from '../support/capture-log.ts';
import type { FakeNode } from '../support/fake-node.ts';
import { fakeNodes, proxyWith, upstreamsOf } from '../support/proxy-under-test.ts';
import { until } from '../support/until.ts';
import { failure, packages } from './grpc-contract.ts';

/* Callers that wait for a shorter time than proxy.operationTimeoutMs: deadlines of gRPC calls, down to what is sent to nodes. */

/** Longer than any test runs: what ends, ends because of the deadline of its call. */
const NEVER_MS = 600_000;
const timeouts = { operationTimeoutMs: NEVER_MS, readTimeoutMs: NEVER_MS - 1, connectTimeoutMs: NEVER_MS };
const KEY = Buffer.from('key');
const VALUE = [Buffer.from('value')];
const NOTHING_SENT = { code: 'timeout', message: /the deadline of the call .*; nothing was (sent|done)$/ };

t.test('a call is due shortly before its deadline, and once', async (t) => {
  const deadlines = new CallDeadlines(10, () => {});
  const call = (deadlineMs: number) => ({ deadlineMs, underWay: [], leave() {} });
  const [short, long, answered, tiny] = [call(300), call(900), call(300), call(104)];
  for (const one of [short, long, answered, tiny]) deadlines.add(one, 100);
  deadlines.delete(answered);
  deadlines.delete(answered);
  t.same(deadlines.takeDue(101), []);
  t.same(deadlines.takeDue(102), [tiny], 'half of a very short time');
  t.same(deadlines.takeDue(289), []);
  t.same(deadlines.takeDue(290), [short], 'nobody looks again before it is over');
  t.same(deadlines.takeDue(5000), [long]);
  t.equal(deadlines.size, 0);
});

/** A data path in front of these nodes, one shard each, whose clock stands still; and how it goes on. */
function pathTo(t: Test, nodes: readonly (FakeNode | null)[]) {
  const clock = new ManualClock({ monotonicMs: 1000 });
  const path = new DataPath(configFrom({ proxy: timeouts }), {
    clock,
    random: systemRandom,
    log: captureLog().log,
    stats: new Stats(),
    fleetTls: undefined,
    refresh: undefined,
  });
  t.teardown(() => path.close());
  const lead = (leaders: readonly (FakeNode | null)[]) => {
    const shards = leaders.map((node, i) => {
      const leader = node?.address ?? null;
      return { name: `s${i}`, weight: 1, epoch: null, leader, followers: [], engine: 'redis' as const };
    });
    path.router.apply({ virtualNodes: 256, shards });
  };
  lead(nodes);
  return { path, clock, lead, within: (ms: number) => path.keyValue.until(clock.monotonicMs() + ms) };
}

/** What the nodes have been asked, that tests ask. */
const asked = (node: FakeNode) =>
  node.received.filter(({ name }) => ['SET', 'GET', 'MGET'].includes(name)).map(({ args }) => args[0]);

t.test('what was queued and not sent is not sent', async (t) => {
  const [node] = await fakeNodes(t, 1);
  node.isFrozen = true;
  const { path, clock, within } = pathTo(t, [node]);
  await until('the node has been greeted', () => node.received.length > 0);
  const hurried: Promise<unknown>[] = Array.from({ length: 50 }, (_, i) => within(100 + i).set(KEY, VALUE));
  hurried.push(within(200).get(KEY));
  const patient = path.keyValue.set(Buffer.from('patient'), VALUE);
  const long = within(5000).set(Buffer.from('long'), VALUE);
  clock.advance(300);
  for (const one of hurried) await t.rejects(one, NOTHING_SENT);
  const [upstream] = path.router.nodes;
  t.equal(upstream.waiting.commands, 4, 'SET and EXISTS of two');
  t.equal(upstream.health.breakerState, 'closed', 'it tells nothing of the node');
  node.isFrozen = false;
  node.cut();
  await Promise.all([patient, long]);
  t.same(asked(node).sort(), ['long', 'patient']);
  await t.rejects(within(0).set(KEY, VALUE), NOTHING_SENT, 'its deadline has passed before');
  t.match(await within(5000).get(Buffer.from('long')), { value: VALUE });
});

t.test('what is due when the node can be asked at last is not sent either', async (t) => {
  const [node] = await fakeNodes(t, 1);
  node.isFrozen = true;
  const { path, clock, within } = pathTo(t, [node]);
  await until('the node has been greeted', () => node.received.length > 0);
  const late = within(100).set(KEY, VALUE);
  const rejected = t.rejects(late, NOTHING_SENT);
  const patient = path.keyValue.set(Buffer.from('patient'), VALUE);
  // Nobody looks at the time in between.
  clock.advance(100);
  node.say('+PONG\r\n'.repeat(node.received.length));
  node.isFrozen = false;
  await Promise.all([rejected, patient]);
  t.same(asked(node), ['patient']);
});

t.test('of what was sent, a read has timed out and a write may have happened', async (t) => {
  const [node] = await fakeNodes(t, 1);
  const { path, clock, within } = pathTo(t, [node]);
  await path.keyValue.set(KEY, VALUE);
  node.refuse = ({ name }) => (name === 'GET' || name === 'INCRBY' ? 'silent' : undefined);
  const read = within(300).get(KEY);
  const write = within(300).incr(Buffer.from('n'), 1n);
  await until('both were sent', () => node.names.includes('GET') && node.names.includes('INCRBY'));
  clock.advance(300);
  await t.rejects(read, { code: 'timeout', message: /did not answer before the deadline of the call$/ });
  await t.rejects(write, { code: 'write_unknown', message: /no answer before the deadline of the call$/ });
  t.same(
    [...path.router.nodes].map(({ isSuspect }) => isSuspect),
    [false],
  );
  node.refuse = () => undefined;
  const other = path.keyValue.delete(KEY);
  node.say('$5\r\nvalue\r\n:1\r\n');
  t.equal(await other, true, 'late replies are nobody else’s');
});

t.test('what waits for a leader, or while writes are held, is not sent', async (t) => {
  const [node] = await fakeNodes(t, 1);
  const { path, clock, lead, within } = pathTo(t, [null]);
  const parked: Promise<unknown>[] = [within(300).set(KEY, VALUE), within(300).get(KEY)];
  const patient = path.keyValue.set(Buffer.from('patient'), VALUE);
  clock.advance(300);
  for (const one of parked) await t.rejects(one, NOTHING_SENT);
  lead([node]);
  await patient;
  path.router.hold();
  const held = within(300).set(KEY, VALUE);
  const heldLonger = within(3000).set(Buffer.from('longer'), VALUE);
  clock.advance(300);
  await t.rejects(held, NOTHING_SENT);
  const last = within(100).set(KEY, VALUE);
  const rejected = t.rejects(last, NOTHING_SENT, 'at the release');
  clock.advance(100);
  t.equal(path.router.release(), 1);
  await Promise.all([heldLonger, rejected]);
  t.same(asked(node), ['patient', 'longer']);
});

t.test('of many keys, those of shards that answered are there', async (t) => {
  const nodes = await fakeNodes(t, 2);
  const { path, clock, within } = pathTo(t, nodes);
  const keys = Array.from({ length: 20 }, (_, i) => Buffer.from(`key:${i}`));
  for (const key of keys) await path.keyValue.set(key, VALUE);
  const [quick, silent] = nodes;
  silent.refuse = () => 'silent';
  const all = within(300).mget(keys);
  await until('both were asked', () => nodes.every(({ names }) => names.includes('MGET')));
  // The answer of the quick one has come by then.
  await path.keyValue.get(keys.find((key) => quick.store.has(String(key)))!);
  clock.advance(300);
  for (const [i, result] of (await all).entries()) {
    const isThere = quick.store.has(String(keys[i]));
    t.match(result, isThere ? { value: VALUE[0] } : { error: { code: 'timeout' } });
  }
});

t.test(
  'reads that somebody keeps back are over all the same, and nobody hears their late answers',
  async (t) => {
    const nodes = await fakeNodes(t, 2);
    const { path, clock, within } = pathTo(t, nodes);
    const kept: Request[] = [];
    path.router.reads = {
      takes: (request) => request.bytes.includes('GET') && kept.push(request) > 0,
      bypassed: () => NO_MARK,
      settled() {},
    };
    const keys = Array.from({ length: 20 }, (_, i) => Buffer.from(`key:${i}`));
    const one = within(300).get(KEY);
    const many = within(300).mget(keys);
    t.equal(kept.length, 3);
    clock.advance(300);
    await t.rejects(one, { code: 'timeout' });
    for (const result of await many) t.match(result, { error: { code: 'timeout' } });
    for (const request of kept) request.answerWith(Buffer.from('$-1\r\n'));
    path.router.reads = null;
    t.match(
      await within(300).mget(keys),
      keys.map(() => ({ value: null })),
    );
  },
);

/** A proxy with a gRPC listener in front of one node. */
async function grpcTo(t: Test, node: FakeNode) {
  const ports = { grpcPort: 'auto', adminPort: 'auto' };
  const upstreams = upstreamsOf([{ leader: node }]);
  const { proxy, client } = await proxyWith(t, { upstreams, engine: 'redis', ...timeouts, ...ports });
  const cache = new packages.ringside.v1.Cache(proxy.listeners.grpc, grpc.credentials.createInsecure());
  t.teardown(() => cache.close());
  return {
    proxy,
    resp: client(),
    call: (method: string, message: object, ms: number) =>
      new Promise((resolve, reject) => {
        const done = (error: Error | null, answer: unknown) => (error ? reject(error) : resolve(answer));
        cache[method](message, new grpc.Metadata(), { deadline: Date.now() + ms }, done);
      }),
    /** Resolves once so many calls were answered like this. */
    answered: (answer: string, count: number) =>
      until(`${count} are answered ${answer}`, async () => {
        const text = await (await fetch(`http://${proxy.listeners.admin}/metrics`)).text();
        return text.includes(`ringside_proxy_grpc_calls_total{answer="${answer}"} ${count}\n`);
      }),
  };
}

t.test('a gRPC call ends when its own deadline says, and what was sent for it is given up', async (t) => {
  const [node] = await fakeNodes(t, 1);
  const { call, answered } = await grpcTo(t, node);
  t.match(await call('put', { key: KEY, value: VALUE[0] }, NEVER_MS), { stored: true });
  node.refuse = () => 'silent';
  t.match(await failure(call('get', { key: KEY }, 300)), ['DEADLINE_EXCEEDED']);
  await answered('timeout', 1);
  t.match(await failure(call('delete', { key: KEY }, 300)), ['DEADLINE_EXCEEDED']);
  await answered('write_unknown', 1);
});

t.test('what was queued for a gRPC call never reaches the node', async (t) => {
  const [node] = await fakeNodes(t, 1);
  const { call, answered, resp } = await grpcTo(t, node);
  node.isFrozen = true;
  const before = Math.max(...node.received.map(({ connection }) => connection));
  node.cut();
  await until('it is greeted again, and says nothing', () =>
    node.received.some(({ connection }) => connection > before),
  );
  const calls = ['get', 'put', 'multiGet'].map((method) =>
    failure(call(method, { key: KEY, value: VALUE[0], keys: [KEY] }, 300)),
  );
  for (const one of calls.slice(0, 2)) t.match(await one, ['DEADLINE_EXCEEDED']);
  await calls[2].catch(() => 'each key has its own error');
  await answered('timeout', 2);
  node.isFrozen = false;
  node.cut();
  t.equal(await resp.text('SET', 'patient', 'v'), 'OK');
  t.same(asked(node), ['patient']);
});

t.test('the deadline is that of the request’s header, whoever else looks at it', async (t) => {
  const [node] = await fakeNodes(t, 1);
  const { proxy, answered } = await grpcTo(t, node);
  node.refuse = ({ name }) => (name === 'DEL' ? 'silent' : undefined);
  const session = http2.connect(`http://${proxy.listeners.grpc}`);
  t.teardown(() => session.destroy());
  const stream = session.request({
    ':method': 'POST',
    ':path': '/ringside.v1.Cache/Delete',
    'content-type': 'application/grpc',
    te: 'trailers',
    'grpc-timeout': '300m',
  });
  const message = packages.ringside.v1.Cache.service.Delete.requestSerialize({ key: KEY });
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  stream.end(Buffer.concat([head, message]));
  const status = new Promise((resolve) => {
    stream.on(
      'response',
      (headers) => headers['grpc-status'] !== undefined && resolve(headers['grpc-status']),
    );
    stream.on('trailers', (headers) => resolve(headers['grpc-status']));
  });
  stream.resume();
  t.equal(String(await status), String(grpc.status.DEADLINE_EXCEEDED));
  await answered('write_unknown', 1);
});
