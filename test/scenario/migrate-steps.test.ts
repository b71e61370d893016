import t from 'tap';
import { hasRedisServer, NO_REDIS } from '../support/redis-server.ts';
import { startRingside } from '../support/ringside.ts';
import { until } from '../support/until.ts';
import { counted, runsOn, stage } from './migration-stage.ts';

/* A migration that is made in two steps, and those that are refused. */

const skip = hasRedisServer ? false : NO_REDIS;

t.test('in two steps, with passwords', { skip }, async (t) => {
  const { redis, node, app, client, migrate } = await stage(t, { password: 'secret' });
  const attached = await migrate('--from', '--no-cut-over');
  t.match(attached, { code: 0, stdout: /Level/ });
  t.match(await client(node.ready.resp).text('INFO', 'replication'), /master_link_status:up/);
  await runsOn(app, 'the app counts on Redis');
  const done = await migrate('--from');
  t.equal(done.code, 0, done.stderr);
  await runsOn(app, 'the app counts on the node');
  await app.stop();
  t.same([...app.errors], []);
  await counted(t, client(node.ready.resp), app);
  await until('the source follows with its password', async () =>
    /master_link_status:up/.test((await client(redis.address).text('INFO', 'replication'))!),
  );
});

t.test('what is refused, and changes nothing', { skip }, async (t) => {
  const { redis, node, proxy, app, client, migrate } = await stage(t);
  await app.stop();
  await client(node.ready.resp).text('SET', 'own', '1');
  const refusals: [string[], RegExp][] = [
    [[], /the target .* holds 1 keys, which would be deleted: say --replace/],
    [['--node', `redis://${redis.address}`], /are the same server/],
    [
      ['--node', 'redis://127.0.0.1:1'],
      /the target 127\.0\.0\.1:1 does not answer \(nothing listens there\)/,
    ],
    [['--node', 'http://127.0.0.1:1'], /--node: write it as redis:/],
    [['--replace', '--proxy', `http://${node.ready.admin}`], /there is no GET \/upstream/],
    [['--max-hold', '1'], /whole number from 500/],
  ];
  const check = async ([args, text]: [string[], RegExp]) => {
    const { code, stderr } = await migrate('--from', ...args);
    t.match(stderr, text);
    t.not(code, 0);
  };
  await Promise.all(refusals.map(check));
  const several = await startRingside([
    ...['proxy', '--resp-port', 'auto', '--admin-port', 'auto', '--http-port', 'off', '--grpc-port', 'off'],
    ...['--memcached-port', 'off', '--upstream', `a=${redis.address}`, '--upstream', `b=${node.ready.resp}`],
  ]);
  t.teardown(() => several.stop());
  const refused = await migrate('--from', '--replace', '--proxy', `http://${several.ready.admin}`);
  t.match(refused, { code: 1, stderr: /has several shards, or a control plane: only one fixed upstream/ });
  t.match(await client(node.ready.resp).text('INFO', 'replication'), /role:master/);
  t.match(await client(redis.address).text('INFO', 'replication'), /role:master/);
  t.ok(proxy);
});
