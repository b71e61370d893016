import { readFileSync } from 'node:fs';
import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { IdleClients } from '../../bench/support/idle-clients.ts';
import { forgetPeak, peakResidentBytes, residentBytes } from '../../bench/support/resident.ts';
import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { patientArgs } from '../support/patience.ts';
import { RespClient } from '../support/resp-client.ts';
import { type Ringside, startRingside } from '../support/ringside.ts';
import { until } from '../support/until.ts';

/* What many clients, large values and clients that do not read cost a proxy, as a process of its own in front of a real node. */

const MIB = 1024 * 1024;
const IDLE_CLIENTS = 10_000;
const IDLE_BYTES = 10 * 1024;
const SETTLE_MS = 1500;
/** File descriptors that a process needs beside its clients'. */
const OTHER_FILES = 300;

const off = ['http', 'grpc', 'memcached', 'admin'].flatMap((name) => [`--${name}-port`, 'off']);
const node = await startRingside(['node', '--standalone', '--port', 'auto', '--admin-port', 'off']);
t.teardown(() => node.stop());

async function startProxy(t: Test, ...settings: string[]): Promise<Ringside> {
  const more = settings.flatMap((setting) => ['--set', setting]);
  const upstream = ['--upstream', `s0=${node.ready.resp}`];
  const proxy = await startRingside([
    'proxy',
    '--resp-port',
    'auto',
    ...off,
    ...upstream,
    ...patientArgs,
    ...more,
  ]);
  t.teardown(() => proxy.stop());
  return proxy;
}

function clientOf(t: Test, address: string): RespClient {
  const client = new RespClient(address);
  t.teardown(() => client.close());
  return client;
}

const files = Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))![1]);
const fewFiles = files < IDLE_CLIENTS + OTHER_FILES && `skipped: ${files} files may be open (ulimit -n)`;

t.test('10,000 idle clients', { skip: fewFiles }, async (t) => {
  const proxy = await startProxy(t);
  const port = Number(proxy.ready.resp.split(':')[1]);
  const clients = new IdleClients(port);
  t.teardown(() => clients.close());
  await clients.connect(50);
  await clients.ask(encodeCommand('GET', 'idle'));
  await delay(SETTLE_MS);
  const before = residentBytes(proxy.pid);
  await clients.connect(IDLE_CLIENTS - 50);
  await clients.ask(encodeCommand('GET', 'idle'));
  let each = Number.POSITIVE_INFINITY;
  await until('it has settled', () => {
    each = (residentBytes(proxy.pid) - before) / (IDLE_CLIENTS - 50);
    return each <= IDLE_BYTES;
  }).catch(() => {});
  t.ok(each <= IDLE_BYTES, `${each.toFixed(0)} bytes each`);
  t.equal(clients.open, IDLE_CLIENTS);
  const surplus = new IdleClients(port);
  await surplus.connect(1);
  const [refused] = surplus.sockets;
  const [text] = await new Promise<Buffer[]>((resolve) => refused.once('data', (...data) => resolve(data)));
  t.match(
    String(text),
    /^-OVERLOADED max number of clients reached \(setting proxy\.limits\.maxConnections\)/,
  );
  surplus.close();
  await clients.ask(encodeCommand('PING'));
});

t.test('1 MB values in and out, by many at once', async (t) => {
  const proxy = await startProxy(t);
  const clients = Array.from({ length: 50 }, () => clientOf(t, proxy.ready.resp));
  await clients[0].text('PING');
  forgetPeak(proxy.pid);
  const before = residentBytes(proxy.pid);
  const wrong: unknown[] = [];
  await Promise.all(
    clients.map(async (client, i) => {
      for (let round = 0; round < 3; round++) {
        const value = Buffer.alloc(MIB, `value ${round} of client ${i}, `);
        const [written, , read] = await Promise.all([
          client.send('SET', `large:${i}`, value),
          client.send('SET', `small:${i}`, 'behind it'),
          client.send('GET', `large:${i}`),
        ]);
        if (written !== 'OK' || !Buffer.isBuffer(read) || !read.equals(value))
          wrong.push([i, round, String(written), String(read).slice(0, 100)]);
      }
    }),
  );
  t.same(wrong, []);
  const grown = (peakResidentBytes(proxy.pid) - before) / MIB;
  t.ok(grown < 400, `150 values of 1 MB each way, 50 at a time: ${grown.toFixed(0)} MiB more at the peak`);
  await Promise.all(clients.map((client, i) => client.text('DEL', `large:${i}`, `small:${i}`)));
});

/** Asks for `key` so often, and reads nothing. */
function greedy(t: Test, address: string, key: string, times: number): net.Socket {
  const [host, port] = address.split(':');
  const socket = net.connect(Number(port), host);
  t.teardown(() => socket.destroy());
  socket.on('error', () => {}).pause();
  socket.write(Buffer.concat(Array.from({ length: times }, () => encodeCommand('GET', key))));
  return socket;
}

t.test('a client that stops reading is throttled, then cut, and nobody else notices', async (t) => {
  const proxy = await startProxy(t, 'proxy.limits.stalledReaderTimeoutMs=5000');
  const bystander = clientOf(t, proxy.ready.resp);
  const direct = clientOf(t, node.ready.resp);
  await bystander.send('SET', 'megabyte', Buffer.alloc(MIB, 'x'));
  await direct.text('CONFIG', 'RESETSTAT');
  const before = residentBytes(proxy.pid);
  const socket = greedy(t, proxy.ready.resp, 'megabyte', 2000);
  let [served, isClosed, heldBytes] = [0, false, 0];
  const noticed: unknown[] = [];
  socket.once('close', () => {
    isClosed = true;
  });
  const wasCut = () => /client closed: it takes none of its replies/.test(proxy.stdout() + proxy.stderr());
  await until('it is cut', async () => {
    const written = await bystander.text('SET', 'k', `${++served}`);
    const read = await bystander.text('GET', 'k');
    if (written !== 'OK' || read !== `${served}`) noticed.push([written, read]);
    heldBytes = Math.max(heldBytes, residentBytes(proxy.pid) - before);
    return wasCut();
  });
  socket.resume();
  await until('it finds out', () => isClosed);
  t.match(
    proxy.stdout() + proxy.stderr(),
    /proxy\.limits\.stalledReaderTimeoutMs/,
    'the reason names the setting',
  );
  const gets = Number(/cmdstat_get:calls=(\d+)/.exec(String(await direct.text('INFO', 'commandstats')))![1]);
  t.ok(gets - served < 100, `${gets - served} of its 2,000 GETs went to the node`);
  t.ok(heldBytes < 200 * MIB, `${(heldBytes / MIB).toFixed(0)} MiB more at the most`);
  t.same(noticed, []);
  t.ok(served > 5, `a bystander was served ${served} times`);
});

t.test('a client that reads slowly, but reads, gets everything', async (t) => {
  const proxy = await startProxy(t, 'proxy.limits.stalledReaderTimeoutMs=4000');
  const writer = clientOf(t, proxy.ready.resp);
  const valueBytes = 32 * MIB;
  t.equal(String(await writer.send('SET', 'long', Buffer.alloc(valueBytes, 'x'))), 'OK');
  const socket = greedy(t, proxy.ready.resp, 'long', 1);
  const expected = `$${valueBytes}\r\n`.length + valueBytes + 2;
  const startedMs = performance.now();
  let [received, allowed] = [0, 0];
  const timer = setInterval(() => {
    allowed = received + MIB;
    socket.resume();
  }, 200);
  t.teardown(() => clearInterval(timer));
  await new Promise<void>((resolve, reject) => {
    socket.once('close', () => reject(new Error(`cut after ${received} bytes`)));
    socket.on('data', (chunk) => {
      received += chunk.length;
      if (received >= allowed) socket.pause();
      if (received >= expected) resolve();
    });
    socket.pause();
  });
  const seconds = (performance.now() - startedMs) / 1000;
  t.equal(received, expected, `in ${seconds.toFixed(1)} s, longer than one who reads nothing is given`);
});
