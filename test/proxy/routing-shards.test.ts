import t from 'tap';
import type { RespValue } from '../../lib/codec/resp/index.ts';
import { keyHashHex, Ring } from '../../lib/ring/index.ts';
import { proxyWith } from '../support/proxy-under-test.ts';
import { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';

/* Commands about all shards, and Ringside's own, over three real nodes. */

const texts = (reply: RespValue) => (reply as RespValue[]).map(String);

/** INFO's fields. */
function fieldsOf(info: string | null): Map<string, string> {
  return new Map(
    info!.split('\r\n').flatMap((line) => {
      const colon = line.indexOf(':');
      return colon > 0 ? [[line.slice(0, colon), line.slice(colon + 1)] as const] : [];
    }),
  );
}

t.test('over three nodes', async (t) => {
  const nodes = await Promise.all(
    Array.from({ length: 3 }, () => startStandaloneNode(t, '--enable-debug-command', 'yes')),
  );
  const upstreams = nodes.map(({ ready }, i) => ({ name: `s${i}`, leader: ready.resp, followers: [] }));
  const { client } = await proxyWith(t, { upstreams });
  const c = client();
  const direct = nodes.map(({ ready }) => new RespClient(ready.resp));
  t.teardown(() => {
    for (const one of direct) one.close();
  });
  const ring = Ring.of(upstreams.map(({ name }) => ({ name, weight: 1 })));
  const shardOf = (key: string) => ring.shardOf(Buffer.from(key), 0, Buffer.byteLength(key));
  const keys = Array.from({ length: 60 }, (_, i) => `key:${i}`);

  t.beforeEach(async () => {
    await c.text('FLUSHALL');
    await c.text('MSET', ...keys.flatMap((key) => [key, `value of ${key}`]));
  });

  t.test('KEYS, DBSIZE, SCAN, RANDOMKEY, FLUSHDB', async (t) => {
    t.equal(await c.send('DBSIZE'), keys.length);
    t.strictSame(texts(await c.send('KEYS', 'key:*')).sort(), keys.toSorted());
    t.ok(keys.includes((await c.text('RANDOMKEY'))!));
    const found: string[] = [];
    let cursor = '0';
    do {
      const [next, some] = (await c.send('SCAN', cursor, 'MATCH', 'key:*', 'COUNT', '7')) as RespValue[];
      found.push(...texts(some));
      cursor = String(next);
    } while (cursor !== '0');
    t.strictSame(found.sort(), keys.toSorted(), 'each once');
    t.match(await c.send('SCAN', '0', 'COUNT', 'x'), {
      message: 'ERR value is not an integer or out of range',
    });
    t.equal(await c.text('FLUSHDB', 'ASYNC'), 'OK');
    t.equal(await c.send('DBSIZE'), 0);
    t.equal(await c.send('RANDOMKEY'), null);
  });

  t.test('subcommands with a key go to its shard', async (t) => {
    const key = keys[0];
    t.equal(await c.text('OBJECT', 'ENCODING', key), 'embstr');
    t.equal(await c.send('OBJECT', 'REFCOUNT', key), 1);
    t.ok(Number(await c.send('MEMORY', 'USAGE', key)) > 10);
    t.ok(Number(await c.send('MEMORY', 'USAGE', key, 'SAMPLES', '0')) > 10);
    t.match(await c.text('DEBUG', 'OBJECT', key), /encoding:embstr/);
    t.equal(await c.text('DEBUG', 'SET-ACTIVE-EXPIRE', '1'), 'OK');
    t.equal(await c.send('OBJECT', 'ENCODING', 'nothing'), null);
  });

  t.test('files and counters of all shards', async (t) => {
    const [before] = await Promise.all([c.send('LASTSAVE'), ...direct.map((one) => one.send('SAVE'))]);
    const saved = Number(await c.send('LASTSAVE'));
    t.ok(saved >= Number(before));
    const each = await Promise.all(direct.map((one) => one.send('LASTSAVE')));
    t.equal(saved, Math.min(...each.map(Number)), 'the oldest counts');
    t.equal(await c.text('MEMORY', 'PURGE'), 'OK');
    t.equal(await c.text('SWAPDB', '1', '2'), 'OK');
    t.match(await c.send('SWAPDB', '1', '99'), { message: /^ERR DB index is out of range$/ }, 'said once');
  });

  t.test('INFO adds up what the shards say', async (t) => {
    for (const key of keys) await c.send('GET', key);
    await c.send('GET', 'missing');
    // All of them: what is said of the average is that of a random sample.
    for (const key of keys) await c.send('EXPIRE', key, '100');
    const all = fieldsOf(await c.text('INFO'));
    const each = await Promise.all(direct.map(async (one) => fieldsOf(await one.text('INFO'))));
    const sumOf = (name: string) => each.reduce((sum, one) => sum + Number(one.get(name)), 0);
    t.match(all.get('db0'), new RegExp(`^keys=${keys.length},expires=${keys.length},avg_ttl=[1-9][0-9]*$`));
    t.equal(Number(all.get('keyspace_hits')), sumOf('keyspace_hits'));
    t.equal(Number(all.get('keyspace_misses')), sumOf('keyspace_misses'));
    t.ok(Number(all.get('used_memory')) > Number(each[0].get('used_memory')));
    t.equal(all.get('maxmemory_policy'), each[0].get('maxmemory_policy'));
    t.match(all.get('used_memory_human'), /^[0-9.]+[KMG]$/);
    t.equal(all.get('ringside_role'), 'proxy');
    t.equal(all.get('process_id'), String(process.pid), 'about the process it is the proxy');
    t.equal(all.get('shards_answering'), '3');
    t.equal(all.get('loading'), '0');
    t.notOk(
      [...all.keys()].some((name) => name.startsWith('cmdstat_')),
      'only when asked for',
    );
    const stats = fieldsOf(await c.text('INFO', 'commandstats', 'server'));
    t.match(
      stats.get('cmdstat_get'),
      /^calls=\d+,usec=\d+,usec_per_call=\d+\.\d\d,rejected_calls=0,failed_calls=0$/,
    );
    t.ok(stats.has('redis_version') && !stats.has('used_memory'));
    t.equal(await c.text('INFO', 'nonsense'), '');
  });

  t.test('RS.ROUTE says where commands on a key go', async (t) => {
    for (const key of keys.slice(0, 5)) {
      const reply = texts(await c.send('RS.ROUTE', key));
      const route = Object.fromEntries(
        reply.flatMap((name, i) => (i % 2 === 0 ? [[name, reply[i + 1]]] : [])),
      );
      t.match(route, {
        shard: `s${shardOf(key)}`,
        node: nodes[shardOf(key)].ready.resp,
        followers: '',
        engine: 'ringside',
        'ring-epoch': '0',
        hash: keyHashHex(Buffer.from(key)),
        l1: 'off',
        decision: 'leader',
      });
    }
    const three = client();
    await three.send('HELLO', '3');
    t.ok((await three.send('RS.ROUTE', 'x')) instanceof Map, 'a map in RESP3');
  });

  t.test("Ringside's own commands", async (t) => {
    t.match(String(await c.send('RS.SET', 'tagged', 'v', 'TAGS', '1', 'red')), /^\d+$/);
    const got = texts(await c.send('RS.GET', 'tagged'));
    t.equal(got[0], 'v');
    t.equal(got[5], 'hit');
    await c.send('RS.SET', 'other', 'v', 'TAGS', '1', 'red');
    t.equal(await c.text('RS.PURGE', 'TAG', 'red'), 'OK');
    t.equal(await c.send('EXISTS', 'tagged', 'other'), 0, 'on every shard');
    t.equal(await c.text('RS.PURGE', 'PREFIX', 'key:1'), 'OK');
    const left = keys.filter((key) => !key.startsWith('key:1'));
    t.equal(await c.send('EXISTS', ...keys), left.length);
    t.equal(await c.text('RS.FENCE', 'lock', '7'), 'OK');
    for (const key of keys.slice(0, 8)) {
      t.match(
        await c.send('RS.SET', key, 'v', 'FENCE', 'lock', '6'),
        { message: /^FENCED / },
        'on every shard',
      );
    }
    t.equal(await c.send('RS.DEL', keys[3]), 1);
    t.match(await c.send('RS.EPOCH', 's0', '1'), { message: /^ERR unknown command/ });
  });

  t.test('wide reads and writes of every size come back as they went', async (t) => {
    for (const bytes of [1, 100, 3000, 20_000, 100_000]) {
      const values = keys.map((key, i) => Buffer.alloc(bytes, `${key}-${i}\r\n$`));
      t.equal(await c.text('MSET', ...keys.flatMap((key, i) => [key, values[i]])), 'OK');
      const mixed = keys.flatMap((key, i) => (i % 5 === 0 ? [key, `missing:${i}`, key] : [key]));
      const back = (await c.send('MGET', ...mixed)) as (Buffer | null)[];
      const isRight = mixed.every((key, i) => {
        const at = keys.indexOf(key);
        return at < 0 ? back[i] === null : values[at].equals(back[i]!);
      });
      t.ok(isRight, `${bytes} bytes`);
    }
    t.equal(await c.send('TOUCH', ...keys, 'missing'), keys.length);
    t.equal(await c.send('UNLINK', ...keys.slice(0, 30), keys[0]), 30);
    t.equal(await c.send('EXISTS', ...keys, keys[40]), 31);
  });
});

t.test('engine redis has none of Ringside commands', async (t) => {
  const [node] = await Promise.all([startStandaloneNode(t)]);
  const upstreams = [{ name: 's0', leader: node.ready.resp, followers: [] }];
  const { client } = await proxyWith(t, { engine: 'redis', upstreams });
  const c = client();
  for (const command of ['RS.GET a', 'RS.SET a 1', 'RS.DEL a', 'RS.PURGE TAG x', 'RS.FENCE a 1']) {
    const [name] = command.split(' ');
    t.match(
      await c.send(...command.split(' ')),
      { message: `ERR ${name}: not supported by engine redis` },
      command,
    );
  }
  t.match(texts(await c.send('RS.ROUTE', 'a')).join(' '), / engine redis /);
});
