import t from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { infoField, level } from '../support/data-set.ts';
import { Lasting, SAVES_AT_END } from '../support/lasting.ts';
import { hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { until } from '../support/until.ts';

/* A node that ends and comes back, between a redis-server that leads or follows. */

const random = seededRandom(Number(process.env.SEED ?? 20261121));

t.test(
  'a follower of redis-server, and redis-server as follower, go on',
  { skip: !hasRedisServer && NO_REDIS },
  async (t) => {
    const redis = await startRedis();
    t.teardown(() => redis.stop());
    const theirs = new RespClient(redis.address);
    t.teardown(() => theirs.close());
    const [, port] = redis.address.split(':');
    await theirs.send('SET', 'first', '1');
    const node = await Lasting.start(t, ...SAVES_AT_END, '--replicaof', `127.0.0.1 ${port}`);
    await until('the node follows', async () => (await node.info('master_link_status')) === 'up');
    await theirs.send('SELECT', '3');
    await theirs.send('SET', 'second', '2');
    await level(theirs, node.client);
    await node.end('SIGTERM');
    await theirs.send('SET', 'third', '3');
    await node.start();
    await level(theirs, node.client);
    t.equal(await infoField(theirs, 'sync_full'), '1');
    t.equal(await infoField(theirs, 'sync_partial_ok'), '1', 'the node went on with redis-server');
    await node.client.send('SELECT', '3');
    t.equal(await node.client.text('GET', 'third'), '3', 'in the right database');

    const leader = await Lasting.start(t, ...SAVES_AT_END);
    await leader.write(random, 2);
    await theirs.send('REPLICAOF', '127.0.0.1', String(leader.port));
    await until('redis-server follows', async () => (await infoField(theirs, 'master_link_status')) === 'up');
    await leader.client.send('SELECT', '5');
    await leader.client.send('SET', 'before', 'x');
    await leader.end('SIGTERM');
    await leader.start();
    await until('it follows again', async () => (await infoField(theirs, 'master_link_status')) === 'up');
    t.equal(await leader.info('sync_full'), '0');
    t.equal(await leader.info('sync_partial_ok'), '1', 'redis-server went on with the node');
    await leader.client.send('SELECT', '6');
    await leader.client.send('SET', 'after', 'y');
    await theirs.send('SELECT', '6');
    await until('the stream goes on', async () => (await theirs.text('GET', 'after')) === 'y');
  },
);
