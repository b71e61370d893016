import { readFileSync } from 'node:fs';
import net from 'node:net';
import t, { type Test } from 'tap';
import { request } from 'undici';
import { seededRandom } from '../../lib/base/index.ts';
import { calm, DevCluster } from '../support/dev-cluster.ts';
import { RespClient } from '../support/resp-client.ts';

/* Bad input on every port a cluster opens: each connection gets its own end, and nobody else notices. */

const cluster = await DevCluster.start('--shards', '1', '--followers', '1', ...calm());
t.teardown(() => cluster.stop());
const ready = await cluster.whole(1, 1);
const shard = ready.shards[0];
const nodes = [shard.leader!, ...shard.followers];
const pids = [...nodes, ...ready.proxies, ...ready.controlPlane].map(({ pid }) => pid);

const seed = Number(process.env.SEED ?? 20261121);
const random = seededRandom(seed);

const listeners: Record<string, string> = {
  'proxy RESP': cluster.at(7379),
  'proxy memcached': cluster.at(7311),
  'proxy HTTP': cluster.at(7380),
  'proxy gRPC': cluster.at(7381),
  'proxy admin': cluster.at(7390),
  'control plane HTTP': cluster.at(7400),
  'control plane gRPC': cluster.at(7401),
  'node RESP': nodes[0].address,
  'node admin': nodes[0].admin,
};

const residentBytes = (pid: number) =>
  1024 * Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]);

/** What a connection went through: what it received, and whether the other side ended it. */
interface Outcome {
  received: string;
  closed: boolean;
}

/** Opens a connection, lets `act` misbehave on it, and waits for its end or for `patienceMs` without one. */
async function misbehave(
  address: string,
  act: (socket: net.Socket) => void,
  patienceMs = 300,
): Promise<Outcome> {
  const [host, port] = address.split(':');
  const socket = net.connect(Number(port), host);
  const outcome = { received: '', closed: false };
  socket.on('data', (chunk) => {
    if (outcome.received.length < 65_536) outcome.received += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  await new Promise<void>((done) => socket.once('connect', done));
  await new Promise<void>((done) => {
    const timer = setTimeout(done, patienceMs);
    socket.once('close', () => {
      outcome.closed = true;
      clearTimeout(timer);
      done();
    });
    act(socket);
  });
  socket.destroy();
  return outcome;
}

const randomBytes = (count: number) => Buffer.from(Array.from({ length: count }, () => random.int(256)));

/** Everybody who behaves is still served, on every listener. */
async function othersAreFine(t: Test, bystander: RespClient): Promise<void> {
  t.equal(await bystander.text('PING'), 'PONG', 'a connection opened before goes on');
  const client = new RespClient(cluster.at(7379));
  t.equal(await client.text('SET', 'fine', '1'), 'OK');
  t.equal(await client.text('GET', 'fine'), '1');
  client.close();
  for (const url of [
    `${cluster.at(7380)}/v1/key/fine`,
    `${cluster.at(7390)}/healthz`,
    `${cluster.at(7400)}/healthz`,
  ]) {
    const { statusCode, body } = await request(`http://${url}`);
    await body.dump();
    t.equal(statusCode, 200, url);
  }
  for (const pid of pids) t.doesNotThrow(() => process.kill(pid, 0), `process ${pid} lives`);
}

const bystander = new RespClient(cluster.at(7379));
t.teardown(() => bystander.close());

t.test(`random bytes on every listener (seed ${seed})`, async (t) => {
  for (const address of Object.values(listeners)) {
    await Promise.all(
      Array.from({ length: 20 }, () => {
        const bytes = randomBytes(1 + random.int(4_000));
        return misbehave(address, (socket) => socket.write(bytes));
      }),
    );
  }
  await othersAreFine(t, bystander);
});

t.test('truncated requests and half-closed connections', async (t) => {
  const beginnings = [
    '*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100\r\nhal',
    'set k 0 0 100\r\nhal',
    'PUT /v1/key/k HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhal',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0',
  ];
  for (const [name, address] of Object.entries(listeners)) {
    for (const beginning of beginnings) {
      const outcome = await misbehave(address, (socket) => socket.end(beginning), 30_000);
      t.ok(outcome.closed, `${name} closes after a half-closed ${JSON.stringify(beginning.slice(0, 12))}…`);
    }
  }
  await othersAreFine(t, bystander);
});

t.test('oversized requests are refused before they are read', async (t) => {
  const huge = 'x'.repeat(1 << 20);
  const before = Math.max(...pids.map(residentBytes));
  for (const name of ['proxy RESP', 'node RESP']) {
    const bulk = await misbehave(
      listeners[name],
      (socket) => socket.write('*2\r\n$3\r\nGET\r\n$9999999999\r\n'),
      30_000,
    );
    t.match(bulk.received, /^-ERR Protocol error: invalid bulk length/, `${name}: bulk length`);
    t.ok(bulk.closed);
    const count = await misbehave(listeners[name], (socket) => socket.write('*99999999\r\n'), 30_000);
    t.match(count.received, /^-ERR Protocol error: invalid multibulk length/, `${name}: multibulk length`);
    t.ok(count.closed);
    const inline = await misbehave(listeners[name], (socket) => socket.write(huge), 30_000);
    t.match(inline.received, /^-ERR Protocol error: too big inline request/, `${name}: inline`);
    t.ok(inline.closed);
  }
  const line = await misbehave(listeners['proxy memcached'], (socket) => socket.write(huge), 30_000);
  t.match(line.received, /ERROR/, 'memcached: line');
  t.ok(line.closed);
  const body = await misbehave(
    listeners['proxy HTTP'],
    (socket) => socket.write('PUT /v1/key/k HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n'),
    30_000,
  );
  t.match(body.received, /^HTTP\/1.1 413 /, 'HTTP: body');
  for (const name of ['proxy HTTP', 'proxy admin', 'control plane HTTP', 'node admin']) {
    const head = `GET / HTTP/1.1\r\nHost: x\r\nX-Huge: ${huge}\r\n\r\n`;
    const outcome = await misbehave(listeners[name], (socket) => socket.write(head), 30_000);
    t.match(outcome.received, /^HTTP\/1.1 4\d\d /, `${name}: head`);
    t.ok(outcome.closed);
  }
  // Announced and never sent: nothing may be set aside for it.
  const announced = Array.from({ length: 200 }, () =>
    misbehave(listeners['proxy RESP'], (socket) =>
      socket.write('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$60000000\r\nx'),
    ),
  );
  await Promise.all(announced);
  const grown = Math.max(...pids.map(residentBytes)) - before;
  t.ok(grown < 96 << 20, `no process grew by more than ${(grown / 1048576).toFixed(0)} MB`);
  await othersAreFine(t, bystander);
});

t.test('slow-loris: hundreds of connections that never finish a request', async (t) => {
  const open: net.Socket[] = [];
  for (const address of Object.values(listeners)) {
    const [host, port] = address.split(':');
    for (let i = 0; i < 100; i++) {
      const socket = net.connect(Number(port), host);
      socket.on('error', () => {});
      open.push(socket);
      socket.write(i % 2 === 0 ? 'G' : '*');
    }
  }
  await othersAreFine(t, bystander);
  for (const socket of open) socket.destroy();
});

t.test('a reader that never reads is stopped, not stored', async (t) => {
  const writer = new RespClient(cluster.at(7379));
  await writer.send('SET', 'megabyte', Buffer.alloc(1 << 20, 'x'));
  const before = Math.max(...pids.map(residentBytes));
  for (const name of ['proxy RESP', 'node RESP']) {
    const [host, port] = listeners[name].split(':');
    const socket = net.connect(Number(port), host);
    socket.on('error', () => {});
    socket.pause();
    socket.write('*2\r\n$3\r\nGET\r\n$8\r\nmegabyte\r\n'.repeat(2_000));
    t.equal(await writer.text('PING'), 'PONG');
    await othersAreFine(t, bystander);
    const grown = Math.max(...pids.map(residentBytes)) - before;
    t.ok(grown < 400 << 20, `${name}: 2 GB of replies asked for, ${(grown / 1048576).toFixed(0)} MB held`);
    socket.destroy();
  }
  writer.close();
});
