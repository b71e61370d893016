import t, { type Test } from 'tap';
import { systemClock, systemRandom } from '../../lib/base/index.ts';
import { decodeReply, type RespValue } from '../../lib/codec/resp/index.ts';
import { configFrom } from '../../lib/config/index.ts';
import { DataPath } from '../../proxy/core/data-path.ts';
import { acquireRequest, type Sink } from '../../proxy/core/request.ts';
import { parseCursor, scanShards, scanStops } from '../../proxy/core/scan.ts';
import { Stats } from '../../proxy/core/stats.ts';
import { ShardRoute, type Topology } from '../../proxy/core/topology.ts';
import { captureLog } from '../support/capture-log.ts';
import type { FakeNode } from '../support/fake-node.ts';
import { fakeNodes } from '../support/proxy-under-test.ts';

/* SCAN through a proxy: which shard a cursor names, and what becomes of it when the ring changes. */

const routesOf = (names: readonly string[]) => names.map((name) => new ShardRoute(name, null));
const idsOf = (names: readonly string[]) =>
  new Map(scanStops(routesOf(names)).map(({ id, route }) => [route.name, id]));

/** A ring of these nodes, each with its name. */
function topologyOf(shards: Readonly<Record<string, FakeNode>>): Topology {
  return {
    virtualNodes: 256,
    shards: Object.entries(shards).map(([name, node]) => ({
      name,
      weight: 1,
      epoch: null,
      leader: node.address,
      followers: [],
    })),
  };
}

function dataPath(t: Test): DataPath {
  const path = new DataPath(configFrom({}), {
    clock: systemClock,
    random: systemRandom,
    log: captureLog().log,
    stats: new Stats(),
    fleetTls: undefined,
    refresh: undefined,
  });
  t.teardown(() => path.close());
  return path;
}

/** One SCAN; its reply. */
function scan({ router }: DataPath, cursor: string, ...options: string[]): Promise<RespValue> {
  return new Promise((resolve) => {
    const parent = acquireRequest();
    const sink: Sink = {
      ready: ({ bytes, start, end }) => resolve(decodeReply(bytes.subarray(start, end))),
    };
    Object.assign(parent, { sink, startedMs: systemClock.monotonicMs() });
    scanShards(
      router,
      parent,
      parseCursor(cursor)!,
      options.map((option) => Buffer.from(option)),
    );
  });
}

/** Goes on from `cursor` to the end; what was found. */
async function scanAll(path: DataPath, cursor = '0'): Promise<string[]> {
  const found: string[] = [];
  let next = cursor;
  do {
    const [given, keys] = (await scan(path, next)) as [RespValue, RespValue[]];
    found.push(...keys.map(String));
    next = String(given);
  } while (next !== '0');
  return found.sort();
}

function fill(node: FakeNode, prefix: string, count: number): string[] {
  const keys = Array.from({ length: count }, (_, i) => `${prefix}${i}`);
  for (const key of keys) node.store.set(key, Buffer.from('x'));
  return keys;
}

t.test('ids follow from the names alone, and never collide', async (t) => {
  const names = Array.from({ length: 40 }, (_, i) => `shard-${i}`);
  const all = idsOf(names);
  t.equal(new Set(all.values()).size, names.length);
  t.ok([...all.values()].every((id) => id >= 1 && id <= 0xffff));
  const some = idsOf(names.filter((_, i) => i % 3 !== 0));
  t.ok(
    [...some].every(([name, id]) => all.get(name) === id),
    'the ids of those that stay stay',
  );
  t.strictSame([...idsOf(names.toReversed())].sort(), [...all].sort(), 'in whatever order the ring has them');
  const many = idsOf(Array.from({ length: 2000 }, (_, i) => `s${i}`));
  t.equal(new Set(many.values()).size, 2000, 'where two hashes are the same too');
});

t.test('a scan goes through every shard once', async (t) => {
  const [a, b, c] = await fakeNodes(t, 3);
  const path = dataPath(t);
  path.router.apply(topologyOf({ a, b, c }));
  const keys = [...fill(a, 'a', 5), ...fill(b, 'b', 4), ...fill(c, 'c', 1)];
  t.strictSame(await scanAll(path), keys.sort());
});

t.test('cursors below 2^53, for clients that keep numbers', async (t) => {
  const [a] = await fakeNodes(t, 1);
  const path = dataPath(t);
  path.router.apply(topologyOf({ a }));
  const highest = 0xffffffff;
  a.refuse = ({ name }) => (name === 'SCAN' ? `*2\r\n$10\r\n${highest}\r\n*0\r\n` : undefined);
  const [cursor] = (await scan(path, '0')) as RespValue[];
  t.ok(Number.isSafeInteger(Number(String(cursor))), String(cursor));
  t.ok(Number(String(cursor)) > highest);
});

t.test('a cursor stays good when shards come and go', async (t) => {
  const nodes = await fakeNodes(t, 4);
  const path = dataPath(t);
  const names = ['a', 'b', 'c'];
  const ids = idsOf([...names, 'd']);
  const [first, second, third] = names.toSorted((x, y) => ids.get(x)! - ids.get(y)!);
  const byName = Object.fromEntries(names.map((name, i) => [name, nodes[i]]));
  const keysOf = Object.fromEntries(names.map((name) => [name, fill(byName[name], name, 6)]));
  path.router.apply(topologyOf(byName));
  const [cursor, begun] = (await scan(path, '0')) as [RespValue, RespValue[]];
  t.strictSame(begun.map(String), keysOf[first].slice(0, 3), 'in the middle of the first shard');

  await t.test('another shard comes, and the ring names them in another order', async (t) => {
    path.router.apply(topologyOf({ d: nodes[3], c: byName.c, b: byName.b, a: byName.a }));
    const rest = await scanAll(path, String(cursor));
    const expected = [...keysOf[first].slice(3), ...keysOf[second], ...keysOf[third]].sort();
    t.strictSame(rest, expected);
  });

  await t.test('its shard has left: the next one is begun', async (t) => {
    path.router.apply(topologyOf({ [second]: byName[second], [third]: byName[third] }));
    t.strictSame(await scanAll(path, String(cursor)), [...keysOf[second], ...keysOf[third]].sort());
  });

  await t.test('the next one has left', async (t) => {
    path.router.apply(topologyOf({ [first]: byName[first], [third]: byName[third] }));
    const rest = await scanAll(path, String(cursor));
    t.strictSame(rest, [...keysOf[first].slice(3), ...keysOf[third]].sort());
  });

  await t.test('its shard was the last', async (t) => {
    path.router.apply(topologyOf(byName));
    const last = (BigInt(7) << 16n) | BigInt(ids.get(third)!);
    path.router.apply(topologyOf({ [first]: byName[first] }));
    t.strictSame(await scan(path, String(last)), [Buffer.from('0'), []]);
  });

  await t.test('its shard has another leader', async (t) => {
    path.router.apply(topologyOf({ ...byName, [first]: nodes[3] }));
    fill(nodes[3], 'new', 2);
    const [next, keys] = (await scan(path, String(cursor))) as [RespValue, RespValue[]];
    t.strictSame(keys.map(String), ['new1'], 'goes on there, where the cursor was');
    t.not(String(next), '0');
  });
});
