import t from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { AofRounds } from '../support/crash/aof-rounds.ts';
import { canCutPower, NO_COMPILER } from '../support/crash/power-cut.ts';
import { redisServer, ringsideNode } from '../support/crash/servers.ts';
import { hasRedisServer, NO_REDIS } from '../support/redis-server.ts';

/*
 * SIGKILL at random moments while connections write, in part amid rewrites and snapshots, and with it what no fsync had reached: under
 * `always` nothing acknowledged is lost, under `everysec` what was acknowledged in the last second at most, under `no` anything; what is
 * there is a prefix of what was written. Then torn tails, which the start cuts with a warning, and damage elsewhere, which stops it.
 */

const seed = Number(process.env.SEED ?? 20261121);
const ROUNDS = Number(process.env.CRASH_ROUNDS ?? (process.env.RINGSIDE_LONG ? 200 : 6));

t.comment(`seed ${seed}${canCutPower() ? '' : `; ${NO_COMPILER}`}`);

for (const [kind, rounds, skip] of [
  [ringsideNode, ROUNDS, false],
  [redisServer, Math.ceil(ROUNDS / 10), !hasRedisServer && NO_REDIS],
] as const) {
  t.test(`AOF of a ${kind.name}: killed under load`, { skip }, async (t) => {
    const all = new AofRounds(t, kind, seededRandom(seed));
    await all.run('always', Math.ceil(rounds / 2));
    await all.run('everysec', Math.floor(rounds / 3));
    await all.run('no', Math.floor(rounds / 6));
    if (hasRedisServer) await all.repair();
    t.comment(JSON.stringify(all.total));
  });
}
