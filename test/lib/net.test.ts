import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { ManualClock, seededRandom, silentLogger } from '../../lib/base/index.ts';
import {
  AtomicFile,
  BackoffPolicy,
  createLogger,
  createServer,
  formatAddress,
  type ListenOptions,
  openSocket,
  Pool,
  parseAddress,
  probePort,
  readBytes,
} from '../../lib/net/index.ts';
import { certificateNames, findAllowedName } from '../../lib/net/names.ts';
import { captureLog } from '../support/capture-log.ts';
import { until } from '../support/until.ts';

/** Sends back what comes. */
function echo(socket: net.Socket): void {
  readBytes(socket, (memory, length) => socket.write(Buffer.from(memory.subarray(0, length))));
}

function listenOptions(change: Partial<ListenOptions> = {}): ListenOptions {
  return {
    name: 'resp',
    setting: 'proxy.respPort',
    host: '127.0.0.1',
    port: 0,
    maxConnections: 100,
    log: silentLogger,
    ...change,
  };
}

t.test('names of a certificate', (t) => {
  const names = certificateNames('URI:spiffe://ringside/node/n1, DNS:Cache.Example, IP Address:127.0.0.1');
  t.same(names, ['spiffe://ringside/node/n1', 'cache.example']);
  t.same(certificateNames(undefined), []);
  t.same(certificateNames(''), []);
  t.same(
    certificateNames('DNS:"a, URI:spiffe://ringside/node/n1", DNS:b'),
    ['b'],
    'a name with a delimiter cannot pose as another',
  );
  t.same(certificateNames('DNS:spiffe://ringside/node/n1, URI:localhost'), [], 'nor one kind as the other');
  t.same(certificateNames('URI:"spiffe://ringside/a,b", DNS:c'), ['spiffe://ringside/a,b', 'c']);
  t.end();
});

t.test('the allow list', (t) => {
  const names = ['spiffe://ringside/node/n1', 'node-1.cache.example'];
  const allowed = (...patterns: string[]) => findAllowedName(names, patterns);
  t.equal(allowed('spiffe://ringside/node/n1'), names[0]);
  t.equal(allowed('spiffe://ringside/node/*'), names[0]);
  t.equal(allowed('spiffe://other/*', 'Node-1.Cache.Example'), names[1]);
  t.equal(allowed('spiffe://ringside/node/n'), undefined, 'a prefix needs its *');
  t.equal(allowed('spiffe://ringside/node/n1x'), undefined);
  t.equal(allowed('spiffe://ringside/NODE/*'), undefined, 'a URI has its case');
  t.equal(allowed('*.cache.example'), undefined, 'a * stands at the end only');
  t.equal(findAllowedName([], ['*']), undefined, 'no name matches nothing');
  t.not(findAllowedName([], []), undefined, 'an empty list lets everybody in');
  t.end();
});

t.test('addresses', (t) => {
  t.same(parseAddress('127.0.0.1:7379'), { host: '127.0.0.1', port: 7379 });
  t.same(parseAddress('[::1]:7379'), { host: '::1', port: 7379 });
  t.equal(formatAddress('::1', 7379), '[::1]:7379');
  t.equal(formatAddress('cache', 1), 'cache:1');
  for (const text of ['cache', 'cache:', ':1', 'cache:70000', '::1:7379', 'a:b:1', 'cache:1x']) {
    t.throws(() => parseAddress(text), { code: 'config_invalid' }, text);
  }
  t.end();
});

t.test('backoff grows to its bound with full jitter, and starts over after a success', (t) => {
  const always = (x: number) => ({ ...seededRandom(1), next: () => x });
  const largest = new BackoffPolicy({ initialMs: 100, maxMs: 1000 }, always(1));
  t.same(
    [1, 2, 3, 4, 5, 6].map(() => largest.nextDelayMs()),
    [100, 200, 400, 800, 1000, 1000],
  );
  largest.reset();
  t.equal(largest.nextDelayMs(), 100);
  t.equal(new BackoffPolicy({ initialMs: 100, maxMs: 1000 }, always(0)).nextDelayMs(), 0);
  t.end();
});

t.test('a taken port is one sentence with the port and the setting', async (t) => {
  const first = await createServer(listenOptions(), () => {});
  t.teardown(() => first.close());
  const again = listenOptions({ port: first.port });
  const expected = {
    code: 'port_in_use',
    message: `port ${first.port} on 127.0.0.1 is taken (setting proxy.respPort)`,
    cause: { code: 'EADDRINUSE' },
  };
  await t.rejects(
    createServer(again, () => {}),
    expected,
  );
  await t.rejects(probePort(again), expected);
  t.ok((await probePort(listenOptions())) > 0, 'a free one is found');
  await t.rejects(
    createServer(listenOptions({ host: '192.0.2.1' }), () => {}),
    {
      code: 'config_invalid',
      message: '192.0.2.1 is not an address of this host (setting proxy.respPort)',
    },
  );
});

for (const sharedReads of [false, true]) {
  t.test(
    sharedReads ? 'sockets that share the memory they read into' : 'sockets as Node makes them',
    async (t) => {
      t.test('a connection over the limit gets its line and is closed, the others go on', async (t) => {
        const { log, lines } = captureLog();
        let refused = 0;
        const options = listenOptions({
          maxConnections: 2,
          sharedReads,
          log,
          lastWords: '-OVERLOADED too many\r\n',
          onRefused: () => refused++,
        });
        const server = await createServer(options, echo);
        t.teardown(() => server.close());
        const open = () => openSocket({ host: '127.0.0.1', port: server.port, timeoutMs: 5000 });
        const [first] = [await open(), await open()];
        await until('both are in', () => server.connections === 2);
        const asking = await open();
        asking.write('a question that nobody reads');
        t.equal(await readAll(asking), '-OVERLOADED too many\r\n', 'and not a reset');
        t.equal(refused, 1);
        t.match(lines[0], { reason: 'connection limit', listener: 'resp', peer: /^127/ });
        first.write('still here');
        t.equal(String(await new Promise((resolve) => first.once('data', resolve))), 'still here');
        first.end();
        await until('one has gone', () => server.connections === 1);
        const next = await open();
        next.write('in');
        t.equal(String(await new Promise((resolve) => next.once('data', resolve))), 'in');
      });

      t.test('a client that closes its side is closed', async (t) => {
        const server = await createServer(listenOptions({ sharedReads }), echo);
        t.teardown(() => server.close());
        const socket = net.connect({ host: '127.0.0.1', port: server.port, allowHalfOpen: true });
        socket.end('half');
        t.equal(await readAll(socket), 'half');
        await until('it is forgotten', () => server.connections === 0);
      });

      t.test('close gives open connections their grace, then cuts', async (t) => {
        const server = await createServer(listenOptions({ sharedReads }), echo);
        const open = () => openSocket({ host: '127.0.0.1', port: server.port, timeoutMs: 5000 });
        const polite = await open();
        await until('it is in', () => server.connections === 1);
        const closing = server.close(60_000);
        await t.rejects(open(), { code: 'ECONNREFUSED' }, 'nobody new');
        polite.write('last words');
        t.equal(String(await new Promise((resolve) => polite.once('data', resolve))), 'last words');
        polite.end();
        await closing;

        const other = await createServer(listenOptions({ sharedReads }), echo);
        const stubborn = await openSocket({ host: '127.0.0.1', port: other.port, timeoutMs: 5000 });
        await until('it is in', () => other.connections === 1);
        const heard = readAll(stubborn);
        await other.close(1);
        t.equal(await heard, '');
      });

      t.test('a reset by the peer harms nobody', async (t) => {
        const server = await createServer(listenOptions({ sharedReads }), echo);
        t.teardown(() => server.close());
        const socket = await openSocket({ host: '127.0.0.1', port: server.port, timeoutMs: 5000 });
        await until('it is in', () => server.connections === 1);
        socket.resetAndDestroy();
        await until('it is forgotten', () => server.connections === 0);
      });

      t.test('what comes in many pieces and while paused comes whole and in order', async (t) => {
        const sent = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => i * 7 + (i >> 8)));
        const pieces: Buffer[] = [];
        const server = await createServer(listenOptions({ sharedReads }), (socket) => {
          readBytes(socket, (memory, length) => {
            pieces.push(Buffer.from(memory.subarray(0, length)));
            socket.pause();
            setImmediate(() => socket.resume());
          });
        });
        t.teardown(() => server.close());
        const sockets = [0, 1].map(() => net.connect({ host: '127.0.0.1', port: server.port }));
        sockets[0].end(sent);
        sockets[1].end();
        await until(
          'all has come',
          () => pieces.reduce((sum, { length }) => sum + length, 0) === sent.length,
        );
        await until('both are gone', () => server.connections === 0);
        t.ok(Buffer.concat(pieces).equals(sent));
      });
    },
  );
}

t.test('a flood of refusals is counted in full and logged in part', async (t) => {
  const { log, lines } = captureLog();
  const clock = new ManualClock();
  const server = await createServer(listenOptions({ maxConnections: 0, log, clock }), () => {});
  t.teardown(() => server.close());
  const knock = async () =>
    readAll(await openSocket({ host: '127.0.0.1', port: server.port, timeoutMs: 5000 }));
  for (let n = 0; n < 30; n++) await knock();
  t.equal(lines.length, 20);
  clock.advance(1000);
  await knock();
  t.match(lines.slice(20), [
    { refusals: 10, msg: '10 more connections were refused' },
    { reason: 'connection limit' },
  ]);
});

t.test('two servers share a port', async (t) => {
  const first = await createServer(listenOptions({ reusePort: true }), () => {});
  const second = await createServer(listenOptions({ reusePort: true, port: first.port }), () => {});
  t.equal(first.port, second.port);
  await Promise.all([first.close(), second.close()]);
});

t.test('an atomic file is read back, replaced in order, and cleaned up', async (t) => {
  const dir = join(t.testdir(), 'made', 'here');
  const file = new AtomicFile(join(dir, 'ring.json'), { mode: 0o600 });
  t.equal(await file.read(), null);
  const writes = Array.from({ length: 20 }, (_, n) => file.write(`text ${n}`));
  await Promise.all(writes);
  t.equal(await file.read(), 'text 19');
  t.equal((await stat(file.path)).mode & 0o777, 0o600);
  await writeFile(join(dir, '.ring.json.tmp-0011223344556677'), 'half a te');
  await writeFile(join(dir, 'ring.json.backup'), 'of the operator');
  t.equal(await file.read(), 'text 19');
  t.same((await readdir(dir)).sort(), ['ring.json', 'ring.json.backup']);
});

t.test('an atomic file that cannot be written says so, and keeps the old text', async (t) => {
  const dir = t.testdir({ taken: 'a file where a folder should be', 'ring.json': 'old' });
  await t.rejects(new AtomicFile(join(dir, 'taken', 'ring.json')).write('new'), { code: /ENOTDIR|EEXIST/ });
  const folder = new AtomicFile(dir);
  await t.rejects(folder.write('new'), 'a rename onto a folder');
  const file = new AtomicFile(join(dir, 'ring.json'));
  await file.write('new');
  t.equal(await file.read(), 'new');
});

t.test('an atomic file survives kill -9 at any point', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'ringside-atomic-'));
  const path = join(dir, 'state.json');
  const random = seededRandom(7);
  const writer = new URL('../support/atomic-writer.ts', import.meta.url).pathname;
  let acknowledged = 0;
  for (let round = 0; round < 8; round++) {
    const child = spawn(process.execPath, [writer, path], {
      env: { ...process.env, NODE_OPTIONS: '' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const written: number[] = [];
    child.stdout.on('data', (chunk) => {
      written.push(...String(chunk).trim().split('\n').map(Number));
      if (written.length > random.int(20)) child.kill('SIGKILL');
    });
    await new Promise((resolve) => child.once('close', resolve));
    acknowledged = written.at(-1) ?? 0;
    const text = await readFile(path, 'utf8');
    const [number, body, end] = text.split(':');
    t.equal(end, 'end', 'the text is whole');
    const n = Number(number);
    t.equal(body, String(n % 10).repeat(50_000 + (n % 7) * 10_000));
    t.ok(n >= acknowledged, 'what was acknowledged is there');
  }
  await new AtomicFile(path).read();
  t.same(await readdir(dir), ['state.json'], 'leftovers are removed');
});

interface Item {
  id: number;
  closed: boolean;
}

function itemPool(
  change: { max?: number; maxWaiting?: number; waitTimeoutMs?: number; fail?: () => boolean } = {},
) {
  const clock = new ManualClock();
  const made: Item[] = [];
  const pool = new Pool<Item>({
    open: async () => {
      if (change.fail?.()) throw new Error('refused');
      const item = { id: made.length, closed: false };
      made.push(item);
      return item;
    },
    close: (item) => {
      item.closed = true;
    },
    max: change.max ?? 2,
    maxWaiting: change.maxWaiting ?? 2,
    waitTimeoutMs: change.waitTimeoutMs ?? 60_000,
    idleTimeoutMs: 1000,
    setting: 'proxy.limits.maxBlocking',
    clock,
  });
  return { pool, made, clock };
}

t.test('a pool lends what was used last, and no more than its bound', async (t) => {
  const { pool, made } = itemPool();
  const [a, b] = [await pool.acquire(), await pool.acquire()];
  t.not(a, b);
  const third = pool.acquire();
  const fourth = pool.acquire();
  await t.rejects(pool.acquire(), {
    code: 'overloaded',
    message: 'proxy.limits.maxBlocking (2) connections are in use and too many are waiting',
  });
  pool.release(a);
  t.equal(await third, a, 'first come, first served');
  pool.discard(b);
  t.equal((await fourth).id, 2, 'a discarded one makes room for a new one');
  t.ok(b.closed);
  pool.release(b);
  pool.release(a);
  pool.release(made[2]);
  t.equal(await pool.acquire(), made[2]);
  t.equal(made.length, 3);
  pool.close();
});

t.test('a pool forgets what died or was idle for too long', async (t) => {
  const { pool, clock } = itemPool();
  const [a, b] = [await pool.acquire(), await pool.acquire()];
  pool.release(a);
  clock.advance(600);
  pool.release(b);
  clock.advance(500);
  pool.reap();
  t.same([a.closed, b.closed, pool.size], [true, false, 1]);
  pool.discard(b);
  t.equal(pool.size, 0);
  pool.close();
});

t.test('a pool turns away who waits too long, whom an opening fails, and everybody at the end', async (t) => {
  const slow = itemPool({ max: 1, waitTimeoutMs: 5 });
  const item = await slow.pool.acquire();
  await t.rejects(slow.pool.acquire(), { code: 'overloaded', message: /none came free in 5 ms/ });
  t.equal(slow.pool.waiting, 0);
  slow.pool.release(item);

  let down = true;
  const failing = itemPool({ max: 1, fail: () => down });
  const both = [failing.pool.acquire(), failing.pool.acquire()];
  await t.rejects(both[0], { message: 'refused' });
  await t.rejects(both[1], { message: 'refused' }, 'who waited tries for himself');
  down = false;
  const lent = await failing.pool.acquire();
  const waiting = failing.pool.acquire();
  failing.pool.close();
  await t.rejects(waiting, { code: 'unavailable' });
  await t.rejects(failing.pool.acquire(), { code: 'unavailable' });
  failing.pool.release(lent);
  t.ok(lent.closed);
});

t.test('the logger writes one JSON object a line', async (t) => {
  const dir = t.testdir({ log: '' });
  const { open } = await import('node:fs/promises');
  const file = await open(join(dir, 'log'), 'w');
  const log = createLogger({ level: 'info', role: 'proxy', id: 'p1', fd: file.fd });
  log.debug('not said');
  log.child({ shard: 's1' }).warn({ reason: 'x', err: new Error('boom') }, 'said');
  await file.close();
  const lines = (await readFile(join(dir, 'log'), 'utf8')).trim().split('\n');
  t.equal(lines.length, 1);
  const expected = {
    level: 'warn',
    role: 'proxy',
    id: 'p1',
    shard: 's1',
    reason: 'x',
    msg: 'said',
    pid: process.pid,
  };
  t.match(JSON.parse(lines[0]), { ...expected, time: /^\d{4}-\d\d-\d\dT.*Z$/, err: { message: 'boom' } });
});

function readAll(socket: net.Socket): Promise<string> {
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  return new Promise((resolve) => socket.once('close', () => resolve(text)));
}
