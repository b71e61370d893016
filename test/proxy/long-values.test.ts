import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { type Random, seededRandom } from '../../lib/base/index.ts';
import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { MemcachedClient } from '../support/memcached-client.ts';
import { proxyWith } from '../support/proxy-under-test.ts';
import type { RespClient } from '../support/resp-client.ts';
import { startRingside } from '../support/ringside.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';

/* Long values stay in the memory they were read into, which serves again once they have left: what one client gets is never another one's. */

const SEED = Number(process.env.SEED ?? 20261122);
const KIB = 1024;
const SLOW_MS = 5;

const startNode = () => startRingside(['node', '--standalone', '--port', 'auto', '--admin-port', 'off']);
const [node, other] = await Promise.all([startNode(), startNode()]);
t.teardown(() => Promise.all([node.stop(), other.stop()]));

/** Bytes that no other value has. */
const valueFor = (id: string, bytes: number): Buffer => Buffer.alloc(bytes, `value ${id}, `);

/** From some that are copied to some that take several pieces of memory. */
function someBytes(random: Random): number {
  const kib = [1, 60, 64, 130, 208, 240, 272, 1024, 2500][random.int(9)];
  return kib * KIB - 40 + random.int(80);
}

/** Writes and reads keys of its own, several commands at once, and tells what was not as it should be. */
async function churn(client: RespClient, name: string, random: Random, rounds: number): Promise<string[]> {
  const wrong: string[] = [];
  for (let round = 0; round < rounds; round++) {
    const batch = Array.from({ length: 1 + random.int(3) }, (_, i) => ({
      key: `${name}:${i}`,
      value: valueFor(`${name}:${i} in round ${round}`, someBytes(random)),
    }));
    const replies = await Promise.all(
      batch.flatMap(({ key, value }) => [
        client.send('SET', key, value),
        client.send('GET', key),
        client.send('STRLEN', key),
      ]),
    );
    for (const [i, { key, value }] of batch.entries()) {
      const [set, got, length] = replies.slice(3 * i);
      if (set !== 'OK' || !Buffer.isBuffer(got) || !got.equals(value) || length !== value.length)
        wrong.push(`${key} in round ${round}: ${value.length} bytes, ${set}, ${String(got).slice(0, 40)}`);
    }
  }
  return wrong;
}

/** Sends half a long command and goes. */
async function breakOff(address: string, random: Random): Promise<void> {
  const [host, port] = address.split(':');
  const socket = net.connect(Number(port), host);
  const frame = encodeCommand('SET', 'broken', valueFor('of nobody', someBytes(random)));
  socket.write(frame.subarray(0, random.int(frame.length)));
  await delay(SLOW_MS);
  socket.destroy();
  await once(socket, 'close');
}

/** Asks for `key` again and again, reads a little now and then, and tells of replies that are not `expected`. */
async function readSlowly(address: string, key: string, expected: Buffer, times: number): Promise<string[]> {
  const [host, port] = address.split(':');
  const socket = net.connect(Number(port), host);
  for (let i = 0; i < times; i++) socket.write(encodeCommand('GET', key));
  const reply = Buffer.concat([Buffer.from(`$${expected.length}\r\n`), expected, Buffer.from('\r\n')]);
  const wrong: string[] = [];
  let at = 0;
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    for (let i = 0; i < chunk.length; ) {
      const from = (at + i) % reply.length;
      const length = Math.min(chunk.length - i, reply.length - from);
      if (!chunk.subarray(i, i + length).equals(reply.subarray(from, from + length)))
        wrong.push(`${key} at ${at + i}`);
      i += length;
    }
    at += chunk.length;
    if (at === times * reply.length) break;
    await delay(1);
  }
  if (at !== times * reply.length) wrong.push(`${key}: ${at} bytes came`);
  return wrong;
}

/** Asks for a long value several times, and goes before it has read much. */
async function leaveEarly(address: string, key: string): Promise<void> {
  const [host, port] = address.split(':');
  const socket = net.connect(Number(port), host);
  for (let i = 0; i < 5; i++) socket.write(encodeCommand('GET', key));
  await once(socket, 'readable');
  socket.destroy();
  await once(socket, 'close');
}

/** What else hears of commands and replies, or answers them. */
const setups: Readonly<Record<string, () => Promise<{ proxy?: object; rest?: object }>>> = {
  'a plain proxy': async () => ({}),
  'a near cache': async () => ({
    rest: {
      nearCache: { mode: 'always', maxBytes: '64mb' },
      namespaces: [{ name: 'all', prefix: '', stalenessMs: 60_000 }],
    },
  }),
  'another cluster that gets all': async () => ({
    proxy: { shadow: { to: [{ name: 'x', leader: other.ready.resp }], share: 1, writes: true } },
  }),
};

for (const [name, setUp] of Object.entries(setups)) {
  t.test(`every client gets its own values: ${name} (SEED=${SEED})`, async (t) => {
    const { proxy = {}, rest = {} } = await setUp();
    const upstreams = [{ name: 's0', leader: node.ready.resp }];
    const { resp, client } = await proxyWith(t, { upstreams, ...proxy }, rest);
    const random = seededRandom(SEED);
    const shared = valueFor('that all read', 700 * KIB);
    await client().send('SET', 'shared', shared);
    const churning = Array.from({ length: 12 }, (_, i) =>
      churn(client(), `client ${i}`, seededRandom(SEED + 1 + i), 12),
    );
    const slow = [1, 2, 3].map(() => readSlowly(resp, 'shared', shared, 12));
    for (let i = 0; i < 20; i++) await Promise.all([breakOff(resp, random), leaveEarly(resp, 'shared')]);
    t.same((await Promise.all([...churning, ...slow])).flat(), []);
  });
}

t.test('who stalls in the middle of a value delays nobody, and who goes there stores nothing', async (t) => {
  const upstreams = [{ name: 's0', leader: node.ready.resp }];
  const { resp, client } = await proxyWith(t, { upstreams, workers: 1 });
  const [host, port] = resp.split(':');
  const first = valueFor('that came before', 1024 * KIB);
  const value = valueFor('that stalls', 1024 * KIB);
  /** Has stored a long value, and sent a part of the next. */
  const stall = async (key: string, bytes: number) => {
    const socket = net.connect(Number(port), host);
    socket.write(encodeCommand('SET', key, first));
    await once(socket, 'data');
    const frame = encodeCommand('SET', key, value);
    socket.write(frame.subarray(0, bytes));
    return { socket, rest: frame.subarray(bytes) };
  };
  const parts = [10, 100, 50 * KIB, 200 * KIB, 250 * KIB, 700 * KIB, 1024 * KIB];
  const stalled = await Promise.all(parts.map((bytes, i) => stall(`stalls ${i}`, bytes)));
  const leaving = await Promise.all(parts.map((bytes, i) => stall(`leaves ${i}`, bytes)));
  const others = Array.from({ length: 8 }, (_, i) =>
    churn(client(), `beside ${i}`, seededRandom(SEED + i), 6),
  );
  t.same((await Promise.all(others)).flat(), []);
  for (const { socket } of leaving) {
    socket.destroy();
    await once(socket, 'close');
  }
  for (const [i, { socket, rest }] of stalled.entries()) {
    const reader = client();
    t.same(await reader.send('GET', `stalls ${i}`), first, 'the value before it is there');
    socket.write(rest);
    t.equal(String((await once(socket, 'data'))[0]), '+OK\r\n');
    t.same(await reader.send('GET', `stalls ${i}`), value);
    t.same(await reader.send('GET', `leaves ${i}`), first);
    socket.destroy();
  }
});

t.test('the slow log tells how a long value begins', async (t) => {
  const upstreams = [{ name: 's0', leader: node.ready.resp }];
  const { client } = await proxyWith(t, { upstreams, workers: 1 });
  const own = client();
  // Not 0: then every command is taken whole.
  await own.send('CONFIG', 'SET', 'slowlog-log-slower-than', '1');
  for (let i = 0; i < 3; i++) t.equal(await own.send('SET', 'slow', valueFor(`${i}`, 700 * KIB)), 'OK');
  const [entry] = (await own.send('SLOWLOG', 'GET', '1')) as unknown[][];
  const [name, key, value] = (entry[3] as unknown[]).map(String);
  t.same([name, key], ['SET', 'slow']);
  t.match(value, /^value 2, .*more bytes/);
});

t.test(`when connections to the node break, too (SEED=${SEED})`, async (t) => {
  const between = await TcpProxy.start(node.ready.resp);
  t.teardown(() => between.stop());
  const { client } = await proxyWith(t, { upstreams: [{ name: 's0', leader: between.address }] });
  const wrong: string[] = [];
  let [read, failed, isOver] = [0, 0, false];
  const reading = Array.from({ length: 6 }, async (_, i) => {
    const own = client();
    const random = seededRandom(SEED + 100 + i);
    while (!isOver) {
      const key = `broken ${i}:${random.int(4)}`;
      // The text of each key's values is always the same; a write may or may not have been done.
      if ((await own.send('SET', key, valueFor(key, someBytes(random)))) !== 'OK') failed++;
      const got = await own.send('GET', key);
      if (!Buffer.isBuffer(got)) continue;
      read++;
      if (!got.equals(valueFor(key, got.length))) wrong.push(`${key}: ${got.length} bytes`);
    }
  });
  const random = seededRandom(SEED);
  for (let i = 0; i < 10; i++) {
    await between.cutAfter(2000 * KIB + random.int(10_000 * KIB));
    between.restore();
  }
  isOver = true;
  await Promise.all(reading);
  t.same(wrong, []);
  t.ok(read > 50, `${read} values read, ${failed} writes failed`);
});

t.test(`those of memcached clients likewise (SEED=${SEED})`, async (t) => {
  const upstreams = [{ name: 's0', leader: node.ready.resp }];
  const { proxy } = await proxyWith(t, { upstreams, memcachedPort: 'auto' });
  const wrong: string[] = [];
  const storing = Array.from({ length: 6 }, async (_, i) => {
    const client = new MemcachedClient(t, proxy.listeners.memcached);
    const random = seededRandom(SEED + 200 + i);
    for (let round = 0; round < 12; round++) {
      const key = `mc${i}`;
      const value = valueFor(`${key} in round ${round}`, 64 * KIB + random.int(900 * KIB));
      const head = `set ${key} 0 0 ${value.length}\r\n`;
      const stored = await client.ask(Buffer.concat([Buffer.from(head), value, Buffer.from('\r\n')]));
      const got = await client.ask(`get ${key}\r\n`);
      const expected = `VALUE ${key} 0 ${value.length}\r\n${value}\r\nEND\r\n`;
      if (stored !== 'STORED\r\n' || got !== expected) wrong.push(`${key} in round ${round}: ${stored}`);
    }
  });
  await Promise.all(storing);
  t.same(wrong, []);
});
