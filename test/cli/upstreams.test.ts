import t from 'tap';
import { hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { startRingside, startStandaloneNode } from '../support/ringside.ts';

/* `--upstream`: an engine for each shard, and `--engine` for those that do not say theirs. */

t.test('both engines in one command line', { skip: hasRedisServer ? false : NO_REDIS }, async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const node = await startStandaloneNode(t);
  const off = ['http', 'grpc', 'memcached', 'admin'].flatMap((name) => [`--${name}-port`, 'off']);
  const proxy = await startRingside([
    ...['proxy', '--engine', 'redis', '--resp-port', 'auto', ...off],
    ...['--upstream', `kept=${redis.address}`, '--upstream', `own=ringside://${node.ready.resp}`],
  ]);
  t.teardown(() => proxy.stop());
  const clients = [proxy.ready.resp, redis.address, node.ready.resp].map(
    (address) => new RespClient(address),
  );
  t.teardown(() => {
    for (const client of clients) client.close();
  });
  const [through, kept, own] = clients;
  const keys = Array.from({ length: 40 }, (_, i) => `key:${i}`);
  for (const key of keys) t.equal(await through.text('SET', key, 'v'), 'OK');
  const sizes = [Number(await kept.send('DBSIZE')), Number(await own.send('DBSIZE'))];
  t.equal(sizes[0] + sizes[1], keys.length);
  t.ok(Math.min(...sizes) > 0, `each shard has some: ${sizes}`);
});
