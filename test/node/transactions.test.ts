import t from 'tap';
import { type Random, seededRandom } from '../../lib/base/index.ts';
import { RawClient } from '../support/raw-client.ts';
import { hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';
import { startStandaloneNode } from '../support/ringside.ts';
import { pick } from './differential/base.ts';

/* Two clients with random transactions on the same few keys, at a node and at a redis-server: byte for byte the same replies. */

const seed = Number(process.env.SEED ?? 20261121);
const steps = process.env.RINGSIDE_LONG ? 200_000 : 2000;

const keys = ['a', 'b', 'c'];
const values = ['1', '2', 'x'];

const simple: readonly ((random: Random) => string[])[] = [
  (random) => ['SET', pick(random, keys), pick(random, values)],
  (random) => ['GET', pick(random, keys)],
  (random) => ['DEL', pick(random, keys)],
  (random) => ['INCR', pick(random, keys)],
  (random) => ['RPUSH', pick(random, keys), pick(random, values)],
  (random) => ['LRANGE', pick(random, keys), '0', '-1'],
  (random) => ['LPOP', pick(random, keys)],
  (random) => ['BLPOP', pick(random, keys), pick(random, keys), '0.001'],
  (random) => ['HSET', pick(random, keys), 'f', pick(random, values)],
  (random) => ['EXPIRE', pick(random, keys), '10000'],
  (random) => ['RENAME', pick(random, keys), pick(random, keys)],
  () => ['FLUSHDB'],
  () => ['FLUSHALL'],
  (random) => ['SELECT', pick(random, ['0', '1', '99'])],
  (random) => ['SWAPDB', pick(random, ['0', '1']), pick(random, ['0', '1', '99'])],
  (random) => ['PUBLISH', pick(random, keys), 'x'],
  () => ['NOSUCH', 'command'],
  () => ['GET'],
];

const transactional: readonly ((random: Random) => string[])[] = [
  () => ['MULTI'],
  () => ['EXEC'],
  () => ['EXEC'],
  () => ['DISCARD'],
  (random) => ['WATCH', pick(random, keys), pick(random, keys)],
  () => ['UNWATCH'],
  () => ['EXEC', 'x'],
];

for (const protocol of ['2', '3']) {
  t.test(`random transactions over RESP${protocol}`, { skip: !hasRedisServer && NO_REDIS }, async (t) => {
    const redis = await startRedis();
    t.teardown(() => redis.stop());
    const node = await startStandaloneNode(t);
    const random = seededRandom(seed + Number(protocol));
    const pairs = [0, 1].map(() => [new RawClient(node.ready.resp), new RawClient(redis.address)]);
    t.teardown(() => {
      for (const client of pairs.flat()) client.close();
    });
    for (const client of pairs.flat()) await client.run([['HELLO', protocol]]);
    let executed = 0;
    let differences = 0;
    for (let done = 0; done < steps && differences < 10; done++) {
      const command = pick(random, random.int(3) === 0 ? transactional : simple)(random);
      const [[ours], [theirs]] = await Promise.all(
        pick(random, pairs).map((client) => client.run([command])),
      );
      if (command[0] === 'EXEC' && ours.length > 10) executed++;
      if (ours.equals(theirs)) continue;
      differences++;
      t.fail(`step ${done} ${command.join(' ')}\n  ours:   ${ours}\n  theirs: ${theirs}`);
    }
    t.equal(differences, 0, `seed ${seed}`);
    t.ok(executed > steps / 30, `${executed} transactions had something to say`);
  });
}
