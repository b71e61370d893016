import net from 'node:net';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import type { ProxyConfig } from '../../lib/config/index.ts';
import { startMemcachedListener } from '../../proxy/memcached/index.ts';
import { MemcachedSession } from '../../proxy/memcached/session.ts';
import { listenerOptions, quietDeps } from '../support/proxy-limits.ts';
import { until } from '../support/until.ts';

const later = 'SERVER_ERROR not implemented: the memcached protocol comes in a later release\r\n';
const limits = { maxLineBytes: 100, maxDataBytes: 1000 };

function feed(bytes: Buffer | string, splitAt: readonly number[] = []) {
  const session = new MemcachedSession(limits, '9.9.9');
  const input = Buffer.from(bytes as string, 'latin1');
  let answer = '';
  let from = 0;
  for (const at of [...splitAt, input.length]) {
    answer += session.feed(input.subarray(from, at));
    from = at;
  }
  return { answer, session };
}

t.test('every command of a later release says so; version and quit work', async (t) => {
  for (const line of [
    'get a',
    'gets a b c',
    'gat 10 a',
    'gats 10 a b',
    'delete a',
    'incr a 1',
    'decr a 1',
    'touch a 10',
    'flush_all',
    'flush_all 10',
    'stats',
    'stats items',
    'verbosity 1',
    'mg a v t',
    'md a q',
    'ma a D5',
    'me a',
    'mn',
  ]) {
    t.equal(feed(`${line}\r\n`).answer, later, line);
    t.equal(feed(`${line}\n`).answer, later, `${line}, line feed only`);
  }
  t.equal(feed('version\r\n').answer, 'VERSION 9.9.9\r\n');
  const { answer, session } = feed('quit\r\nversion\r\n');
  t.equal(answer, '');
  t.ok(session.isOver);
});

t.test('data blocks are not taken for commands', async (t) => {
  const data = 'version\r\nquit\r\n';
  for (const head of [
    `set a 0 0 ${data.length}`,
    `cas a 0 0 ${data.length} 17`,
    `ms a ${data.length} T0`,
    `prepend a 0 0 ${data.length}`,
  ]) {
    t.equal(feed(`${head}\r\n${data}\r\nversion\r\n`).answer, `${later}VERSION 9.9.9\r\n`, head);
  }
  t.equal(feed('set a 0 0 0\r\n\r\n').answer, later, 'an empty block');
  t.equal(feed('set a 0 0 3 noreply\r\nabc\r\nincr a 1 noreply\r\nversion\r\n').answer, 'VERSION 9.9.9\r\n');
});

t.test('at every split point, and byte by byte, the same', async (t) => {
  const input = 'set a 0 0 9\r\nversion\r\n\r\nget a\r\nms k 2\r\nxy\r\nnonsense\r\nversion\r\n';
  const { answer } = feed(input);
  t.equal(answer, `${later}${later}${later}ERROR\r\nVERSION 9.9.9\r\n`);
  for (let at = 1; at < input.length; at++) t.equal(feed(input, [at]).answer, answer, `split at ${at}`);
  const everywhere = Array.from({ length: input.length - 1 }, (_, i) => i + 1);
  t.equal(feed(input, everywhere).answer, answer);
});

t.test('what makes no sense', async (t) => {
  for (const [input, answer, isOver] of [
    ['frobnicate a\r\n', 'ERROR\r\n', false],
    ['\r\n', 'ERROR\r\n', false],
    ['get\r\n', 'ERROR\r\n', false],
    [`get ${'k'.repeat(70)}${'k'.repeat(300)}\r\n`, 'CLIENT_ERROR line too long\r\n', true],
    ['set a 0 0\r\nabc\r\n', 'ERROR\r\n', true],
    ['set a 0 0 -5\r\n', 'CLIENT_ERROR bad data chunk\r\n', true],
    ['set a 0 0 x\r\n', 'CLIENT_ERROR bad data chunk\r\n', true],
    ['set a 0 0 3\r\nabcdef\r\n', 'CLIENT_ERROR bad data chunk\r\n', true],
    ['set a 0 0 1001\r\n', 'SERVER_ERROR object too large for cache\r\n', true],
    ['set a 0 0 99999999999999999999\r\n', 'CLIENT_ERROR bad data chunk\r\n', true],
    ['x'.repeat(101), 'CLIENT_ERROR line too long\r\n', true],
    [
      '\x80\x00\x00\x01',
      'SERVER_ERROR the binary protocol is not supported, use the text protocol\r\n',
      true,
    ],
  ] as const) {
    const result = feed(input);
    t.same([result.answer, result.session.isOver], [answer, isOver], JSON.stringify(input.slice(0, 40)));
    t.equal(result.session.feed(Buffer.from('version\r\n')), isOver ? '' : 'VERSION 9.9.9\r\n');
  }
  const session = new MemcachedSession({ ...limits, maxLineBytes: 1000 }, '9.9.9');
  t.equal(
    session.feed(Buffer.from(`get ${'k'.repeat(251)}\r\n`)),
    'CLIENT_ERROR bad command line format\r\n',
  );
});

t.test('random bytes never throw, and never hold more than a line', async (t) => {
  const word = fc.oneof(
    fc.constantFrom('set', 'get', 'ms', 'cas', 'a', '0', '3', '\r\n', '\n', ' ', 'noreply'),
    fc.string({ maxLength: 5 }),
  );
  const input = fc.oneof(
    fc.uint8Array({ maxLength: 500 }).map((bytes) => Buffer.from(bytes)),
    fc.array(word, { maxLength: 60 }).map((words) => Buffer.from(words.join(' '), 'latin1')),
  );
  fc.assert(
    fc.property(input, fc.nat(500), (bytes, at) => {
      const whole = feed(bytes);
      const split = feed(bytes, [Math.min(at, bytes.length)]);
      return whole.answer === split.answer && whole.session.isOver === split.session.isOver;
    }),
    { numRuns: 500 },
  );
  t.pass('held');
});

async function start(t: Test, change: Partial<ProxyConfig['limits']> = {}) {
  const listener = await startMemcachedListener(listenerOptions(change), quietDeps);
  t.teardown(() => listener.close(0));
  return (options: Partial<net.TcpNetConnectOpts> = {}) => {
    const socket = net.connect({ port: listener.port, host: '127.0.0.1', ...options });
    const seen = { text: '', closed: false, socket, listener };
    socket
      .on('error', () => {})
      .on('data', (chunk) => {
        seen.text += chunk.toString('latin1');
      })
      .on('close', () => {
        seen.closed = true;
      });
    t.teardown(() => socket.destroy());
    return seen;
  };
}

t.test('on a socket', async (t) => {
  const open = await start(t, { headerTimeoutMs: 300, maxConnections: 4 });
  const good = open();
  good.socket.write('version\r\nget a\r\n');
  await until('both are answered', () => /^VERSION \d+\.\d+\.\d+\r\nSERVER_ERROR not impl/.test(good.text));

  const half = open({ allowHalfOpen: true });
  half.socket.end('mn\r\n');
  await until('a half-closed client is answered', () => half.text === later && half.closed);

  const long = open();
  long.socket.write('y'.repeat(200_000));
  await until('a line without end is cut', () => long.closed);
  t.match(long.text, 'CLIENT_ERROR line too long');

  const slow = open();
  slow.socket.write('get a');
  const slowData = open();
  slowData.socket.write('set a 0 0 1000\r\nx');
  await until('the slow are cut', () => slow.closed && slowData.closed);
  t.notOk(good.closed, 'the idle one stays');

  const crowd = Array.from({ length: 4 }, () => open());
  await until('one too many is told so', () => crowd.some(({ text }) => text.includes('maxConnections')));
  good.socket.write('version\r\n');
  await until('the first still works', () => good.text.split('VERSION').length === 3);
});

t.test('a client that reads nothing holds no memory', async (t) => {
  const open = await start(t, { headerTimeoutMs: 1000 });
  const greedy = open();
  greedy.socket.pause();
  const lines = Buffer.from('mn\r\n'.repeat(250_000));
  let sent = 0;
  const send = () => {
    while (sent < 200 && !greedy.socket.destroyed && greedy.socket.write(lines)) sent++;
  };
  greedy.socket.on('drain', send);
  send();
  await until('it is given up', async () => {
    greedy.socket.write('mn\r\n');
    return greedy.socket.destroyed || greedy.closed || greedy.socket.errored;
  });
  const other = open();
  other.socket.write('version\r\n');
  await until('others go on', () => other.text.startsWith('VERSION'));
});
