import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { hasRedisServer, NO_REDIS } from '../support/redis-server.ts';
import { until } from '../support/until.ts';
import { counted, runsOn, stage } from './migration-stage.ts';

/*
 * Somebody dies in the middle of a migration: nothing that was acknowledged is lost, and the same command ends it, or its message says what does.
 */

const skip = hasRedisServer ? false : NO_REDIS;
const isLong = process.env.RINGSIDE_LONG === '1';
/** Where `ctl` is killed: at once after it has said so. */
const STEPS = isLong ? ['cut-over', 'hold', 'pause', 'promote', 'turn', 'demote'] : ['hold', 'demote'];

t.test('ctl dies in the cut-over', { skip }, async (t) => {
  for (const step of STEPS) {
    await t.test(`at ${step}`, async (t) => {
      const { redis, node, app, client, follow, upstream } = await stage(t);
      await runsOn(app, 'the app counts');
      const ctl = follow('--from', '--max-hold', '1500');
      await ctl.says(step);
      ctl.kill();
      await ctl.ended;
      await until('the hold is over', async () => (await upstream()).hold === null);
      // The same again, until it is done: what had been promoted has a copy that may go.
      const again = await follow('--from', '--replace').ended;
      t.equal(again.code, 0, again.stdout);
      await runsOn(app, 'the app counts on the node');
      await app.stop();
      const texts = [...app.errors.keys()];
      t.same(
        texts.filter((text) => !text.startsWith('READONLY')),
        [],
        `errors: ${texts.join()}`,
      );
      await counted(t, client(node.ready.resp), app);
      t.match(await client(redis.address).text('INFO', 'replication'), /role:slave/);
    });
  }
});

t.test('ctl stands still in the cut-over for longer than writes are held', { skip }, async (t) => {
  for (const step of isLong ? STEPS : ['promote']) {
    await t.test(`at ${step}`, async (t) => {
      const { redis, node, app, client, follow, upstream } = await stage(t);
      await runsOn(app, 'the app counts');
      const ctl = follow('--from', '--max-hold', '1000');
      await ctl.says(step);
      ctl.kill('SIGSTOP');
      await until('the hold is over', async () => (await upstream()).hold === null);
      await runsOn(app, 'the app counts on').catch(() => {});
      ctl.kill('SIGCONT');
      const { code, error } = await ctl.ended;
      await app.stop();
      const isMoved = (await upstream()).upstream === node.ready.resp;
      t.equal(isMoved, code === 0, JSON.stringify(error));
      await counted(t, client(isMoved ? node.ready.resp : redis.address), app);
      t.same(
        [...app.errors.keys()].filter((text) => !text.startsWith('READONLY')),
        [],
      );
    });
  }
});

t.test('the source stands still in the cut-over', { skip }, async (t) => {
  for (const step of isLong ? STEPS : ['turn']) {
    await t.test(`at ${step}`, async (t) => {
      const { redis, node, app, client, follow, upstream } = await stage(t);
      await runsOn(app, 'the app counts');
      const ctl = follow('--from');
      await ctl.says(step);
      process.kill(redis.pid, 'SIGSTOP');
      await delay(1500);
      process.kill(redis.pid, 'SIGCONT');
      const { code, error } = await ctl.ended;
      await runsOn(app, 'the app counts on');
      await app.stop();
      const isMoved = (await upstream()).upstream === node.ready.resp;
      t.equal(isMoved, code === 0, JSON.stringify(error));
      // Where writes were on their way to it, nobody knows what became of them.
      const unknown = [...app.errors].reduce((sum, [, times]) => sum + times, 0);
      await counted(t, client(isMoved ? node.ready.resp : redis.address), app, unknown);
      t.same(
        [...app.errors.keys()].filter((text) => !text.startsWith('UNKNOWN')),
        [],
      );
    });
  }
});

t.test('the target dies: the app goes on with the source', { skip }, async (t) => {
  const { redis, node, app, client, follow } = await stage(t);
  await runsOn(app, 'the app counts');
  const ctl = follow('--from');
  await ctl.says('hold');
  node.kill('SIGKILL');
  const { code, error } = await ctl.ended;
  t.equal(code, 1);
  t.match(error, { message: /^the cut-over failed: the target .* does not answer/ });
  t.match(error, { message: /the same command again/ });
  await runsOn(app, 'the app counts on Redis');
  await app.stop();
  t.same([...app.errors], [], 'nobody saw an error');
  await counted(t, client(redis.address), app);
});

t.test('the source dies: what was acknowledged is on the target', { skip }, async (t) => {
  const { redis, node, app, client, follow } = await stage(t);
  await runsOn(app, 'the app counts');
  const ctl = follow('--from');
  await ctl.says('promote');
  await redis.stop();
  const { code, error } = await ctl.ended;
  if (code === 1) {
    t.match(error, { message: /REPLICAOF NO ONE there, and start the proxies with --upstream/ });
    t.equal(await client(node.ready.resp).text('REPLICAOF', 'NO', 'ONE'), 'OK');
  }
  await app.stop();
  const unknown = [...app.errors].filter(([text]) => text.startsWith('UNKNOWN'));
  const unsure = unknown.reduce((sum, [, times]) => sum + times, 0);
  await counted(t, client(node.ready.resp), app, unsure);
});
