import t from 'tap';
import { seededRandom } from '../../../lib/base/index.ts';
import { hasRedisServer, NO_REDIS } from '../redis-server.ts';
import { AofRounds } from './aof-rounds.ts';
import { canCutPower, NO_COMPILER } from './power-cut.ts';
import { redisServer, ringsideNode } from './servers.ts';

/*
 * SIGKILL at random moments while connections write, in part amid rewrites and snapshots, and with it what no fsync had reached: what is there
 * is a prefix of what was written. Then torn tails, which the start cuts with a warning, and damage elsewhere, which stops it.
 */

const seed = Number(process.env.SEED ?? 20261121);
/** With all settings together. */
const ROUNDS = Number(process.env.CRASH_ROUNDS ?? (process.env.RINGSIDE_LONG ? 200 : 6));

/** Tests of a node, and shorter ones of a real redis-server: settings of `appendfsync`, each with its share of all rounds; the first has one at least. */
export function testsOfKills(...settings: readonly (readonly [fsync: string, share: number])[]): void {
  t.comment(`seed ${seed}${canCutPower() ? '' : `; ${NO_COMPILER}`}`);
  for (const [kind, rounds, skip] of [
    [ringsideNode, ROUNDS, false],
    [redisServer, Math.ceil(ROUNDS / 10), !hasRedisServer && NO_REDIS],
  ] as const) {
    t.test(`AOF of a ${kind.name}: killed under load`, { skip }, async (t) => {
      const all = new AofRounds(t, kind, seededRandom(seed));
      for (const [i, [fsync, share]] of settings.entries()) {
        await all.run(fsync, Math.max(Math.round(rounds * share), i === 0 ? 1 : 0));
      }
      if (hasRedisServer) await all.repair();
      t.comment(JSON.stringify(all.total));
    });
  }
}
