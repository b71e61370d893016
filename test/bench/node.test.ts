import t from 'tap';
import { allowTime } from '../support/allow-time.ts';
import { benchRows, needsRedis } from '../support/bench-rows.ts';

/* `npm run bench` of what is measured at a node. */

allowTime(t, 900_000);

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
