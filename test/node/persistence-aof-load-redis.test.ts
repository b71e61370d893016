import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { AOF_NAME, hasRedisTools, manifestOf, nodeAt, partPath, redisAt, rewrite } from '../support/aof.ts';
import { sameInBoth, writeAllForms } from '../support/aof-of-redis.ts';
import { folder } from '../support/folder.ts';
import { NO_REDIS } from '../support/redis-server.ts';
import { until } from '../support/until.ts';

/* Append-only files that a real redis-server has written: another redis-server and a node load a copy each, and hold the same, key by key. */

const seed = Number(process.env.SEED ?? 20261121);
const WRITES = process.env.RINGSIDE_LONG ? 20_000 : 1200;
const random = seededRandom(seed);

t.test(`what redis-server has written (SEED=${seed})`, { skip: !hasRedisTools && NO_REDIS }, async (t) => {
  const styles = [
    [],
    ['--aof-use-rdb-preamble', 'no', '--aof-timestamp-enabled', 'yes'],
    ['--list-max-listpack-size', '2', '--zset-max-listpack-entries', '0', '--rdbcompression', 'no'],
  ];
  for (const style of styles) {
    const dir = folder(t, 'aof');
    const [server, client] = await redisAt(t, dir, ...style);
    await writeAllForms(t, server.address, random, WRITES / 2);
    await rewrite(client);
    await writeAllForms(t, server.address, random, WRITES / 2);
    // A second part behind the base: a rewrite that is under way, or has failed, leaves one.
    await client.send('CONFIG', 'SET', 'rdb-key-save-delay', '10000');
    await client.send('BGREWRITEAOF');
    await writeAllForms(t, server.address, random, 200);
    await server.stop();
    t.match(
      readFileSync(manifestOf(dir), 'utf8'),
      /base.*\n.*incr.*\n.*incr/,
      'a base and two parts behind it',
    );
    await sameInBoth(t, dir, style.join(' '));
  }
});

t.test(
  'a key that has expired meanwhile was there for the commands behind it',
  { skip: !hasRedisTools && NO_REDIS },
  async (t) => {
    const dir = folder(t, 'aof');
    const [server, client] = await redisAt(t, dir);
    await client.send('SET', 'short', '5', 'PX', '12000');
    await client.send('SET', 'gone', '5', 'PX', '12000');
    const expiry = Number(await client.send('PEXPIRETIME', 'gone'));
    await rewrite(client);
    t.equal(await client.send('PERSIST', 'short'), 1);
    t.equal(await client.send('INCR', 'short'), 6);
    t.equal(await client.send('APPEND', 'gone', 'x'), 2);
    await server.stop();
    await until('both have expired', () => Date.now() > expiry);
    const [, ours] = await nodeAt(t, dir);
    t.equal(await ours.text('GET', 'short'), '6');
    t.equal(await ours.text('GET', 'gone'), null, 'and goes afterwards');
  },
);

t.test(
  'a file of one part, as Redis wrote it before 7.0',
  { skip: !hasRedisTools && NO_REDIS },
  async (t) => {
    for (const preamble of ['yes', 'no']) {
      const dir = folder(t, 'aof');
      const [server, client] = await redisAt(t, dir, '--aof-use-rdb-preamble', preamble);
      await writeAllForms(t, server.address, random, 400);
      await rewrite(client);
      await writeAllForms(t, server.address, random, 400);
      await server.stop();
      const former = folder(t, 'aof');
      const names = [...readFileSync(manifestOf(dir), 'utf8').matchAll(/^file (\S+)/gm)].map(
        ([, name]) => name,
      );
      writeFileSync(
        join(former, AOF_NAME),
        Buffer.concat(names.map((name) => readFileSync(partPath(dir, name)))),
      );
      await sameInBoth(t, former, `preamble ${preamble}`);
      const [node, ours] = await nodeAt(t, former);
      t.notOk(existsSync(join(former, AOF_NAME)), 'it has been moved');
      t.match(readFileSync(manifestOf(former), 'utf8'), `file ${AOF_NAME} seq 1 type b\n`);
      const keys = await ours.send('DBSIZE');
      await node.stop();
      const [, again] = await nodeAt(t, former);
      t.equal(await again.send('DBSIZE'), keys, 'and is loaded from there');
    }
  },
);
