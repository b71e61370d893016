import { once } from 'node:events';
import net from 'node:net';
import t, { type Test } from 'tap';
import { type Args, RequestParser } from '../../lib/codec/resp/index.ts';
import { hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

/* MIGRATE from a node to a real redis-server and to another node, also while keys change and while the target says nothing. */

function connect(t: Test, address: string): RespClient {
  const client = new RespClient(address);
  t.teardown(() => client.close());
  return client;
}

const FILL: readonly (readonly string[])[] = [
  ['SET', 'string', 'value'],
  ['SET', 'number', '123'],
  ['SET', 'with time', 'x', 'PX', '500000'],
  ['SETRANGE', 'big string', '300000', 'x'],
  ['RPUSH', 'list', 'a', 'b', '3'],
  ['HSET', 'hash', 'f', 'v', 'g', '1'],
  ['SADD', 'set of numbers', '1', '2', '3'],
  ['SADD', 'set', 'one'],
  ['ZADD', 'zset', '1.5', 'a', '-inf', 'b'],
  ['PFADD', 'hyperloglog', 'a', 'b', 'c'],
];
const KEYS = FILL.map(([, key]) => key);

async function fill(client: RespClient): Promise<void> {
  for (const command of FILL) await client.send(...command);
  for (let i = 0; i < 2000; i++) await client.send('RPUSH', 'big list', `element ${i}`);
}

/** Everything that is in these keys; what is long enough to be compressed as itself, since that can be done in many ways. */
const dumps = (client: RespClient, keys: readonly string[]) =>
  Promise.all(
    keys.map(async (key) => {
      if (key === 'big list') return String(await client.send('LRANGE', key, '0', '-1'));
      const isLong = key === 'big string' || key === 'hyperloglog';
      return ((await client.send(isLong ? 'GET' : 'DUMP', key)) as Buffer | null)?.toString('latin1');
    }),
  );

async function moves(t: Test, target: string): Promise<void> {
  const node = await startStandaloneNode(t);
  const [source, there] = [connect(t, node.ready.resp), connect(t, target)];
  const to = target.split(':');
  await fill(source);
  const keys = [...KEYS, 'big list'];
  const before = await dumps(source, keys);
  await source.send('CONFIG', 'RESETSTAT');
  t.equal(await source.text('MIGRATE', ...to, 'string', '0', '30000', 'COPY'), 'OK');
  t.equal(await source.text('GET', 'string'), 'value', 'COPY leaves it here');
  t.match(await source.send('MIGRATE', ...to, 'string', '0', '30000'), {
    message: 'ERR Target instance replied with error: BUSYKEY Target key name already exists.',
  });
  t.equal(await source.text('GET', 'string'), 'value', 'what was refused stays');
  t.equal(await source.text('MIGRATE', ...to, 'nothing', '0', '30000'), 'NOKEY');
  t.equal(await source.text('MIGRATE', ...to, '', '0', '30000', 'KEYS', 'nothing', 'at all'), 'NOKEY');
  t.equal(await source.text('MIGRATE', ...to, '', '0', '30000', 'REPLACE', 'KEYS', ...keys, 'nothing'), 'OK');
  t.equal(await source.send('DBSIZE'), 0, 'all are gone');
  const after = await dumps(there, keys);
  t.strictSame(
    keys.filter((_, i) => after[i] !== before[i]),
    [],
    'all are there, as they were',
  );
  const ttl = Number(await there.send('PTTL', 'with time'));
  t.ok(ttl > 400_000 && ttl <= 500_000, `${ttl} ms to live`);
  t.equal(Number(await there.send('PTTL', 'string')), -1);
  await source.send('MSET', 'a', '1', 'b', '2');
  t.equal(await source.text('MIGRATE', ...to, 'a', '3', '30000'), 'OK');
  await there.send('SELECT', '3');
  t.equal(await there.text('GET', 'a'), '1', 'in the database that was named');
  t.match(await source.send('MIGRATE', ...to, 'b', '99', '30000'), {
    message: 'ERR Target instance replied with error: ERR DB index is out of range',
  });
}

t.test('to a redis-server', { skip: !hasRedisServer && NO_REDIS }, async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  await moves(t, redis.address);
});

t.test('to another node', async (t) => {
  const target = await startStandaloneNode(t);
  await moves(t, target.ready.resp);
});

t.test('refuses as redis-server does', { skip: !hasRedisServer && NO_REDIS }, async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const node = await startStandaloneNode(t);
  const target = await startStandaloneNode(t, '--requirepass', 'secret');
  const to = target.ready.resp.split(':');
  const commands = [
    ['MIGRATE', ...to, 'k', '0', '30000'],
    ['MIGRATE', ...to, 'k', '0', '30000', 'AUTH', 'wrong'],
    ['MIGRATE', ...to, 'k', '0', '30000', 'AUTH2', 'nobody', 'secret'],
    ['MIGRATE', ...to, 'k', '0', '30000', 'AUTH'],
    ['MIGRATE', ...to, 'k', '0', '30000', 'AUTH2', 'a'],
    ['MIGRATE', ...to, 'k', '0', '30000', 'KEYS', 'k'],
    ['MIGRATE', ...to, 'k', '0', '30000', 'NONSENSE'],
    ['MIGRATE', ...to, 'k', 'x', '30000'],
    ['MIGRATE', ...to, 'k', '0', 'x'],
    ['MIGRATE', ...to, 'k', '0'],
    ['MIGRATE', '127.0.0.1', '1', 'k', '0', '30000'],
    ['MIGRATE', '127.0.0.1', 'port', 'k', '0', '30000'],
    ['MIGRATE', ...to, '', '0', '30000', 'AUTH', 'secret', 'KEYS'],
    ['MIGRATE', ...to, 'missing', '0', '30000', 'AUTH', 'secret'],
    ['MIGRATE', ...to, 'k', '0', '30000', 'copy', 'auth', 'secret'],
    ['MIGRATE', ...to, 'k', '0', '30000', 'AUTH2', 'default', 'secret', 'replace'],
    ['EXISTS', 'k'],
  ];
  const [ours, theirs] = [connect(t, node.ready.resp), connect(t, redis.address)];
  const shown = async (client: RespClient, command: string[]) => {
    const reply = await client.send(...command);
    return reply instanceof Error ? reply.message : String(reply);
  };
  await Promise.all([ours, theirs].map((client) => client.send('SET', 'k', 'v')));
  const toTarget = connect(t, target.ready.resp);
  await toTarget.send('AUTH', 'secret');
  for (const command of commands) {
    const expected = await shown(theirs, command);
    await toTarget.send('FLUSHALL');
    t.equal(await shown(ours, command), expected, command.join(' '));
    await toTarget.send('FLUSHALL');
  }
});

/** A source, and a target behind a proxy that can fall silent. */
async function startPair(t: Test) {
  const [node, target] = [await startStandaloneNode(t), await startStandaloneNode(t)];
  const link = await TcpProxy.start(target.ready.resp);
  t.teardown(() => link.stop());
  const to = link.address.split(':');
  const [mover, source, there] = [
    connect(t, node.ready.resp),
    connect(t, node.ready.resp),
    connect(t, target.ready.resp),
  ];
  const waits = () =>
    until('MIGRATE waits', async () => /blocked_clients:1\r/.test((await source.text('INFO', 'clients'))!));
  return { node, link, to, mover, source, there, waits };
}

t.test('a target that says nothing stops nobody else', async (t) => {
  const { link, to, mover, source, there, waits } = await startPair(t);
  link.stall();
  await source.send('MSET', 'changed', 'old', 'deleted', 'old', 'kept', 'old', 'renewed', 'old');
  const moving = mover.send(
    'MIGRATE',
    ...to,
    '',
    '0',
    '60000',
    'KEYS',
    'changed',
    'deleted',
    'kept',
    'renewed',
  );
  const next = mover.send('PING');
  await waits();
  t.equal(await source.text('PING'), 'PONG', 'others are answered');
  t.equal(await source.send('CLIENT', 'UNBLOCK', '1'), 0, 'nobody may end the wait');
  link.restore();
  t.equal(String(await moving), 'OK');
  t.equal(String(await next), 'PONG', 'what the client sent behind it is executed then');
  t.equal(await source.send('DBSIZE'), 0);
  t.equal(await there.send('DBSIZE'), 4);
});

/** A target that answers when the test says so. */
async function slowTarget(t: Test) {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const commands: string[] = [];
  let held: net.Socket | null = null;
  server.on('connection', (socket) => {
    const parser = new RequestParser(LIMITS);
    socket.on('error', () => {});
    t.teardown(() => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      parser.push(chunk);
      while (parser.next()) {
        if (parser.equalsIgnoreCase(0, 'SELECT')) socket.write('+OK\r\n');
        else commands.push([parser.latin1(0), parser.latin1(1), ...lastOf(parser)].join(' '));
      }
      held = socket;
    });
  });
  /** Waits for this many commands, and returns them. */
  const next = async (count: number) => {
    await until(`${count} commands have come`, () => commands.length === count);
    return commands.splice(0);
  };
  const answer = (count: number) => held!.write('+OK\r\n'.repeat(count));
  const { port } = server.address() as net.AddressInfo;
  return { to: ['127.0.0.1', String(port)], next, answer };
}

const LIMITS = { maxBulkBytes: 1e6, maxArrayLength: 100, maxInlineBytes: 100, maxBufferedBytes: 1e7 };
/** The option at the end of a RESTORE. */
const lastOf = (args: Args) => (args.count > 4 ? [args.latin1(4)] : []);

t.test('what changes on its way goes again', async (t) => {
  const node = await startStandaloneNode(t);
  const target = await slowTarget(t);
  const [mover, source] = [connect(t, node.ready.resp), connect(t, node.ready.resp)];
  const keys = ['changed', 'deleted', 'kept', 'renewed'];
  await source.send('MSET', ...keys.flatMap((key) => [key, 'old']));
  const moving = mover.send('MIGRATE', ...target.to, '', '0', '60000', 'KEYS', ...keys);
  t.strictSame(
    await target.next(4),
    keys.map((key) => `RESTORE ${key}`),
  );
  await source.send('SET', 'changed', 'new');
  await source.send('DEL', 'deleted');
  await source.send('PEXPIRE', 'renewed', '900000');
  target.answer(4);
  t.strictSame(await target.next(3), ['RESTORE changed REPLACE', 'DEL deleted', 'RESTORE renewed REPLACE']);
  t.strictSame((await source.send('MGET', ...keys))?.toString(), 'new,,,old', 'what has not changed is gone');
  await source.send('SET', 'deleted', 'again');
  target.answer(3);
  t.strictSame(await target.next(1), ['RESTORE deleted REPLACE']);
  target.answer(1);
  t.equal(String(await moving), 'OK');
  t.equal(await source.send('DBSIZE'), 0);

  await source.send('SET', 'busy', '0');
  const never = mover.send('MIGRATE', ...target.to, 'busy', '0', '60000');
  for (let round = 0; round < 16; round++) {
    await target.next(1);
    await source.send('INCR', 'busy');
    target.answer(1);
  }
  t.match(await never, { message: /^ERR The key changes faster than it can be moved/ });
  t.equal(await source.text('GET', 'busy'), '16', 'nothing is lost');
});

t.test('timeouts, and a target that goes away', async (t) => {
  const { node, link, to, mover, source, waits } = await startPair(t);
  await source.send('SET', 'k', 'v');
  link.stall();
  const reading = { message: 'IOERR error or timeout reading from target instance' };
  t.match(await mover.send('MIGRATE', ...to, 'k', '0', '100'), {
    message: /^IOERR error or timeout reading/,
  });
  t.equal(await source.text('GET', 'k'), 'v');
  const moving = mover.send('MIGRATE', ...to, 'k', '0', '60000');
  await waits();
  link.cut();
  t.match(await moving, { message: /^IOERR error or timeout reading/ }, reading.message);
  link.restore();
  t.equal(await mover.text('MIGRATE', ...to, 'k', '0', '30000'), 'OK', 'and so another time it is moved');
  t.match(await source.text('INFO', 'errorstats'), /errorstat_IOERR:count=2\r/);
  await source.send('SET', 'k2', 'v');
  await source.send('MULTI');
  await source.send('MIGRATE', ...to, 'k2', '0', '30000');
  t.match((await source.send('EXEC')) as unknown, [{ message: /^ERR MIGRATE/ }], 'not in a transaction');
  link.stall();
  mover.send('MIGRATE', ...to, 'k2', '0', '60000').catch(() => {});
  await waits();
  mover.close();
  await until('its client is gone', async () =>
    /blocked_clients:0\r/.test((await source.text('INFO', 'clients'))!),
  );
  link.restore();
  await until('the key is moved all the same', async () => (await source.send('EXISTS', 'k2')) === 0);
  t.match(await node.stop(), 'code 0', 'the node ends in order');
});

t.test('followers lose what has moved', async (t) => {
  const [node, target] = [await startStandaloneNode(t), await startStandaloneNode(t)];
  const follower = await startStandaloneNode(t, '--replicaof', node.ready.resp.replace(':', ' '));
  const [source, copy] = [connect(t, node.ready.resp), connect(t, follower.ready.resp)];
  await source.send('MSET', 'a', '1', 'b', '2', 'last', '3');
  await until('the follower has it', async () => (await copy.send('EXISTS', 'last')) === 1);
  t.equal(
    await source.text('MIGRATE', ...target.ready.resp.split(':'), '', '0', '30000', 'KEYS', 'a', 'b'),
    'OK',
  );
  await until('the follower has not', async () => (await copy.send('EXISTS', 'a', 'b')) === 0);
  t.equal(await copy.send('EXISTS', 'last'), 1);
  t.match(await copy.send('MIGRATE', ...target.ready.resp.split(':'), 'last', '0', '30000'), {
    message: /^READONLY/,
  });
});
