import t from 'tap';
import { benchRows, needsRedis } from '../support/bench-rows.ts';

/* `npm run bench` of what is measured at a node. */

t.test('node beside redis-server', needsRedis, async (t) => {
  const found = await benchRows('node');
  t.strictSame(
    found.map(({ command, pipeline, peer }) => `${command} ${pipeline} ${peer}`),
    ['SET 1 redis-server', 'GET 1 redis-server', 'SET 16 redis-server', 'GET 16 redis-server'],
  );
  t.ok(found.every(({ ratio }) => ratio > 0));
});

t.test('types beside redis-server', needsRedis, async (t) => {
  const found = await benchRows('types');
  const commands = ['LPUSH', 'RPOP', 'HSET', 'HGET', 'SADD', 'ZADD', 'ZRANGE'];
  const both = (depth: number) => commands.map((command) => `${command} ${depth} redis-server`);
  t.strictSame(
    found.map(({ command, pipeline, peer }) => `${command} ${pipeline} ${peer}`),
    [1, 2].flatMap(() => [...both(1), ...both(16)]),
    'one big key, then many tiny ones',
  );
  t.ok(found.every(({ ratio }) => ratio > 0));
});

t.test('persistence beside redis-server', needsRedis, async (t) => {
  const found = await benchRows<Record<string, string | number>>('persistence', '--entries', '20000');
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
