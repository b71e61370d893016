import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Random, seededRandom } from '../../lib/base/index.ts';
import { flipAny, type Injury, tear } from '../support/crash/aof-files.ts';
import { CrashFolder } from '../support/crash/crash-folder.ts';
import { canCutPower, NO_COMPILER } from '../support/crash/power-cut.ts';
import { type CrashServer, redisServer, ringsideNode } from '../support/crash/servers.ts';
import { isOneOf, snapshots, type Window } from '../support/crash/snapshot-windows.ts';
import { hasRedisServer, NO_REDIS } from '../support/redis-server.ts';

/*
 * SIGKILL at random moments while connections write and snapshots are made: the file that is there afterwards is whole, and holds what was
 * there when one of the snapshots began, the last that was done or one begun since. In every second round the file is damaged before the
 * start, which it must stop.
 */

const seed = Number(process.env.SEED ?? 20261121);
const ROUNDS = Number(process.env.CRASH_ROUNDS ?? (process.env.RINGSIDE_LONG ? 60 : 2));
const ROUNDS_ON_A_FOLDER = 6;
const BULK = 20_000;

async function refusesDamage(t: Test, folder: CrashFolder, random: Random): Promise<void> {
  const path = join(folder.dir, 'dump.rdb');
  const injury: Injury = random.int(2) === 0 ? tear(path, random) : flipAny(path, 0, random);
  const damaged = readFileSync(path);
  const refused = await folder.tryStart();
  t.match(refused?.output, /offset \d+.*redis-check-rdb/, `${injury.what} gone: no start`);
  t.ok(readFileSync(path).equals(damaged), 'the file is as it was');
  injury.undo();
}

async function rounds(t: Test, kind: CrashServer, count: number, random: Random): Promise<void> {
  let folder: CrashFolder | null = null;
  t.teardown(() => folder?.remove());
  let windows: Window[] = [];
  for (let round = 0; round < count; round++) {
    if (round % ROUNDS_ON_A_FOLDER === 0) {
      await folder?.remove();
      folder = new CrashFolder({ kind, settings: {}, random, bulk: BULK, cutsPower: canCutPower() });
      await folder.start();
      await folder.fill('SAVE');
      windows = [{ least: 0, most: 0, isDone: true }];
    }
    await folder!.loadAndKill(200 + random.int(1000), snapshots(windows, random));
    if (kind === ringsideNode && round % 2 === 0) await refusesDamage(t, folder!, random);
    await folder!.start();
    const { wrong, length } = await folder!.findOut(Number.POSITIVE_INFINITY);
    const done = windows.filter(({ isDone }) => isDone).length;
    t.same(wrong, [], `round ${round}: ${length} lines, ${done} of ${windows.length} snapshots were done`);
    if (!t.ok(isOneOf(windows, length), 'of one of the snapshots'))
      t.comment(JSON.stringify(windows.slice(-3)));
    windows = [{ least: length, most: length, isDone: true }];
  }
}

t.comment(`seed ${seed}${canCutPower() ? '' : `; ${NO_COMPILER}`}`);

t.test('RDB: killed amid snapshots', (t) => rounds(t, ringsideNode, ROUNDS, seededRandom(seed)));

t.test('the same of a redis-server', { skip: !hasRedisServer && NO_REDIS }, (t) =>
  rounds(t, redisServer, Math.ceil(ROUNDS / 10), seededRandom(seed)),
);
