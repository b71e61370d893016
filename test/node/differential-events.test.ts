import t, { type Test } from 'tap';
import { type Random, seededRandom } from '../../lib/base/index.ts';
import { decodeReply, encodeCommand } from '../../lib/codec/resp/index.ts';
import { RawClient } from '../support/raw-client.ts';
import { hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';
import { type Command, pick } from './differential/base.ts';
import { topics } from './differential/index.ts';
import { isPredictable, isSame, nameOf, show } from './differential/same.ts';

/*
 * The same random commands to a node and to a real redis-server, with every class of keyspace events on: each command must cause the same
 * events, in the same order, and as many hits and misses.
 */

const seed = Number(process.env.SEED ?? 20261121);
const commands = Number(process.env.DIFFERENTIAL_COMMANDS ?? (process.env.RINGSIDE_LONG ? 200_000 : 10_000));
const only = process.env.DIFFERENTIAL_TOPICS?.split(' ');
const BATCH = 25;
/** What begins an error reply; how far a command came before it does not matter. */
const ERROR = 0x2d;
const MAX_DIFFERENCES = Number(process.env.DIFFERENTIAL_SHOWN ?? 20);
const MARK = 'behind-a-command';
/**
 * Where Redis counts lookups by another way than the command's purpose: the keys whose type SCAN looks at, the set that SPOP takes whole;
 * and where there is nothing left to compare.
 */
const uncounted = new Set(['SCAN', 'SPOP', 'CONFIG']);
/** Keys of which SORT looks up weights in the order that a set happens to have. */
const ordered = (command: Command, events: string[]) =>
  /^SORT/.test(nameOf(command)) ? [...events].sort() : events;

/** A subscriber that hears of all events. */
class Listener {
  readonly #client: RespClient;
  #events: string[] = [];
  #ofCommands: string[][] = [];
  #wanted = 0;
  #done: (events: string[][]) => void = () => {};

  constructor(address: string) {
    this.#client = new RespClient(address);
    this.#client.readFrames((buffer, start, end) => {
      this.#heard(decodeReply(buffer, start, end) as Buffer[]);
    });
    this.#client.socket.write(encodeCommand('PSUBSCRIBE', '__keyevent@*', MARK));
  }

  #heard([kind, , channel, message]: Buffer[]): void {
    if (String(kind) !== 'pmessage') return;
    if (String(channel) !== MARK) {
      this.#events.push(`${channel} ${JSON.stringify(message.toString('latin1').slice(0, 60))}`);
      return;
    }
    this.#ofCommands.push(this.#events);
    this.#events = [];
    if (this.#ofCommands.length === this.#wanted) this.#done(this.#ofCommands.splice(0));
  }

  /** The events of the next `count` commands, of each by itself. */
  next(count: number): Promise<string[][]> {
    this.#wanted = count;
    return new Promise((resolve) => {
      this.#done = resolve;
    });
  }

  close(): void {
    this.#client.close();
  }
}

/** A server whose events are heard. */
async function heard(t: Test, address: string) {
  const client = new RawClient(address);
  const listener = new Listener(address);
  t.teardown(() => {
    client.close();
    listener.close();
  });
  await client.run([['CONFIG', 'SET', 'notify-keyspace-events', 'AEmn']]);
  let former = [0, 0];
  return async (batch: readonly Command[]) => {
    const events = listener.next(batch.length);
    const replies = await client.run(
      batch.flatMap((command) => [command, ['PUBLISH', MARK, ''], ['INFO', 'stats']]),
    );
    const heardOf = await events;
    return batch.map((command, i) => {
      const [, hits, misses] = /keyspace_hits:(\d+)\s+keyspace_misses:(\d+)/.exec(
        String(replies[3 * i + 2]),
      )!;
      const lookups = [Number(hits) - former[0], Number(misses) - former[1]];
      former = [Number(hits), Number(misses)];
      const isError = replies[3 * i][0] === ERROR;
      const isCounted = !uncounted.has(nameOf(command)) && !isError;
      const told = `${ordered(command, isError ? [] : heardOf[i]).join(', ')}; ${isCounted ? lookups : 'any'} hits and misses`;
      return { reply: replies[3 * i], events: heardOf[i], told };
    });
  };
}

function generate(random: Random): Command {
  const names = Object.keys(topics).filter((name) => !only || only.includes(name));
  return topics[pick(random, names)](random);
}

t.test('events of random commands', { skip: !hasRedisServer && NO_REDIS }, async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const node = await startStandaloneNode(t, '--maxmemory-policy', 'noeviction');
  const [ours, theirs] = [await heard(t, node.ready.resp), await heard(t, redis.address)];
  const random = seededRandom(seed);
  const seen = new Set<string>();
  let [differences, events] = [0, 0];
  for (let done = 0; done < commands && differences < MAX_DIFFERENCES; done += BATCH) {
    const batch = Array.from({ length: BATCH }, () => generate(random)).filter(isPredictable);
    if (batch.length === 0) continue;
    const [a, b] = await Promise.all([ours(batch), theirs(batch)]);
    for (const [i, command] of batch.entries()) {
      events += b[i].events.length;
      for (const event of b[i].events) seen.add(event.split(' ')[0]);
      // Replies are compared in differential.test.ts; one of SORT may be an error for what Redis's strtod left in errno long before.
      const [ours, theirs] = [a[i].reply, b[i].reply];
      if (!isSame(command, ours, theirs) || (ours[0] === ERROR) !== (theirs[0] === ERROR)) continue;
      if (a[i].told === b[i].told) continue;
      differences++;
      t.fail(`${show(command)} -> ${show([b[i].reply])}\n  ours:   ${a[i].told}\n  theirs: ${b[i].told}`);
    }
  }
  t.equal(differences, 0, `seed ${seed}: ${events} events of ${seen.size} kinds`);
});
