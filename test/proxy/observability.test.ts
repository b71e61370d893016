import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import grpc from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { request } from 'undici';
import { seededRandom } from '../../lib/base/index.ts';
import { DurationCounts, durationsOf } from '../../lib/metrics/index.ts';
import { keyHashHex } from '../../lib/ring/index.ts';
import type { FakeNode } from '../support/fake-node.ts';
import { fakeNodes, proxyWith, upstreamsOf } from '../support/proxy-under-test.ts';
import { type Said, say } from '../support/reply-text.ts';
import type { RespClient } from '../support/resp-client.ts';
import { until } from '../support/until.ts';
import { caller, packages } from './grpc-contract.ts';

/* What the proxy tells of its commands: slow log, latency, access log, metrics, /clusters. */

async function proxyOf(t: Test, options: object = {}) {
  const nodes = await fakeNodes(t, 3);
  const under = await proxyWith(t, {
    upstreams: upstreamsOf(nodes.map((leader) => ({ leader }))),
    adminPort: 'auto',
    ...options,
  });
  const admin = async (path: string) => {
    const { body } = await request(`http://${under.proxy.listeners.admin}${path}`);
    return body.text();
  };
  return { ...under, nodes, admin };
}

/** The commands of SLOWLOG GET -1, newest first. */
async function slow(client: RespClient): Promise<string[]> {
  const entries = (await say(client, 'SLOWLOG', 'GET', '-1')) as Said[][];
  return entries.map((entry) => (entry[3] as string[]).join(' '));
}

t.test('durations are counted as by an HDR histogram', async (t) => {
  const counts = new DurationCounts();
  const random = seededRandom(5);
  const values = Array.from({ length: 5000 }, () => 0.001 * 1.4 ** random.int(50) * (1 + random.next()));
  for (const value of values) counts.record(value, 2);
  const durations = durationsOf([counts.counted(), counts.counted()]);
  t.equal(durations.total, 20_000);
  const sum = values.reduce((total, value) => total + value, 0) * 4;
  t.ok(Math.abs(durations.sum / 1e6 - sum) < sum * 1e-9, 'the sum is exact');
  values.sort((a, b) => a - b);
  for (const percent of [1, 50, 90, 99, 99.9]) {
    const exactNs = values[Math.ceil((percent / 100) * values.length) - 1] * 1e6;
    const ratio = durations.percentile(percent) / exactNs;
    t.ok(ratio > 0.98 - 250 / exactNs && ratio < 1.02 + 250 / exactNs, `p${percent}: ${ratio}`);
  }
});

for (const workers of [1, 2]) {
  t.test(`the slow log has the commands of all threads (${workers} workers)`, async (t) => {
    const { client } = await proxyOf(t, { workers });
    const clients = Array.from({ length: 6 }, client);
    const [admin] = clients;
    await admin.text('CONFIG', 'SET', 'slowlog-log-slower-than', '600000000');
    await Promise.all(clients.map((one, i) => one.text('CLIENT', 'SETNAME', `c${i}`)));
    t.same(await slow(admin), [], 'nothing is slow');
    t.equal(await admin.text('CONFIG', 'SET', 'slowlog-log-slower-than', '0'), 'OK');
    for (const [i, one] of clients.entries()) await one.text('SET', `key:${i}`, 'v'.repeat(200));
    await admin.text('MGET', 'key:0', 'key:1', 'key:2', 'key:3', 'key:4', 'key:5');
    await say(admin, 'AUTH', 'default', 'hush');
    await admin.text('CONFIG', 'SET', 'slowlog-log-slower-than', '-1');
    const entries = (await say(admin, 'SLOWLOG', 'GET', '-1')) as Said[][];
    const lines = entries.map((entry) => (entry[3] as string[]).join(' '));
    for (let i = 0; i < 6; i++) {
      const at = lines.findIndex((line) => line.startsWith(`SET key:${i} `));
      t.match(lines[at], /v{128}\.\.\. \(72 more bytes\)$/);
      t.equal(entries[at][5], `c${i}`);
      t.match(entries[at][4], /^127\.0\.0\.1:\d+$/);
    }
    t.ok(lines.some((line) => line.startsWith('MGET key:0 ')));
    t.notMatch(lines.join('\n'), 'hush', 'no secrets');
    const ids = entries.map(([id]) => Number(id));
    t.same(
      ids,
      ids.toSorted((a, b) => b - a),
      'the newest first',
    );
    t.equal(new Set(ids).size, ids.length);
    t.equal(await say(admin, 'SLOWLOG', 'LEN'), entries.length);
    t.equal(((await say(admin, 'SLOWLOG', 'GET', '2')) as Said[]).length, 2);
    t.equal(await admin.text('CONFIG', 'SET', 'slowlog-max-len', '3'), 'OK');
    t.equal(await say(admin, 'SLOWLOG', 'LEN'), 3);
    t.equal(await admin.text('SLOWLOG', 'RESET'), 'OK');
    t.equal(await say(admin, 'SLOWLOG', 'LEN'), 0);
    t.match(await say(admin, 'SLOWLOG', 'GET', '-2'), {
      message: 'ERR count should be greater than or equal to -1',
    });
  });
}

t.test('a command that turns out to be slow is in the slow log, with what was asked', async (t) => {
  const { client, nodes } = await proxyOf(t);
  const c = client();
  await c.text('CONFIG', 'SET', 'slowlog-log-slower-than', '1000000', 'latency-monitor-threshold', '1000');
  await c.text('SET', 'quick', '1');
  for (const node of nodes) node.refuse = () => 'silent';
  const one = c.text('GET', 'held');
  const many = c.text('MGET', ...Array.from({ length: 9 }, (_, i) => `many:${i}`));
  await until('all nodes have been asked', () => nodes.every(({ names }) => names.includes('MGET')));
  await new Promise((resolve) => setTimeout(resolve, 1005));
  for (const node of nodes) {
    for (const { name, args } of node.received.filter(({ name }) => name === 'GET' || name === 'MGET'))
      node.say(name === 'GET' ? '$-1\r\n' : `*${args.length}\r\n${'$-1\r\n'.repeat(args.length)}`);
  }
  await Promise.all([one, many]);
  const lines = await slow(c);
  t.ok(lines.includes('GET held'), 'the whole command');
  t.ok(
    lines.some((line) => line.startsWith('MGET many:')),
    'a part of one that was split',
  );
  t.notOk(lines.some((line) => line.includes('quick')));
  t.match(await say(c, 'LATENCY', 'LATEST'), [['command', Number, Number, Number]]);
  t.match(await say(c, 'LATENCY', 'HISTORY', 'command'), [[Number, Number]]);
  t.match(String(await say(c, 'LATENCY', 'GRAPH', 'command')), /^command - high \d+ ms/);
  t.match(String(await say(c, 'LATENCY', 'DOCTOR')), /1\. command: \d+ latency spikes/);
  t.equal(await say(c, 'LATENCY', 'RESET'), 1);
  t.same(await say(c, 'LATENCY', 'LATEST'), []);
});

for (const workers of [1, 2]) {
  t.test(`the slow log has the operations of HTTP and gRPC as commands (${workers} workers)`, async (t) => {
    const ports = { httpPort: 'auto', grpcPort: 'auto' };
    const { client, proxy } = await proxyOf(t, { workers, engine: 'redis', ...ports });
    const admin = client();
    const at = `http://${proxy.listeners.http}/v1`;
    const http = async (method: 'GET' | 'PUT' | 'POST' | 'DELETE', path: string, body?: string) =>
      (await request(`${at}/${path}`, { method, body })).body.dump();
    const cache = new packages.ringside.v1.Cache(proxy.listeners.grpc, grpc.credentials.createInsecure());
    t.teardown(() => cache.close());
    const call = caller(cache);
    const key = Buffer.from('of:grpc');
    // Longer than a busy machine keeps anybody waiting.
    await admin.text('CONFIG', 'SET', 'slowlog-log-slower-than', '600000000');
    await http('PUT', 'key/quick', 'v');
    await call('get', { key });
    t.same(await slow(admin), [], 'nothing is slow');
    t.equal(await admin.text('CONFIG', 'SET', 'slowlog-log-slower-than', '0'), 'OK');
    const manyKeys = Array.from({ length: 40 }, (_, i) => `k${i}`);
    await http('PUT', 'key/a', 'v'.repeat(5000));
    await http('GET', `key/${'long'.repeat(50)}`);
    await http('POST', 'mget', JSON.stringify({ keys: manyKeys }));
    await http('POST', 'key/n/incr', '{"by": "7"}');
    await http('POST', 'purge', '{"keys": ["b", "c"]}');
    await call('put', { key, value: Buffer.from('value') });
    await call('get', { key });
    await call('delete', { key });
    await call('increment', { key, by: -3 });
    await call('multiGet', { keys: [key, Buffer.from('d')] });
    await call('purge', { keys: [key] });
    await admin.text('CONFIG', 'SET', 'slowlog-log-slower-than', '-1');
    await http('GET', 'key/later');
    const entries = (await say(admin, 'SLOWLOG', 'GET', '-1')) as Said[][];
    const ofApi = entries.filter(([, , , args]) => String((args as string[])[0]) !== 'CONFIG').reverse();
    t.same(
      ofApi.map(([, , , args]) => (args as string[]).join(' ')),
      [
        `SET a ${'v'.repeat(128)}... (4872 more bytes)`,
        `GET ${'long'.repeat(32)}... (72 more bytes)`,
        `MGET ${manyKeys.slice(0, 30).join(' ')} ... (10 more arguments)`,
        'INCRBY n 7',
        'RS.PURGE KEY b c',
        'SET of:grpc value',
        'GET of:grpc',
        'DEL of:grpc',
        'INCRBY of:grpc -3',
        'MGET of:grpc d',
        'RS.PURGE KEY of:grpc',
      ],
    );
    for (const [, , , , address, name] of ofApi) {
      t.match(address, /^127\.0\.0\.1:\d+$/);
      t.equal(name, '');
    }
  });
}

t.test(
  'an operation of HTTP or gRPC that turns out to be slow is noted, also when its client has gone',
  async (t) => {
    const ports = { httpPort: 'auto', grpcPort: 'auto' };
    const { client, proxy, nodes } = await proxyOf(t, { engine: 'redis', ...ports });
    const admin = client();
    await admin.text('CONFIG', 'SET', 'slowlog-log-slower-than', '20000', 'latency-monitor-threshold', '20');
    for (const node of nodes) node.refuse = ({ name }) => (name === 'DEL' ? 'silent' : undefined);
    const [host, port] = proxy.listeners.http.split(':');
    const socket = net.connect(Number(port), host);
    await new Promise((resolve) => socket.once('connect', resolve));
    const address = `127.0.0.1:${socket.localPort}`;
    socket.write('DELETE /v1/key/a HTTP/1.1\r\nHost: a\r\n\r\n');
    const cache = new packages.ringside.v1.Cache(proxy.listeners.grpc, grpc.credentials.createInsecure());
    t.teardown(() => cache.close());
    const call = cache.delete({ key: Buffer.from('b') }, () => {});
    const deletions = ({ names }: FakeNode) => names.filter((name) => name === 'DEL').length;
    await until(
      'the nodes have been asked',
      () => nodes.reduce((sum, node) => sum + deletions(node), 0) === 2,
    );
    socket.destroy();
    call.cancel();
    await delay(25);
    for (const node of nodes) node.say(':1\r\n'.repeat(deletions(node)));
    const entries = await until('both are noted', async () => {
      const all = (await say(admin, 'SLOWLOG', 'GET', '-1')) as Said[][];
      const found = all.filter(([, , , args]) => (args as string[])[0] === 'DEL');
      return found.length === 2 ? found : null;
    });
    const addressOf = new Map(entries.map(([, , , args, from]) => [(args as string[])[1], from]));
    t.equal(addressOf.get('a'), address);
    t.match(addressOf.get('b'), /^127\.0\.0\.1:\d+$/);
    t.match(await say(admin, 'LATENCY', 'LATEST'), [['command', Number, Number, Number]]);
  },
);

t.test('LATENCY HISTOGRAM, /latency and the metrics count every command of every listener', async (t) => {
  const { client, admin, proxy } = await proxyOf(t, { workers: 2, httpPort: 'auto' });
  const clients = Array.from({ length: 6 }, client);
  await Promise.all(clients.map((one, i) => one.text('SET', `key:${i}`, '1')));
  await Promise.all(clients.flatMap((one) => Array.from({ length: 50 }, () => one.text('GET', 'key:1'))));
  await Promise.all(clients.map((one) => say(one, 'CONFIG', 'SET', 'nonsense', '1')));
  const histogram = (await say(clients[0], 'LATENCY', 'HISTOGRAM', 'get', 'set', 'append')) as Said[];
  t.match(histogram, [
    'get',
    ['calls', 300, 'histogram_usec', Array],
    'set',
    ['calls', 6, 'histogram_usec', Array],
  ]);
  const body = await request(`http://${proxy.listeners.http}/v1/key/key:1`);
  await body.body.dump();

  const { commands } = JSON.parse(await admin('/latency'));
  const find = (listener: string, command: string) =>
    commands.find((one: Record<string, string>) => one.listener === listener && one.command === command);
  t.match(find('resp', 'get'), { calls: 300, failed: 0, meanMs: Number });
  t.match(find('resp', 'config|set'), { calls: 6, failed: 6 });
  const { p50, p99, max } = find('resp', 'get').latencyMs;
  t.ok(p50 > 0 && p50 <= p99 && p99 <= max);
  t.ok(find('http', 'get').calls === 1);

  const text = await admin('/metrics');
  t.match(text, /ringside_proxy_command_seconds_count\{listener="resp",command="get"\} 300\n/);
  t.match(
    text,
    /ringside_proxy_command_seconds_bucket\{.*command="set".*le="\+Inf"\} 6\n|ringside_proxy_command_seconds_bucket\{le="\+Inf".*command="set"\} 6\n/,
  );
  t.match(text, /ringside_proxy_command_failures_total\{listener="resp",command="config\|set"\} 6\n/);
  t.match(text, /ringside_proxy_upstream_seconds_count\{shard="s0",node="127/);

  t.equal(await clients[0].text('CONFIG', 'RESETSTAT'), 'OK');
  const after = JSON.parse(await admin('/latency')).commands;
  t.notOk(after.some(({ command }: { command: string }) => command === 'get'));
});

t.test('/clusters tells of every node, in 80 columns and as JSON', async (t) => {
  const { client, admin, nodes } = await proxyOf(t, { workers: 2 });
  const clients = Array.from({ length: 4 }, client);
  await Promise.all(
    clients.flatMap((c) => Array.from({ length: 60 }, (_, i) => c.text('SET', `key:${i}`, '1'))),
  );
  for (const node of nodes) node.refuse = () => '-ERR no\r\n';
  await say(clients[0], 'GET', 'key:1');
  const { shards } = JSON.parse(await admin('/clusters?format=json'));
  t.match(
    shards.map(({ shard }: { shard: string }) => shard),
    ['s0', 's1', 's2'],
  );
  for (const { nodes: listed } of shards) {
    t.match(listed, [
      {
        role: 'leader',
        state: 'connected',
        inFlight: 0,
        queuedBytes: 0,
        connections: { private: 0 },
        retries: 0,
        failures: 0,
        latencyMs: { p50: Number, p90: Number, p99: Number, p999: Number, max: Number },
      },
    ]);
    t.ok(listed[0].connections.shared >= 2, 'of each thread');
  }
  const total = (name: string) =>
    shards.reduce((sum: number, one: { nodes: Record<string, number>[] }) => sum + one.nodes[0][name], 0);
  t.equal(total('requests'), 241);
  t.equal(total('errors'), 1);
  const text = await admin('/clusters');
  t.match(text, /^s0: engine ringside\nNODE +ROLE +STATE +BUSY/);
  t.ok(text.split('\n').every((line) => line.length <= 80));
  t.match(text, /127\.0\.0\.1:\d+ +leader ok /);
  await nodes[0].stop();
  await until('the dead node is shown', async () => (await admin('/clusters')).includes('SUSPECT'));
});

t.test('the access log has a line for what is sampled and for what is slow', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-log-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const linesOf = (path: string): Record<string, unknown>[] =>
    readFileSync(path, 'utf8')
      .trim()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));

  await t.test('all commands', async (t) => {
    const path = join(folder, 'deep', 'all.log');
    const { client, proxy } = await proxyOf(t, {
      workers: 2,
      accessLog: { path, sample: 1 },
      httpPort: 'auto',
    });
    const c = client();
    await c.text('CLIENT', 'SETNAME', 'app');
    await c.text('SET', 'a', 'value');
    await say(c, 'INCRBY', 'a', 'b', 'c');
    await c.text('MGET', 'a', 'b', 'c', 'd', 'e');
    const { body } = await request(`http://${proxy.listeners.http}/v1/key/a`);
    await body.dump();
    await proxy.close();
    const lines = linesOf(path);
    t.match(
      lines.find(({ command }) => command === 'set'),
      {
        time: /^20\d\d-.*Z$/,
        listener: 'resp',
        client: /^127\.0\.0\.1:\d+$/,
        name: 'app',
        user: 'default',
        command: 'set',
        keyHash: keyHashHex(Buffer.from('a')),
        shard: /^s[012]$/,
        node: /^127\.0\.0\.1:\d+$/,
        durationMs: Number,
        bytesIn: 31,
        bytesOut: 5,
        outcome: 'ok',
      },
    );
    t.ok(lines.some(({ command, listener }) => command === 'get' && listener === 'http'));
    t.ok(lines.some(({ command, keyHash }) => command === 'mget' && keyHash !== undefined));
    t.notOk(JSON.stringify(lines).includes('value'), 'no values');
  });

  await t.test('a part of them', async (t) => {
    const path = join(folder, 'some.log');
    const { client, proxy } = await proxyOf(t, { accessLog: { path, sample: 0.05, keys: 'plain' } });
    const c = client();
    await Promise.all(Array.from({ length: 4000 }, (_, i) => c.text('SET', `key:${i}`, '1')));
    await proxy.close();
    const lines = linesOf(path).filter(({ command }) => command === 'set');
    t.ok(lines.length > 100 && lines.length < 320, `${lines.length} of 4000 at 5 %`);
    t.match(lines[0], { key: /^key:\d+$/ });
    t.notOk(
      lines.some(({ slow }) => slow),
      'none is slow where nothing says what is',
    );
  });

  for (const sample of [0, 1]) {
    await t.test(`slow ones, with ${sample * 100} % of all`, async (t) => {
      const path = join(folder, `slow-${sample}.log`);
      const accessLog = { path, sample, slowerThanMs: 30, keys: 'plain' };
      const { client, proxy, nodes } = await proxyOf(t, {
        accessLog,
        readTimeoutMs: 5000,
        operationTimeoutMs: 6000,
      });
      const c = client();
      for (const node of nodes) node.refuse = () => 'silent';
      const held = say(c, 'GET', 'held');
      await until('it has been asked', () => nodes.some(({ names }) => names.includes('GET')));
      await new Promise((resolve) => setTimeout(resolve, 35));
      nodes.find(({ names }) => names.includes('GET'))!.say('-ERR late\r\n');
      await held;
      await proxy.close();
      t.match(
        linesOf(path).find(({ command }) => command === 'get'),
        { key: 'held', outcome: 'ERR', slow: true, durationMs: Number },
      );
    });
  }
});
