import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import t, { type Test } from 'tap';
import { request } from 'undici';
import { seededRandom } from '../../lib/base/index.ts';
import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { RespClient } from '../support/resp-client.ts';
import { type Ringside, runRingside, startStandaloneNode } from '../support/ringside.ts';
import { until } from '../support/until.ts';

/* A standalone node as clients meet it: real client libraries, limits, passwords, and bad input. */

const seed = Number(process.env.SEED ?? 20261121);
const MEGABYTE = 1 << 20;

function connect(t: Test, node: Ringside): RespClient {
  const client = new RespClient(node.ready.resp);
  t.teardown(() => client.close());
  return client;
}

const [hostOf, portOf] = [
  (node: Ringside) => node.ready.resp.split(':')[0],
  (node: Ringside) => Number(node.ready.resp.split(':')[1]),
];

/** A bare socket, and what it has received. */
async function rawSocket(
  t: Test,
  node: Ringside,
): Promise<{ socket: net.Socket; received: () => string; closed: Promise<void> }> {
  const socket = net.connect(portOf(node), hostOf(node));
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  return { socket, received: () => text, closed };
}

const infoField = (info: string, field: string) => new RegExp(`^${field}:(.*?)\r?$`, 'm').exec(info)?.[1];

t.test('client libraries', async (t) => {
  const node = await startStandaloneNode(t);
  const binary = Buffer.from(Array.from({ length: 1000 }, (_, i) => i & 255));
  const megabyte = Buffer.alloc(MEGABYTE, 'abcdefgh');

  await t.test('ioredis: pipelines, binary, a megabyte', async (t) => {
    const client = new Redis(portOf(node), hostOf(node));
    t.teardown(() => client.disconnect());
    t.equal(await client.set('a', binary), 'OK');
    t.same(await client.getBuffer('a'), binary);
    await client.set('big', megabyte, 'EX', 100);
    t.ok(megabyte.equals((await client.getBuffer('big'))!));
    const pipeline = client.pipeline();
    for (let i = 0; i < 2000; i++) pipeline.set(`p${i}`, `v${i}`).get(`p${i}`);
    const results = (await pipeline.exec())!;
    t.ok(
      results.every(
        ([error, value], i) => error === null && value === (i % 2 === 0 ? 'OK' : `v${(i - 1) / 2}`),
      ),
    );
    const found: string[] = [];
    for await (const keys of client.scanStream({ match: 'p1*', count: 50 }))
      found.push(...(keys as string[]));
    t.equal(new Set(found).size, 1111);
    t.equal((await client.mget('p1', 'nope', 'p2')).join(), 'v1,,v2');
    t.match(await client.info(), /redis_version:7\.0\.15/);
    await client.quit();
  });

  await t.test('node-redis: RESP3, options, scan iterator', async (t) => {
    for (const RESP of [2, 3] as const) {
      const client = createClient({ url: `redis://${node.ready.resp}`, RESP, name: 'tester' });
      await client.connect();
      t.equal(
        await client.set('k', 'v', { expiration: { type: 'EX', value: 100 }, condition: 'NX' }),
        RESP === 2 ? 'OK' : null,
      );
      t.equal(await client.get('k'), 'v');
      t.ok((await client.ttl('k')) > 90);
      t.equal(await client.clientGetName(), 'tester');
      t.equal(await client.incrBy(`n${RESP}`, 5), 5);
      t.same(await client.configGet('maxmemory-policy'), { 'maxmemory-policy': 'allkeys-s3-fifo' });
      await client.close();
    }
  });

  await t.test(
    'redis-cli',
    { skip: spawnSync('redis-cli', ['--version']).status !== 0 && 'redis-cli not installed' },
    async (t) => {
      const cli = (args: string[], input?: string) =>
        spawnSync('redis-cli', ['-h', hostOf(node), '-p', String(portOf(node)), ...args], {
          input,
          encoding: 'utf8',
        });
      t.equal(cli(['set', 'x', '1']).stdout, 'OK\n');
      t.equal(cli(['-3', 'get', 'x']).stdout, '1\n');
      t.equal(cli(['-x', 'set', 'big'], 'z'.repeat(100_000)).stdout, 'OK\n');
      t.equal(cli(['strlen', 'big']).stdout, '100000\n');
      t.match(cli(['info', 'keyspace']).stdout, /db0:keys=/);
      t.equal(cli(['--pipe'], String(encodeCommand('SET', 'piped', '1'))).status, 0);
      t.equal(cli(['get', 'piped']).stdout, '1\n');
    },
  );
});

t.test('connection commands', async (t) => {
  const node = await startStandaloneNode(t);
  const client = connect(t, node);

  await t.test('HELLO changes the protocol, RESET brings it back', async (t) => {
    const greeting = await client.send('HELLO', '3');
    t.match(String(JSON.stringify([...(greeting as Map<unknown, unknown>)].map(String))), /version,7\.0\.15/);
    t.equal(await client.send('GET', 'nothing'), null);
    t.equal(await client.text('RESET'), 'RESET');
    t.ok(Array.isArray(await client.send('CONFIG', 'GET', 'save')), 'no map any more');
  });

  await t.test('CLIENT REPLY', async (t) => {
    const { socket, received } = await rawSocket(t, node);
    socket.write(
      'CLIENT REPLY SKIP\r\nPING a\r\nPING b\r\nCLIENT REPLY OFF\r\nPING c\r\nSET muted 1\r\nCLIENT REPLY ON\r\nPING d\r\n',
    );
    await until('the last reply', () => received().endsWith('d\r\n'));
    t.equal(received(), '$1\r\nb\r\n+OK\r\n$1\r\nd\r\n');
    t.equal(await client.text('GET', 'muted'), '1', 'executed all the same');
  });

  await t.test('CLIENT KILL, LIST and QUIT', async (t) => {
    const victim = connect(t, node);
    const id = Number(await victim.send('CLIENT', 'ID'));
    await victim.send('CLIENT', 'SETNAME', 'victim');
    t.match(await client.text('CLIENT', 'LIST'), new RegExp(`id=${id} .*name=victim`));
    const end = once(victim.socket, 'close');
    t.equal(Number(await client.send('CLIENT', 'KILL', 'ID', String(id))), 1);
    await end;
    const self = connect(t, node);
    const selfEnd = once(self.socket, 'close');
    await self.send('PING');
    const address = `127.0.0.1:${self.socket.localPort}`;
    t.equal(await self.text('CLIENT', 'KILL', address), 'OK', 'the reply comes before the end');
    await selfEnd;
    const quitter = await rawSocket(t, node);
    quitter.socket.write('PING\r\nQUIT\r\nPING\r\n');
    await quitter.closed;
    t.equal(quitter.received(), '+PONG\r\n+OK\r\n');
  });

  await t.test('INFO, ROLE, TIME and COMMAND look like a Redis', async (t) => {
    const info = (await client.text('INFO', 'everything'))!;
    for (const section of [
      'Server',
      'Clients',
      'Memory',
      'Persistence',
      'Stats',
      'Replication',
      'CPU',
      'Commandstats',
      'Keyspace',
    ]) {
      t.match(info, `# ${section}\r\n`);
    }
    t.equal(infoField(info, 'redis_version'), '7.0.15');
    t.ok(infoField(info, 'ringside_version'));
    t.equal(infoField(info, 'tcp_port'), String(portOf(node)));
    t.equal(String(((await client.send('ROLE')) as unknown[])[0]), 'master');
    const [seconds] = (await client.send('TIME')) as unknown[];
    t.ok(Math.abs(Number(String(seconds)) - Date.now() / 1000) < 60);
    t.ok(Number(await client.send('COMMAND', 'COUNT')) > 50);
    t.match(await client.send('GET'), { message: "ERR wrong number of arguments for 'get' command" });
  });
});

t.test('expiry', async (t) => {
  const node = await startStandaloneNode(t);
  const client = connect(t, node);
  await client.send('SET', 'short', '1', 'PX', '30');
  await client.send('SET', 'long', '1', 'EX', '100');
  for (let i = 0; i < 500; i++) void client.send('SET', `unread${i}`, '1', 'PX', '20');
  await until('nobody sees it any more', async () => (await client.send('GET', 'short')) === null);
  await until(
    'the cycle removes what nobody asks for',
    async () => Number(await client.send('DBSIZE')) === 1,
  );
  t.equal(infoField((await client.text('INFO', 'stats'))!, 'expired_keys'), '501');
  t.match(infoField((await client.text('INFO', 'keyspace'))!, 'db0'), /^keys=1,expires=1,avg_ttl=9\d{4}$/);
});

t.test('memory budget', async (t) => {
  const node = await startStandaloneNode(t, '--maxmemory', '4mb');
  const client = connect(t, node);
  const value = 'v'.repeat(1000);
  for (let i = 0; i < 20_000; i += 100) {
    await Promise.all(Array.from({ length: 100 }, (_, j) => client.send('SET', `k${i + j}`, value)));
  }
  const used = Number(infoField((await client.text('INFO', 'memory'))!, 'used_memory'));
  t.ok(used <= 4 * MEGABYTE + 2000, `${used} bytes used`);
  t.equal(await client.text('GET', 'k19999'), value, 'the newest is there');
  t.equal(await client.send('GET', 'k0'), null, 'the oldest is not');
  await client.send('CONFIG', 'SET', 'maxmemory-policy', 'noeviction', 'maxmemory', '1mb');
  t.match(await client.send('SET', 'x', 'y'), {
    message: "OOM command not allowed when used memory > 'maxmemory'.",
  });
  t.equal(await client.text('GET', 'k19999'), value, 'reads go on');
  t.equal(Number(await client.send('DEL', 'k19999')), 1, 'and so do deletions');
});

t.test('a save point where there is no folder is told of in the log', async (t) => {
  const node = await startStandaloneNode(t);
  const client = connect(t, node);
  await client.send('CONFIG', 'SET', 'save', '', 'appendonly', 'no');
  t.equal(await client.text('CONFIG', 'SET', 'save', '60 1'), 'OK');
  await node.stop();
  const logged = `${node.stdout()}${node.stderr()}`.split('\n').filter((line) => line.includes('CONFIG SET'));
  t.equal(logged.length, 1);
  t.match(logged[0], /"setting":"save".*no folder for files/);
});

t.test('password', async (t) => {
  const node = await startStandaloneNode(t, '--requirepass', 'open sesame');
  const client = connect(t, node);
  const denied = { message: 'NOAUTH Authentication required.' };
  t.match(await client.send('GET', 'a'), denied);
  t.match(await client.send('CONFIG', 'GET', '*'), denied);
  t.match(await client.send('HELLO', '3'), { message: /^NOAUTH HELLO must be called/ });
  t.match(await client.send('AUTH', 'wrong'), { message: /^WRONGPASS/ });
  t.match(await client.send('AUTH', 'somebody', 'open sesame'), { message: /^WRONGPASS/ });
  t.equal(await client.text('AUTH', 'open sesame'), 'OK');
  t.equal(await client.text('SET', 'a', '1'), 'OK');
  const other = connect(t, node);
  t.ok(Array.isArray(await other.send('HELLO', '2', 'AUTH', 'default', 'open sesame', 'SETNAME', 'me')));
  t.equal(await other.text('CLIENT', 'GETNAME'), 'me');
  t.equal(await other.text('RESET'), 'RESET');
  t.match(await other.send('GET', 'a'), denied, 'RESET forgets it');
  const { socket, received, closed } = await rawSocket(t, node);
  socket.write('*1\r\n$1000000\r\n');
  await closed;
  t.equal(received(), '-ERR Protocol error: unauthenticated bulk length\r\n');
});

t.test('limits', async (t) => {
  await t.test('connections', async (t) => {
    const node = await startStandaloneNode(t, '--set', 'node.limits.maxConnections=3');
    const clients = [connect(t, node), connect(t, node), connect(t, node)];
    await Promise.all(clients.map((client) => client.send('PING')));
    const { received, closed } = await rawSocket(t, node);
    await closed;
    t.match(received(), /^-OVERLOADED .*node\.limits\.maxConnections/);
    t.equal(await clients[0].text('PING'), 'PONG');
    clients[2].close();
    await until('there is room again', async () => {
      const client = new RespClient(node.ready.resp);
      const reply = await client.send('PING').catch(() => null);
      client.close();
      return reply === 'PONG';
    });
  });

  await t.test('a client that does not read stops being served, and then is cut', async (t) => {
    const node = await startStandaloneNode(t, '--set', 'node.limits.maxOutputBytes=8mb');
    const client = connect(t, node);
    await client.send('SET', 'big', Buffer.alloc(MEGABYTE, 'x'));
    const slow = await rawSocket(t, node);
    slow.socket.pause();
    const get = encodeCommand('GET', 'big');
    slow.socket.write(Buffer.concat(Array.from({ length: 200 }, () => get)));
    const output = async () => {
      const waiting = (await client.text('CLIENT', 'LIST'))!.matchAll(/omem=(\d+)/g);
      return Math.max(...[...waiting].map((found) => Number(found[1])));
    };
    await until('replies pile up', async () => (await output()) > MEGABYTE);
    t.ok((await output()) < 4 * MEGABYTE, 'but only some: the rest of its commands wait');
    slow.socket.resume();
    await until('it gets all of them once it reads', () => slow.received().length === 200 * (MEGABYTE + 12));

    const greedy = await rawSocket(t, node);
    greedy.socket.pause();
    greedy.socket.write(encodeCommand('MGET', ...Array.from({ length: 20 }, () => 'big')));
    await until(
      'one reply beyond the limit ends the connection',
      async () =>
        infoField((await client.text('INFO', 'stats'))!, 'client_output_buffer_limit_disconnections') === '1',
    );
  });

  await t.test('idle clients', async (t) => {
    const node = await startStandaloneNode(t);
    const client = connect(t, node);
    const idle = connect(t, node);
    await idle.send('PING');
    const end = once(idle.socket, 'close');
    await client.send('CONFIG', 'SET', 'timeout', '6');
    const busy = setInterval(() => void client.send('PING').catch(() => {}), 200);
    await end;
    clearInterval(busy);
    t.equal(await client.text('PING'), 'PONG');
  });

  await t.test('argument sizes', async (t) => {
    const node = await startStandaloneNode(
      t,
      '--set',
      'node.limits.maxBulkBytes=1mb',
      '--set',
      'node.limits.maxArrayLength=100',
    );
    const cases: [string, string][] = [
      ['*2\r\n$3\r\nGET\r\n$1048577\r\n', 'invalid bulk length'],
      ['*101\r\n', 'invalid multibulk length'],
      [`PING ${'x'.repeat(70_000)}`, 'too big inline request'],
    ];
    for (const [bytes, error] of cases) {
      const { socket, received, closed } = await rawSocket(t, node);
      socket.write(bytes);
      await closed;
      t.equal(received(), `-ERR Protocol error: ${error}\r\n`);
    }
  });
});

t.test('bad input ends its own connection only', async (t) => {
  const node = await startStandaloneNode(t);
  const witness = connect(t, node);
  await witness.send('SET', 'witness', 'unharmed');
  const resident = () =>
    1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${node.pid}/status`, 'utf8'))![1]);

  await t.test("Redis's own errors", async (t) => {
    const cases: [string, string][] = [
      ['*x\r\n', 'invalid multibulk length'],
      ['*1\r\n:1\r\n', "expected '$', got ':'"],
      ['*1\r\n$-5\r\n', 'invalid bulk length'],
      ['"unbalanced\r\n', 'unbalanced quotes in request'],
    ];
    for (const [bytes, error] of cases) {
      const { socket, received, closed } = await rawSocket(t, node);
      socket.write(`PING\r\n${bytes}PING\r\n`);
      await closed;
      t.equal(received(), `+PONG\r\n-ERR Protocol error: ${error}\r\n`);
    }
  });

  await t.test('random bytes', async (t) => {
    const random = seededRandom(seed);
    for (let round = 0; round < 60; round++) {
      const { socket } = await rawSocket(t, node);
      socket.write(Buffer.from(Array.from({ length: 1 + random.int(3000) }, () => random.int(256))));
      socket.end();
      await until('the node lets go', () => socket.destroyed || socket.readableEnded);
      socket.destroy();
    }
    t.equal(await witness.text('GET', 'witness'), 'unharmed', `seed ${seed}`);
  });

  await t.test('half-closed: what was asked is answered', async (t) => {
    const { socket, received, closed } = await rawSocket(t, node);
    socket.end('PING\r\nGET witness\r\n*2\r\n$3\r\nGET\r\n');
    await closed;
    t.equal(received(), '+PONG\r\n$8\r\nunharmed\r\n');
  });

  await t.test('slow-loris: hundreds of unfinished commands cost little', async (t) => {
    const before = resident();
    const sockets = await Promise.all(
      Array.from({ length: 500 }, async () => {
        const { socket } = await rawSocket(t, node);
        socket.write('*3\r\n$3\r\nSET\r\n$1\r\na\r\n$500000000\r\nx');
        return socket;
      }),
    );
    t.equal(await witness.text('GET', 'witness'), 'unharmed');
    t.ok(resident() - before < 64 * MEGABYTE, 'nobody gets what he only announces');
    for (const socket of sockets) socket.destroy();
    await until(
      'they are gone',
      async () => infoField((await witness.text('INFO', 'clients'))!, 'connected_clients') === '1',
    );
  });

  await t.test('one byte at a time', async (t) => {
    const { socket, received } = await rawSocket(t, node);
    for (const byte of encodeCommand('SET', 'slow', 'value')) {
      socket.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until('the reply', () => received() === '+OK\r\n');
    t.equal(await witness.text('GET', 'slow'), 'value');
  });
});

t.test('admin port, taken port, end', async (t) => {
  const node = await startStandaloneNode(t);
  const get = async (path: string) => (await request(`http://${node.ready.admin}${path}`)).body.text();
  t.equal(await get('/healthz'), '{"ok":true}');
  t.equal(await get('/readyz'), '{"ready":true}');
  t.match(JSON.parse(await get('/status')), {
    role: 'leader',
    state: 'serving',
    shard: 'standalone',
    lease: { held: true },
  });
  t.match(await get('/metrics'), /ringside_node_keys 0/);
  const taken = await runRingside([
    'node',
    '--standalone',
    '--port',
    String(portOf(node)),
    '--admin-port',
    'off',
  ]);
  t.equal(taken.code, 1);
  t.match(taken.stderr, new RegExp(`port ${portOf(node)}.*node\\.port`));
  const client = connect(t, node);
  await client.send('SET', 'a', '1');
  t.equal(await node.stop(), 'code 0');
});
