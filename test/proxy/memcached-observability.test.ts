import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { keyHashHex } from '../../lib/ring/index.ts';
import { MemcachedClient } from '../support/memcached-client.ts';
import { memcachedNodes, memcachedProxy } from '../support/memcached-stack.ts';
import { fakeNodes, proxyWith, upstreamsOf } from '../support/proxy-under-test.ts';
import { type Said, say } from '../support/reply-text.ts';
import type { RespClient } from '../support/resp-client.ts';
import { until } from '../support/until.ts';

/* What the proxy tells of the commands of memcached clients: slow log, latency, access log. */

const nodes = await memcachedNodes(t, 2);

interface Entry {
  readonly line: string;
  readonly address: string;
}

/** The slow log, newest first. */
async function slow(admin: RespClient): Promise<Entry[]> {
  const entries = (await say(admin, 'SLOWLOG', 'GET', '-1')) as Said[][];
  return entries.map((entry) => ({ line: (entry[3] as string[]).join(' '), address: String(entry[4]) }));
}

for (const workers of [1, 2]) {
  t.test(
    `the slow log has the commands of memcached clients of all threads (${workers} workers)`,
    async (t) => {
      const stack = await memcachedProxy(t, nodes, { workers, requirePass: 'hush' });
      const admin = stack.under.client();
      await admin.text('AUTH', 'hush');
      const clients = Array.from({ length: 6 }, () => stack.client());
      t.equal(await admin.text('CONFIG', 'SET', 'slowlog-log-slower-than', '0'), 'OK');
      for (const [i, client] of clients.entries()) {
        client.socket.write('set login 0 0 12\r\ndefault hush\r\n');
        await until('it is in', () => client.text === 'STORED\r\n');
        await client.ask(`set key:${i} 7 0 200\r\n${'v'.repeat(200)}\r\nget key:${i} none\r\n`);
      }
      await clients[0].ask(
        `mg ${Buffer.from('key:1').toString('base64')} b v\r\nflush_all 1000\r\nnonsense\r\n`,
      );
      await clients[0].ask(`set large 0 0 100000\r\n${'x'.repeat(100_000)}\r\n`);
      await admin.text('CONFIG', 'SET', 'slowlog-log-slower-than', '-1');
      const entries = await slow(admin);
      for (const [i, { socket }] of clients.entries()) {
        const stored = entries.find(({ line }) => line.startsWith(`set key:${i} `));
        t.match(stored, {
          line: /^set key:\d 7 0 200 v{128}\.\.\. \(72 more bytes\)$/,
          address: `127.0.0.1:${socket.localPort}`,
        });
        t.ok(entries.some(({ line }) => line === `get key:${i} none`));
      }
      const lines = entries.map(({ line }) => line);
      for (const line of ['mg a2V5OjE= b v', 'flush_all 1000', 'none', 'auth (redacted)'])
        t.ok(lines.includes(line), line);
      t.ok(lines.some((line) => line.startsWith('set large 0 0 100000')));
      t.notMatch(lines.join('\n'), 'hush', 'no secrets');
    },
  );
}

/** A proxy before fake nodes, and a memcached client of it. */
async function held(t: Test, options: object = {}) {
  const fakes = await fakeNodes(t, 2);
  const upstreams = upstreamsOf(fakes.map((leader) => ({ leader })));
  const under = await proxyWith(t, { upstreams, memcachedPort: 'auto', readTimeoutMs: 900, ...options });
  for (const node of fakes) node.refuse = () => 'silent';
  return { ...under, fakes, memcached: new MemcachedClient(t, under.proxy.listeners.memcached) };
}

t.test('a command that turns out to be slow', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-log-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'slow.log');
  const { proxy, client, fakes, memcached } = await held(t, {
    accessLog: { path, slowerThanMs: 20, keys: 'plain' },
  });
  const admin = client();
  await admin.text('CONFIG', 'SET', 'slowlog-log-slower-than', '20000', 'latency-monitor-threshold', '20');
  const answer = memcached.ask('get held\r\nget one two three four five six\r\n');
  await until('they have been asked', () =>
    fakes.every(({ received }) => received.some(({ args }) => args.length > 1)),
  );
  await new Promise((resolve) => setTimeout(resolve, 25));
  for (const node of fakes)
    for (const { args } of node.received.filter(({ name }) => name === 'RS.MCGET'))
      node.say(`*${args.length}\r\n${'$-1\r\n'.repeat(args.length)}`);
  t.equal(await answer, 'END\r\nEND\r\n');
  const entries = await slow(admin);
  const address = `127.0.0.1:${memcached.socket.localPort}`;
  t.match(
    entries.find(({ line }) => line === 'get held'),
    { address },
  );
  t.ok(
    entries.some(({ line }) => /^get (?:one|two|three) /.test(line)),
    'a part of one that was split',
  );
  t.match(await say(admin, 'LATENCY', 'LATEST'), [['command', Number, Number, Number]]);
  await proxy.close();
  const lines = linesOf(path);
  t.match(
    lines.find(({ key }) => key === 'held'),
    { listener: 'memcached', client: address, command: 'get', shard: /^s[01]$/, slow: true, outcome: 'ok' },
  );
});

function linesOf(path: string): Record<string, unknown>[] {
  return readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

t.test('the access log has a line for each command that is sampled', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-log-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'all.log');
  const users = [{ name: 'app', rules: 'on >hush +@all -flushdb ~*' }];
  const stack = await memcachedProxy(t, nodes, {
    workers: 2,
    users,
    requirePass: 'hush',
    accessLog: { path, sample: 1 },
  });
  const client = stack.client();
  client.socket.write('set login 0 0 8\r\napp hush\r\n');
  await until('it is in', () => client.text === 'STORED\r\n');
  await client.ask('set a 5 0 5\r\nvalue\r\nget a\r\nget a b c d e f\r\nget missing\r\n');
  await client.ask('incr a 1\r\nflush_all\r\nnonsense\r\nversion\r\n');
  const address = `127.0.0.1:${client.socket.localPort}`;
  await stack.under.proxy.close();
  const lines = linesOf(path).filter(({ listener }) => listener === 'memcached');
  t.ok(lines.every((line) => line.client === address));
  const find = (command: string) => lines.find((line) => line.command === command);
  t.match(find('set'), {
    time: /^20\d\d-.*Z$/,
    user: 'app',
    keyHash: keyHashHex(Buffer.from('a')),
    shard: /^s[01]$/,
    node: nodes.find((node) => node === find('set')?.node),
    durationMs: Number,
    bytesIn: 'set a 5 0 5\r\nvalue\r\n'.length,
    bytesOut: 'STORED\r\n'.length,
    outcome: 'ok',
  });
  const gets = lines.filter(({ command }) => command === 'get');
  t.equal(gets.length, 3);
  t.same(
    gets.map(({ bytesOut }) => bytesOut).toSorted((x, y) => Number(x) - Number(y)),
    ['END\r\n', 'VALUE a 5 5\r\nvalue\r\nEND\r\n', 'VALUE a 5 5\r\nvalue\r\nEND\r\n'].map(
      ({ length }) => length,
    ),
  );
  t.match(find('incr'), { keyHash: keyHashHex(Buffer.from('a')), outcome: /^[A-Z_]+$/ });
  t.not(find('incr')?.outcome, 'ok');
  t.match(find('flush_all'), { outcome: 'CLIENT_ERROR' });
  t.match(find('none'), { outcome: 'ERROR' });
  t.match(find('version'), { outcome: 'ok', bytesOut: 'VERSION 1.6.18\r\n'.length });
  t.match(find('auth'), { user: 'default', outcome: 'ok' });
  t.notMatch(JSON.stringify(lines), /hush|"value/, 'neither secrets nor values');
});
