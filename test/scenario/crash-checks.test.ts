import { copyFileSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { falsify, partsOf, swapTwo } from '../support/crash/aof-files.ts';
import { CrashFolder } from '../support/crash/crash-folder.ts';
import { canCutPower, NO_COMPILER } from '../support/crash/power-cut.ts';
import { redisServer, type Settings } from '../support/crash/servers.ts';
import { isOneOf, snapshots, type Window } from '../support/crash/snapshot-windows.ts';
import { hasRedisServer, NO_REDIS } from '../support/redis-server.ts';

/* What the crash tests find, when servers are what they must not be: a redis-server that promises more than it keeps, or whose files lie. */

const seed = Number(process.env.SEED ?? 20261121);
/** More than what is under way at a time. */
const TAIL_BYTES = 100_000;
const random = seededRandom(seed);
const options = { skip: !hasRedisServer && NO_REDIS };

t.comment(`seed ${seed}`);

async function loaded(t: Test, settings: Settings, cutsPower: boolean, ms = 500): Promise<CrashFolder> {
  const folder = new CrashFolder({ kind: redisServer, settings, random, bulk: 1000, cutsPower });
  t.teardown(() => folder.remove());
  await folder.start();
  await folder.fill();
  await folder.loadAndKill(ms);
  return folder;
}

const lastPart = (folder: CrashFolder) => partsOf(folder.dir).at(-1)!.path;

t.test(
  'appendfsync no loses what was acknowledged',
  { skip: options.skip || (!canCutPower() && NO_COMPILER) },
  async (t) => {
    const folder = await loaded(t, { appendonly: 'yes', appendfsync: 'no' }, true, 5000);
    t.ok(folder.cuts.length > 0, 'the power cut takes what was not synced');
    await folder.start();
    const { wrong, lostMs } = await folder.findOut(1300);
    t.match(wrong[0], /acknowledged .* is lost/, `${lostMs.toFixed(0)} ms are lost`);
  },
);

t.test('a tail that is gone is lost, where nothing may be', options, async (t) => {
  const folder = await loaded(t, { appendonly: 'yes', appendfsync: 'always' }, false);
  const path = lastPart(folder);
  truncateSync(path, statSync(path).size - TAIL_BYTES);
  await folder.start();
  const { wrong } = await folder.findOut(0);
  t.match(wrong[0], /acknowledged .* is lost/);
});

t.test('writes in another order, and writes that nobody made', options, async (t) => {
  for (const [change, found] of [
    [swapTwo, /line \d+ is \d+:\d+(, acknowledged as| and not)/],
    [falsify, /writer \d after \d+ writes: \d:h:\d: wanted/],
  ] as const) {
    const folder = await loaded(t, { appendonly: 'yes', appendfsync: 'always' }, false);
    change(lastPart(folder));
    await folder.start();
    const { wrong } = await folder.findOut(Number.POSITIVE_INFINITY);
    t.match(wrong[0], found);
  }
});

t.test('an old snapshot in the place of the last', options, async (t) => {
  const folder = new CrashFolder({ kind: redisServer, settings: {}, random, bulk: 1000, cutsPower: false });
  t.teardown(() => folder.remove());
  await folder.start();
  await folder.fill('SAVE');
  const path = join(folder.dir, 'dump.rdb');
  copyFileSync(path, `${path}.old`);
  const windows: Window[] = [];
  const isNewer = ({ least, isDone }: Window) => isDone && least > 0;
  await folder.loadAndKill(700, snapshots(windows, random), () => windows.some(isNewer));
  t.ok(windows.some(isNewer), 'there are newer ones');
  copyFileSync(`${path}.old`, path);
  await folder.start();
  const { length } = await folder.findOut(Number.POSITIVE_INFINITY);
  t.notOk(isOneOf(windows, length), 'it is none of them');
});
