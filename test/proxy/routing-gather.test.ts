import t, { type Test } from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { RespError, type RespValue } from '../../lib/codec/resp/index.ts';
import { hasRedisServer, NO_REDIS } from '../support/redis-server.ts';
import type { RespClient } from '../support/resp-client.ts';
import { type ShardedRedis, shardedRedis } from '../support/sharded-redis.ts';

/* Commands of several keys over three redis-servers, beside one redis-server that has all the keys. */

const seed = Number(process.env.SEED ?? 5);
const CROSS_SLOT = "CROSSSLOT Keys in request don't hash to the same slot";

/** Replies without types that carry no meaning, for comparison; sets in one order. */
function plain(value: RespValue): unknown {
  if (value instanceof RespError) return `-${value.message}`;
  if (value instanceof Set) return { set: [...value].map(plain).map(String).sort() };
  if (value instanceof Map) return [...value].map(([key, one]) => [plain(key), plain(one)]);
  if (Array.isArray(value)) return value.map(plain);
  return Buffer.isBuffer(value) ? value.latin1Slice() : value;
}

const unordered = new Set(['SINTER', 'SUNION', 'SDIFF']);

async function ask(client: RespClient, parts: readonly string[]): Promise<unknown> {
  const reply = plain(await client.send(...parts));
  return unordered.has(parts[0]) && Array.isArray(reply) ? reply.map(String).sort() : reply;
}

t.test('gathered reads', { skip: hasRedisServer ? false : NO_REDIS }, async (t) => {
  let sharded: ShardedRedis;
  let clients: readonly RespClient[];
  const both = async (...parts: string[]) => {
    const [ours, theirs] = await Promise.all(clients.map((client) => ask(client, parts)));
    return { ours, theirs };
  };
  const same = async (t: Test, ...parts: string[]) => {
    const { ours, theirs } = await both(...parts);
    t.strictSame(ours, theirs, parts.join(' '));
  };

  t.before(async () => {
    sharded = await shardedRedis(t);
    clients = [sharded.client(), sharded.alone];
  });

  t.test('what random sets and sorted sets make together', async (t) => {
    const random = seededRandom(seed);
    const pick = <T>(list: readonly T[]): T => list[random.int(list.length)];
    const sets = Array.from({ length: 8 }, (_, i) => `set:${i}`);
    const zsets = Array.from({ length: 8 }, (_, i) => `zset:${i}`);
    t.ok(new Set(sets.map(sharded.shardOf)).size > 1, 'on several shards');
    for (const key of sets.slice(1)) {
      const members = Array.from({ length: 1 + random.int(12) }, () => `m${random.int(16)}`);
      await same(t, 'SADD', key, ...members, 'always');
    }
    const scores = ['1', '-2.5', '0.1', 'inf', '-inf', '3e10', '1.1000000000000001'];
    for (const key of zsets.slice(1)) {
      const members = Array.from({ length: 1 + random.int(12) }, () => [pick(scores), `m${random.int(16)}`]);
      await same(t, 'ZADD', key, ...members.flat(), '7', 'always');
    }
    for (const protocol of ['2', '3']) {
      for (const client of clients) await client.send('HELLO', protocol);
      for (let i = 0; i < 250; i++) {
        const isScored = random.int(2) === 0;
        const keys = Array.from({ length: 1 + random.int(4) }, () =>
          pick(isScored ? [...zsets, ...sets] : sets),
        );
        const count = String(keys.length);
        const weights =
          random.int(2) === 0 ? [] : ['WEIGHTS', ...keys.map(() => pick(['2', '-1', '0', '0.5', 'inf']))];
        const aggregate = random.int(2) === 0 ? [] : ['aggregate', pick(['sum', 'MIN', 'max'])];
        const withScores = random.int(3) === 0 ? [] : ['WITHSCORES'];
        const limit = random.int(2) === 0 ? [] : ['LIMIT', pick(['0', '1', '3'])];
        const command = isScored
          ? pick([
              ['ZUNION', count, ...keys, ...weights, ...aggregate, ...withScores],
              ['ZINTER', count, ...keys, ...weights, ...aggregate, ...withScores],
              ['ZDIFF', count, ...keys, ...withScores],
              ['ZINTERCARD', count, ...keys, ...limit],
            ])
          : pick([
              ['SINTER', ...keys],
              ['SUNION', ...keys],
              ['SDIFF', ...keys],
              ['SINTERCARD', count, ...keys, ...limit],
            ]);
        await same(t, ...command);
      }
    }
    for (const client of clients) await client.send('HELLO', '2');
  });

  t.test('PFCOUNT merges what the shards have', async (t) => {
    const keys = ['hll:0', 'hll:1', 'hll:2', 'hll:3'];
    t.ok(new Set(keys.map(sharded.shardOf)).size > 1, 'on several shards');
    // Sparse, dense, and overlapping.
    for (const [i, size] of [10, 300, 20_000, 4000].entries()) {
      for (let from = 0; from < size; from += 500) {
        const elements = Array.from(
          { length: Math.min(500, size - from) },
          (_, n) => `${(from + n) * (i + 1)}`,
        );
        await same(t, 'PFADD', keys[i], ...elements);
      }
    }
    await same(t, 'PFCOUNT', ...keys);
    await same(t, 'PFCOUNT', keys[0], keys[1]);
    await same(t, 'PFCOUNT', 'hll:none', ...keys.slice(2), 'nothing', 'no');
    await same(t, 'PFCOUNT', 'no', 'none', 'nothing', 'never');
  });

  t.test('errors in Redis words', async (t) => {
    await both('SET', 'string', 'x');
    await both('RPUSH', 'list', 'x');
    for (const command of [
      'SUNION set:1 string set:2 set:3',
      'SINTER nothing set:1 list set:2',
      'SDIFF set:1 set:2 set:3 string',
      'ZUNION 3 zset:1 string zset:2',
      'PFCOUNT hll:0 hll:1 hll:2 string',
      'PFCOUNT hll:0 hll:1 hll:2 list',
      'SINTERCARD x set:1 set:2 set:3',
      'SINTERCARD 0 set:1 set:2 set:3',
      'SINTERCARD 7 set:1 set:2 set:3',
      'SINTERCARD 3 set:1 set:2 set:3 LIMIT',
      'SINTERCARD 3 set:1 set:2 set:3 LIMIT -1',
      'SINTERCARD 3 set:1 set:2 set:3 LIMITS 1',
      'ZUNION 0 zset:1 zset:2 zset:3',
      'ZUNION x zset:1 zset:2 zset:3',
      'ZUNION 9 zset:1 zset:2 zset:3',
      'ZUNION 3 zset:1 zset:2 zset:3 WEIGHTS 1 2',
      'ZUNION 3 zset:1 zset:2 zset:3 WEIGHTS 1 2 x',
      'ZINTER 3 zset:1 zset:2 zset:3 AGGREGATE avg',
      'ZDIFF 3 zset:1 zset:2 zset:3 WEIGHTS 1 2 3',
      'ZINTERCARD 3 zset:1 zset:2 zset:3 LIMIT -3',
      'ZINTERCARD 3 zset:1 zset:2 zset:3 WITHSCORES',
    ]) {
      await same(t, ...command.split(' '));
    }
  });

  t.test('what writes, or cannot be put together, needs its keys on one shard', async (t) => {
    const [a, b] = ['set:1', 'set:2', 'set:3', 'set:4']
      .filter((key, i, all) => i === 0 || sharded.shardOf(key) !== sharded.shardOf(all[0]))
      .slice(0, 2);
    t.not(sharded.shardOf(a), sharded.shardOf(b));
    for (const command of [
      `RENAME ${a} ${b}`,
      `RENAMENX ${a} ${b}`,
      `COPY ${a} ${b} REPLACE`,
      `SMOVE ${a} ${b} m1`,
      `SINTERSTORE ${a} ${b}`,
      `SUNIONSTORE x{${a}} ${b}`,
      `SDIFFSTORE ${a} ${a} ${b}`,
      `ZUNIONSTORE ${a} 2 ${a} ${b}`,
      `ZINTERSTORE ${a} 1 ${b}`,
      `ZDIFFSTORE ${a} 1 ${b}`,
      `ZRANGESTORE ${a} ${b} 0 -1`,
      `LMOVE ${a} ${b} LEFT RIGHT`,
      `RPOPLPUSH ${a} ${b}`,
      `LMPOP 2 ${a} ${b} LEFT`,
      `ZMPOP 2 ${a} ${b} MIN`,
      `BITOP AND ${a} ${b}`,
      `PFMERGE ${a} ${b}`,
      `MSETNX ${a} 1 ${b} 2`,
      `LCS ${a} ${b}`,
      `GEOSEARCHSTORE ${a} ${b} FROMLONLAT 0 0 BYRADIUS 1 km`,
      `GEORADIUS ${a} 0 0 1 km STORE ${b}`,
      `GEORADIUSBYMEMBER ${a} m 1 km STOREDIST ${b}`,
      `SORT ${a} ALPHA STORE ${b}`,
    ]) {
      t.match(await clients[0].send(...command.split(' ')), { message: CROSS_SLOT }, command);
    }
  });

  t.test('with a hash tag they all work as on one server', async (t) => {
    for (const command of [
      'SADD {t}:s 1 2 3',
      'SADD {t}:z 2 3 4',
      'SUNIONSTORE {t}:u {t}:s {t}:z',
      'SINTERSTORE {t}:i {t}:s {t}:z',
      'SDIFFSTORE {t}:d {t}:s {t}:z',
      'SINTERCARD 2 {t}:s {t}:z',
      'SMOVE {t}:s {t}:z 1',
      'ZADD {t}:a 1 x 2 y',
      'ZADD {t}:b 5 y 6 z',
      'ZUNION 2 {t}:a {t}:b WITHSCORES',
      'ZUNIONSTORE {t}:c 2 {t}:a {t}:b WEIGHTS 1 2',
      'ZRANGESTORE {t}:r {t}:c 0 1',
      'ZRANGE {t}:r 0 -1 WITHSCORES',
      'ZMPOP 2 {t}:a {t}:b MIN COUNT 2',
      'RPUSH {t}:l 3 1 2',
      'LMOVE {t}:l {t}:m LEFT RIGHT',
      'RPOPLPUSH {t}:l {t}:m',
      'LMPOP 2 {t}:none {t}:m RIGHT',
      'SET {t}:x abc',
      'SET {t}:y abd',
      'LCS {t}:x {t}:y',
      'BITOP XOR {t}:o {t}:x {t}:y',
      'GET {t}:o',
      'MSETNX {t}:p 1 {t}:q 2',
      'RENAME {t}:p {t}:n',
      'RENAMENX {t}:n {t}:q',
      'COPY {t}:q {t}:copy',
      'PFADD {t}:h1 a b c',
      'PFADD {t}:h2 c d',
      'PFMERGE {t}:h {t}:h1 {t}:h2',
      'PFCOUNT {t}:h1 {t}:h2',
      'GEOADD {t}:g 13.36 38.11 a 15.08 37.50 b',
      'GEORADIUS {t}:g 15 37 200 km STORE {t}:near',
      'GEOSEARCHSTORE {t}:near2 {t}:g FROMLONLAT 15 37 BYRADIUS 100 km',
      'ZRANGE {t}:near 0 -1',
      'RPUSH {t}:ids 2 1 3',
      'MSET {t}:w1 30 {t}:w2 20 {t}:w3 10 {t}:v1 one {t}:v2 two {t}:v3 three',
      'SORT {t}:ids BY {t}:w* GET # GET {t}:v* STORE {t}:sorted',
      'LRANGE {t}:sorted 0 -1',
      'SORT_RO {t}:ids DESC',
      'SORT {t}:ids BY nosort LIMIT 0 2 GET #',
      'OBJECT ENCODING {t}:ids',
      'OBJECT REFCOUNT {t}:ids',
      'OBJECT NOPE {t}:ids',
      'OBJECT ENCODING',
      'MOVE {t}:ids',
    ]) {
      await same(t, ...command.split(' '));
    }
  });

  t.test('SORT with patterns that may name keys elsewhere is refused', async (t) => {
    const client = clients[0];
    for (const [command, option] of [
      ['SORT set:1 BY w_*', 'BY'],
      ['SORT set:1 BY nosort GET v_*->f', 'GET'],
      ['SORT_RO set:1 GET # GET v_*', 'GET'],
      ['SORT set:1 BY *{set:1}', 'BY'],
      ['SORT set:1 BY {*}', 'BY'],
    ]) {
      const message = `ERR ${option} option of SORT denied in cluster mode.`;
      t.match(await client.send(...command.split(' ')), { message }, command);
    }
    t.ok(
      Array.isArray(await client.send('SORT', 'set:1', 'BY', 'w_{set:1}_*', 'GET', '#')),
      'a tag says where',
    );
  });
});
