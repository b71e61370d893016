import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { findEnvoy, isInstalled } from '../../bench/support/peers.ts';

/* `npm run bench` itself: every target starts, is measured and ends. The figures of so short a run mean nothing. */

const main = join(import.meta.dirname, '../../bench/main.ts');
const bench = promisify(execFile);

interface Row {
  readonly command: string;
  readonly pipeline: number;
  readonly peer: string;
  readonly ratio: number;
}

async function rows<T = Row>(suite: string, ...more: string[]): Promise<T[]> {
  const args = [main, suite, '--alternations', '1', '--seconds', '0.1', '--json', ...more];
  const { stdout } = await bench(process.execPath, args, { env: { ...process.env, NODE_OPTIONS: '' } });
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

const redis = {
  skip:
    isInstalled('redis-benchmark') && isInstalled('redis-server')
      ? false
      : 'skipped: redis-server not installed',
};

t.test('node beside redis-server', redis, async (t) => {
  const found = await rows('node');
  t.strictSame(
    found.map(({ command, pipeline, peer }) => `${command} ${pipeline} ${peer}`),
    ['SET 1 redis-server', 'GET 1 redis-server', 'SET 16 redis-server', 'GET 16 redis-server'],
  );
  t.ok(found.every(({ ratio }) => ratio > 0));
});

t.test('types beside redis-server', redis, async (t) => {
  const found = await rows('types');
  const commands = ['LPUSH', 'RPOP', 'HSET', 'HGET', 'SADD', 'ZADD', 'ZRANGE'];
  const both = (depth: number) => commands.map((command) => `${command} ${depth} redis-server`);
  t.strictSame(
    found.map(({ command, pipeline, peer }) => `${command} ${pipeline} ${peer}`),
    [1, 2].flatMap(() => [...both(1), ...both(16)]),
    'one big key, then many tiny ones',
  );
  t.ok(found.every(({ ratio }) => ratio > 0));
});

t.test('persistence beside redis-server', redis, async (t) => {
  const found = await rows<Record<string, string | number>>('persistence', '--entries', '20000');
  const both = (...what: string[]) =>
    what.flatMap((name) => [`ringside node ${name}`, `redis-server ${name}`]);
  t.strictSame(
    found.map(
      ({ server, policy, pipeline, what, content, fileOf }) =>
        `${server} ${what ?? (content && `${content} of ${fileOf}`) ?? `${policy} ${pipeline}`}`,
    ),
    [
      ...[1, 16].flatMap((depth) => both(`none ${depth}`, `everysec ${depth}`, `always ${depth}`)),
      ...['BGSAVE', 'BGREWRITEAOF'].map((what) => `ringside node ${what}`),
      ...['BGSAVE', 'BGREWRITEAOF'].map((what) => `redis-server ${what}`),
      ...['strings', 'mixed'].flatMap((content) => [
        `ringside node ${content} of ringside node`,
        `ringside node ${content} of redis-server`,
        `redis-server ${content} of redis-server`,
      ]),
    ],
  );
});

t.test('proxy beside nutcracker and Envoy', redis, async (t) => {
  const found = await rows('proxy');
  const peers = new Set(found.map(({ peer }) => peer));
  t.equal(peers.has('nutcracker'), isInstalled('nutcracker'), 'nutcracker is measured where it is installed');
  t.equal(peers.has('envoy'), findEnvoy() !== undefined, 'Envoy is measured where it is installed');
  t.ok(found.every(({ ratio }) => ratio > 0));
  t.ok(found.some(({ command }) => command === 'MGET'));
});

t.test('what proxies add to a GET', redis, async (t) => {
  const found = await rows<{ server: string; p50: number; p999: number; added?: object }>('latency');
  t.strictSame(
    found.slice(0, 2).map(({ server, added }) => [server, added !== undefined]),
    [
      ['redis-server', false],
      ['ringside proxy', true],
    ],
  );
  t.ok(found.every(({ p50, p999 }) => p50 > 0 && p999 >= p50));
});

t.test('a suite that does not exist is wrong usage', async (t) => {
  const run = bench(process.execPath, [main, 'nodes'], { env: { ...process.env, NODE_OPTIONS: '' } });
  await t.rejects(run, { code: 2, stderr: /^usage:/ });
});
