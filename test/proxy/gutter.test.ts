import t, { type Test } from 'tap';
import { request } from 'undici';
import { proxyWith } from '../support/proxy-under-test.ts';
import { RespClient } from '../support/resp-client.ts';
import { runRingside, startStandaloneNode } from '../support/ringside.ts';
import { startNodesWith } from '../support/spread.ts';
import { until } from '../support/until.ts';

/* Gutter shards: who takes the keys of a shard of which nothing is left, and what becomes of them. */

const namespaces = [
  { name: 'soft', prefix: 'g:', stalenessMs: 60_000, gutter: true },
  { name: 'safe', prefix: 'a:', stalenessMs: 60_000, gutter: true, ack: 'replica' },
];
const TTL_MS = 120_000;

/** One shard of the ring, one in the gutter. */
async function stage(t: Test) {
  const [shard, gutter] = await startNodesWith(t, 2);
  const upstreams = [
    { name: 's0', leader: shard.ready.resp },
    { name: 'spare', leader: gutter.ready.resp, gutter: true },
  ];
  const resilience = { gutterTtlMs: TTL_MS };
  const options = { upstreams, resilience, operationTimeoutMs: 3000, readTimeoutMs: 1500, adminPort: 'auto' };
  const proxy = await proxyWith(t, options, { namespaces });
  const direct = new RespClient(gutter.ready.resp);
  t.teardown(() => direct.close());
  return { ...proxy, shard, gutter: direct };
}

const said = async (reply: Promise<unknown>) => {
  const value = await reply;
  return value instanceof Error ? value.message : String(value);
};

t.test('a stopped shard without followers: the gutter takes its keys, and gives them back', async (t) => {
  const { client, shard, gutter, proxy, log } = await stage(t);
  const c = client();
  await c.send('SET', 'g:old', 'of the shard');
  await c.send('SET', 'g:kept', 'of the shard');
  await c.send('SET', 'other', '1');
  t.equal(await gutter.send('DBSIZE'), 0, 'it is idle');
  shard.kill('SIGSTOP');
  t.teardown(() => shard.kill('SIGCONT'));
  t.equal(await c.text('GET', 'g:old'), null, 'the gutter knows nothing at first');
  t.equal(await c.text('SET', 'g:old', 'filled'), 'OK');
  t.equal(await c.text('SET', 'g:short', '1', 'PX', 60_000), 'OK');
  t.equal(await c.send('INCR', 'g:count'), 1, 'any write of one key');
  t.equal(await c.text('GET', 'g:old'), 'filled');
  const left = Number(await gutter.send('PTTL', 'g:old'));
  t.ok(left > 0 && left <= TTL_MS, 'for a short time');
  t.ok(Number(await gutter.send('PTTL', 'g:count')) > 0);
  t.ok(Number(await gutter.send('PTTL', 'g:short')) <= 60_000, 'its own time is shorter');
  t.match(await said(c.send('SET', 'a:1', '1')), /^(UNKNOWN|CLUSTERDOWN)/, 'ack: replica');
  t.match(await said(c.send('SET', 'other', '2')), /^(UNKNOWN|CLUSTERDOWN)/, 'of another namespace');
  t.match(await said(c.send('MSET', 'g:x', '1', 'g:y', '2')), /^(UNKNOWN|CLUSTERDOWN)/, 'several keys');
  const route = ((await c.send('RS.ROUTE', 'g:old')) as unknown[]).map(String);
  t.equal(route[route.indexOf('decision') + 1], 'gutter');
  t.equal(await gutter.send('DBSIZE'), 3);
  const admin = `http://${proxy.listeners.admin}`;
  t.match(await (await request(`${admin}/metrics`)).body.text(), /proxy_gutter_writes_total 3/);
  const { body } = await request(`${admin}/clusters?format=json`);
  t.match(await body.json(), { shards: [{ shard: 's0' }, { shard: 'spare', nodes: [{ role: 'leader' }] }] });
  t.ok(log.some(({ msg }) => msg === 'no node of the shard answers: the gutter takes its keys'));
  shard.kill('SIGCONT');
  await until('the shard is asked again', async () => (await c.text('GET', 'g:kept')) === 'of the shard');
  t.equal(await c.text('GET', 'g:old'), null, 'what was written meanwhile is deleted there');
  t.equal(await c.text('SET', 'g:new', '1'), 'OK');
  t.equal(await gutter.send('EXISTS', 'g:new'), 0);
  t.ok(log.some(({ msg }) => msg === 'the shard is asked again instead of the gutter'));
});

t.test('a killed shard, and then a gutter that is gone as well', async (t) => {
  const nodes = await startNodesWith(t, 2);
  const [shard, spare] = nodes;
  const upstreams = [
    { name: 's0', leader: shard.ready.resp },
    { name: 'spare', leader: spare.ready.resp, gutter: true },
  ];
  const { client } = await proxyWith(t, { upstreams, operationTimeoutMs: 3000 }, { namespaces });
  const c = client();
  await c.send('SET', 'g:1', '1');
  shard.kill('SIGKILL');
  await shard.ended;
  await until('the gutter answers', async () => (await said(c.send('SET', 'g:1', '2'))) === 'OK');
  t.equal(await c.text('GET', 'g:1'), '2');
  spare.kill('SIGKILL');
  await spare.ended;
  await until('nobody is left', async () => /^CLUSTERDOWN/.test(await said(c.send('GET', 'g:1'))));
});

t.test('a follower that answers is better than a gutter', async (t) => {
  const [shard, spare] = await startNodesWith(t, 2);
  const follower = await startStandaloneNode(t, '--replicaof', shard.ready.resp.replace(':', ' '));
  const upstreams = [
    { name: 's0', leader: shard.ready.resp, followers: [follower.ready.resp] },
    { name: 'spare', leader: spare.ready.resp, gutter: true },
  ];
  const { client } = await proxyWith(t, { upstreams, operationTimeoutMs: 3000 }, { namespaces });
  const c = client();
  const direct = new RespClient(follower.ready.resp);
  t.teardown(() => direct.close());
  await c.send('SET', 'g:1', 'one');
  await until('replicated', async () => (await direct.text('GET', 'g:1')) === 'one');
  shard.kill('SIGKILL');
  await shard.ended;
  await until('the follower answers', async () => (await said(c.send('GET', 'g:1'))) === 'one');
  t.match(await said(c.send('SET', 'g:1', 'two')), /^CLUSTERDOWN/, 'writes wait for a leader');
});

t.test('what the configuration refuses', async (t) => {
  const leader = '127.0.0.1:1';
  const shard = { name: 's', leader };
  await t.rejects(proxyWith(t, { controlPlane: leader, upstreams: [shard] }, {}), {
    message: /exclude each other, but for gutter shards/,
  });
  const alone = await runRingside([
    'proxy',
    '--set',
    `proxy.upstreams=[{name: s, leader: "${leader}", gutter: true}]`,
  ]);
  t.equal(alone.code, 2);
  t.match(alone.stderr, /all `gutter: true`, and `proxy.controlPlane` is missing/);
  await t.rejects(
    proxyWith(
      t,
      {
        upstreams: [
          { name: 's', leader },
          { name: 'g', leader, gutter: true, followers: [leader] },
        ],
      },
      {},
    ),
    { message: /is a gutter shard/ },
  );
  await t.rejects(
    proxyWith(
      t,
      { upstreams: [{ name: 's', leader }] },
      { namespaces: [{ name: 'n', prefix: '', gutter: true }] },
    ),
    { message: /needs `namespaces.0.stalenessMs` above 0/ },
  );
});
