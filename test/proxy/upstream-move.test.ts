import t, { type Test } from 'tap';
import type { UpstreamMove } from '../../proxy/core/api.ts';
import type { FakeNode } from '../support/fake-node.ts';
import { fakeNodes, proxyWith, upstreamsOf } from '../support/proxy-under-test.ts';
import type { RespClient } from '../support/resp-client.ts';
import { until } from '../support/until.ts';

/* A proxy with one fixed upstream is moved to another: what waits, what does not, and what comes of it when the move does not end well. */

const HOLD_MS = 20_000;

interface Moved {
  readonly old: FakeNode;
  readonly next: FakeNode;
  readonly move: UpstreamMove;
  readonly client: () => RespClient;
}

async function moved(t: Test, options: object = {}): Promise<Moved> {
  const [old, next] = await fakeNodes(t, 2);
  const { proxy, client } = await proxyWith(t, { upstreams: upstreamsOf([{ leader: old }]), ...options });
  return { old, next, client, move: proxy.admin.move };
}

/** Whether it is still waiting for its reply. */
async function waits(reply: Promise<unknown>): Promise<boolean> {
  const pause = new Promise((resolve) => setTimeout(resolve, 30, 'waits'));
  return (await Promise.race([reply, pause])) === 'waits';
}

for (const workers of [1, 2]) {
  t.test(`writes wait and go to the new upstream, reads go on; ${workers} threads`, async (t) => {
    const { old, next, move, client } = await moved(t, { workers });
    const [writer, reader] = [client(), client()];
    t.equal(await writer.text('SET', 'a', '1'), 'OK');
    t.equal(move.upstream, old.address);
    t.same(await move.hold('mine', HOLD_MS), { held: 0 });
    t.equal(move.holder, 'mine');
    const write = writer.send('SET', 'b', '2');
    const behind = writer.text('GET', 'b');
    t.equal(await waits(write), true, 'a write waits');
    t.equal(await waits(behind), true, 'and what the same client sends behind it');
    t.equal(await reader.text('GET', 'a'), '1', "another client's read does not");
    t.equal((await move.turn('mine', old.address, next.address)).held, 2);
    t.equal(await waits(write), true, 'it still waits');
    t.same(await move.commit('mine'), { held: 2 });
    t.equal(await write, 'OK');
    t.equal(await behind, '2');
    t.same(await move.commit('mine'), { held: 2 }, 'a commit whose answer was lost may be repeated');
    t.equal(old.store.has('b'), false);
    t.equal(next.store.get('b')?.toString(), '2');
    t.equal(await reader.text('GET', 'b'), '2');
    t.same([move.upstream, move.holder], [next.address, null]);
  });
}

t.test('a hold waits for the writes on their way, half of its time at most', async (t) => {
  const { old, move, client } = await moved(t);
  old.refuse = ({ name }) => (name === 'SET' ? 'silent' : undefined);
  const write = client().send('SET', 'a', '1');
  await until('the write is there', () => old.names.includes('SET'));
  const hold = move.hold('mine', HOLD_MS);
  t.equal(await waits(hold), true);
  old.say('+OK\r\n');
  t.equal(await write, 'OK');
  t.same(await hold, { held: 0 });
  await move.release('mine');
  const last = client().send('SET', 'a', '2');
  await until('another is there', () => old.names.filter((name) => name === 'SET').length === 2);
  await t.rejects(move.hold('mine', 100), { code: 'timeout', message: /not answered in 50 ms/ });
  t.equal(move.holder, null, 'nothing waits any more');
  old.say('+OK\r\n');
  t.equal(await last, 'OK');
});

t.test('an upstream that does not answer: everything is as before', async (t) => {
  const { old, next, move, client } = await moved(t, { connectTimeoutMs: 300 });
  await move.hold('mine', HOLD_MS);
  const write = client().send('SET', 'a', '1');
  next.isFrozen = true;
  await t.rejects(move.turn('mine', old.address, next.address), { code: 'unavailable' });
  t.equal(move.upstream, old.address);
  t.equal(await waits(write), true);
  t.same(await move.release('mine'), { held: 1 });
  t.equal(await write, 'OK');
  t.equal(old.store.get('a')?.toString(), '1');
  t.same(await move.release('mine'), { held: 0 }, 'again: without effect');
});

t.test('a hold that nobody ends is over by itself, also when it was turned', async (t) => {
  const { old, next, move, client } = await moved(t);
  for (const isTurned of [false, true]) {
    await move.hold('mine', 3000);
    if (isTurned) await move.turn('mine', old.address, next.address);
    const key = `turned:${isTurned}`;
    t.equal(await client().send('SET', key, '1'), 'OK');
    t.equal(old.store.has(key), true, 'back at the old upstream');
    t.same([move.upstream, move.holder], [old.address, null]);
    await t.rejects(move.commit('mine'), { code: 'conflict', message: /the hold is over/ });
  }
});

t.test('one hold at a time, in order, and no more than fit', async (t) => {
  const { old, next, move, client } = await moved(t, { limits: { maxInFlightPerShard: 2 } });
  await t.rejects(move.turn('mine', old.address, next.address), { code: 'conflict' });
  await move.hold('mine', HOLD_MS);
  await t.rejects(move.hold('other', HOLD_MS), { code: 'conflict', message: /held for mine/ });
  await t.rejects(move.commit('mine'), { code: 'conflict', message: /not been turned/ });
  await t.rejects(move.turn('mine', next.address, old.address), {
    code: 'conflict',
    message: /the upstream is/,
  });
  const writer = client();
  const writes = ['1', '2', '3'].map((value) => writer.send('SET', 'a', value));
  t.equal(await waits(Promise.all(writes)), true);
  t.same(await move.release('mine'), { held: 2 });
  t.match(await writes[2], { message: /^OVERLOADED .*maxInFlightPerShard/ });
  t.same(await Promise.all(writes.slice(0, 2)), ['OK', 'OK']);
  t.equal(old.store.get('a')?.toString(), '2', 'in the order in which they came');
});

t.test('several shards are not moved', async (t) => {
  const [a, b] = await fakeNodes(t, 2);
  const { proxy } = await proxyWith(t, { upstreams: upstreamsOf([{ leader: a }, { leader: b }]) });
  t.equal(proxy.admin.move.upstream, null);
  await t.rejects(proxy.admin.move.hold('mine', HOLD_MS), {
    code: 'conflict',
    message: /one fixed upstream/,
  });
});
