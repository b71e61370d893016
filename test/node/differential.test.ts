import t from 'tap';
import { type Random, seededRandom } from '../../lib/base/index.ts';
import { RawClient } from '../support/raw-client.ts';
import { hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';
import { startRingside } from '../support/ringside.ts';
import { type Command, pick } from './differential/base.ts';
import { topics } from './differential/index.ts';
import { isPredictable, isSame, nameOf, show } from './differential/same.ts';

/* The same random commands to a node and to a real redis-server: every reply must be the same, byte for byte. */

const seed = Number(process.env.SEED ?? 20261121);
/** In all, over both protocols. */
const commands = Number(
  process.env.DIFFERENTIAL_COMMANDS ?? (process.env.RINGSIDE_LONG ? 1_200_000 : 40_000),
);
const only = process.env.DIFFERENTIAL_TOPICS?.split(' ');
const BATCH = 50;
const MAX_DIFFERENCES = Number(process.env.DIFFERENTIAL_SHOWN ?? 20);

function generate(random: Random): Command {
  const names = Object.keys(topics).filter((name) => !only || only.includes(name));
  const command = topics[pick(random, names)](random);
  // Now and then an argument too few or too many.
  if (random.int(40) === 0) return command.slice(0, Math.max(1, command.length - 1));
  if (random.int(40) === 0) return [...command, 'surplus'];
  return command;
}

for (const protocol of ['2', '3']) {
  t.test(`random commands over RESP${protocol}`, { skip: !hasRedisServer && NO_REDIS }, async (t) => {
    const redis = await startRedis();
    const node = await startRingside(['node', '--standalone', '--port', 'auto', '--admin-port', 'off']);
    t.teardown(() => Promise.all([redis.stop(), node.stop()]));
    const theirs = new RawClient(redis.address);
    const ours = new RawClient(node.ready.resp);
    t.teardown(() => {
      theirs.close();
      ours.close();
    });
    await Promise.all([theirs, ours].map((client) => client.run([['HELLO', protocol]])));
    const random = seededRandom(seed + Number(protocol));
    const seen = new Map<string, number>();
    let differences = 0;
    for (let done = 0; done < commands / 2 && differences < MAX_DIFFERENCES; done += BATCH) {
      const batch = Array.from({ length: BATCH }, () => generate(random)).filter(isPredictable);
      const [a, b] = await Promise.all([ours.run(batch), theirs.run(batch)]);
      for (const [i, command] of batch.entries()) {
        seen.set(nameOf(command), (seen.get(nameOf(command)) ?? 0) + 1);
        if (isSame(command, a[i], b[i])) continue;
        differences++;
        t.fail(`${show(command)}\n  ours:   ${show([a[i]])}\n  theirs: ${show([b[i]])}`);
      }
    }
    const total = [...seen.values()].reduce((x, y) => x + y, 0);
    t.equal(differences, 0, `seed ${seed}: ${total} commands, ${seen.size} names`);
  });
}
