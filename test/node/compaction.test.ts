import t, { type Test } from 'tap';
import {
  type Clock,
  ManualClock,
  type Random,
  seededRandom,
  silentLogger,
  systemClock,
} from '../../lib/base/index.ts';
import { argsOf, decodeReply, type RespValue } from '../../lib/codec/resp/index.ts';
import { configFrom } from '../../lib/config/index.ts';
import { runExpiryCycle } from '../../node/active-expiry.ts';
import { buildNode, type NodeParts } from '../../node/node.ts';
import { Client } from '../../node/server/client.ts';
import { ReplyWriter } from '../../node/server/reply-writer.ts';
import { RawClient } from '../support/raw-client.ts';
import { hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';
import { kinds, type Model, replay, textOf } from '../support/value-models.ts';
import { type Command, keys, pick } from './differential/base.ts';
import { topics } from './differential/index.ts';
import { isPredictable, isSame, nameOf, show } from './differential/same.ts';

/*
 * Values of every type that grow, shrink and go in segments of 64 KB, the smallest there are: whatever is written is moved many times. What the
 * node answers is what a real redis-server answers, and under eviction what an obvious model says.
 */

const seed = Number(process.env.SEED ?? 20261121);
const KIB = 1024;
/** What an empty database still charges: its policy's queue and wheel. */
const EMPTY_BYTES = 4096;
/** Room that a store keeps at most when it is empty. */
const IDLE_BYTES = 128 * KIB;

/** A node without connections, and one client of it. */
class Inner {
  readonly node: NodeParts;
  readonly #client = new Client({ id: 1, address: '', localAddress: '', nowMs: 0, authenticated: true });
  readonly #reply = new ReplyWriter();
  /** Bytes of all arguments so far. */
  received = 0;

  constructor(clock: Clock, maxMemory: string, policy: string) {
    const config = configFrom({
      node: { standalone: true, adminPort: 'off', maxMemoryBytes: maxMemory, maxMemoryPolicy: policy },
    });
    this.node = buildNode(config, { clock, random: seededRandom(seed), log: silentLogger });
    this.node.services.shard.leads = true;
    this.node.services.shard.complete = true;
  }

  run(command: Command): Buffer {
    const { executor } = this.node;
    const parts = command.map((part) => Buffer.from(part));
    for (const { length } of parts) this.received += length;
    executor.beginTurn();
    executor.execute(this.#client, argsOf(...parts), this.#reply);
    executor.endTurn();
    const bytes = Buffer.from(this.#reply.take());
    this.#reply.rewind();
    return bytes;
  }

  /** Bytes of the store: in use, and taken from the system. */
  get memory(): { used: number; reserved: number } {
    let [used, reserved] = [0, 0];
    for (const { store } of this.node.databases.all()) {
      used += store.usedBytes;
      reserved += store.reservedBytes;
    }
    return { used, reserved };
  }

  /** After FLUSHALL: nothing is left, and nothing is charged. */
  assertEmpty(t: Test): void {
    const { databases } = this.node;
    this.run(['FLUSHALL']);
    const { clock } = this.node.services;
    for (let i = 0; i < 100; i++) for (const keyspace of databases.all()) runExpiryCycle(keyspace, clock);
    t.equal(databases.usedBytes, 0, 'nothing is in use');
    t.equal(databases.data.cache.tagBudget.usedBytes, 0, 'no tags');
    for (const { store } of databases.all()) {
      const { index, idle = 0, ...classes } = store.bytesByClass;
      const left = Object.entries(classes).filter(([, bytes]) => bytes !== 0);
      t.same([store.size, left], [0, []]);
      t.ok(index < EMPTY_BYTES, `${index} bytes of index`);
      t.ok(idle < IDLE_BYTES, `${idle} bytes are kept for what comes next`);
      t.ok(store.chargedBytes < EMPTY_BYTES, `${store.chargedBytes} bytes charged`);
    }
  }
}

const NEVER =
  /^(DBSIZE|SCAN|FLUSH.*|SWAPDB|HELLO|AUTH|CLIENT|CONFIG|COMMAND|INFO|WAIT|MULTI|EXEC|WATCH|DEBUG|MEMORY|ROLE|LATENCY|SLOWLOG|P?S?SUBSCRIBE)$/;
const SUFFIXES = 150;
const COMMANDS = 60_000;
const BATCH = 50;

/** A random command on one of many keys: those of the topics, each many times. */
function spread(random: Random): Command {
  const suffix = `:${random.int(SUFFIXES)}`;
  const widened = (part: string | Buffer) =>
    keys.some((key) => Buffer.from(key).equals(Buffer.from(part)))
      ? Buffer.concat([Buffer.from(part), Buffer.from(suffix)])
      : part;
  const command = topics[pick(random, Object.keys(topics))](random);
  return [command[0], ...command.slice(1).map(widened)];
}

t.test(`beside redis-server, seed ${seed}`, { skip: !hasRedisServer && NO_REDIS }, async (t) => {
  const random = seededRandom(seed);
  const redis = await startRedis();
  const theirs = new RawClient(redis.address);
  t.teardown(async () => {
    theirs.close();
    await redis.stop();
  });
  const ours = new Inner(systemClock, '16mb', 'noeviction');
  let [differences, worst, most] = [0, 0, 0];
  for (let done = 0; done < COMMANDS && differences < 10; done += BATCH) {
    const commands = Array.from({ length: BATCH }, () => spread(random));
    const batch = commands.filter((command) => isPredictable(command) && !NEVER.test(nameOf(command)));
    const wanted = theirs.run(batch);
    const got = batch.map((command) => ours.run(command));
    for (const [i, reply] of (await wanted).entries()) {
      if (isSame(batch[i], got[i], reply)) continue;
      differences++;
      t.fail(`${show(batch[i])}\n  ours:   ${show([got[i]])}\n  theirs: ${show([reply])}`);
    }
    const { used, reserved } = ours.memory;
    most = Math.max(most, used);
    if (used > 500 * KIB) worst = Math.max(worst, reserved / used);
  }
  t.equal(differences, 0, `seed ${seed}`);
  t.ok(most > 500 * KIB, `up to ${most} bytes in use`);
  t.ok(ours.received > 3 * most, `${ours.received} bytes were written: room was won back many times`);
  t.ok(worst < 1.8, `at most ${worst.toFixed(2)} bytes were taken from the system for each in use`);
  ours.assertEmpty(t);
});

const POLICIES = ['s3-fifo', 'lru', 'lfu', 'random'].map((name) => `allkeys-${name}`);
const STEPS = 8000;
const KEYS_OF_KIND = 500;
const STEP_MS = 3;

for (const policy of [...POLICIES, 'volatile-ttl']) {
  t.test(`beside a model under ${policy}, seed ${seed}`, async (t) => {
    const random = seededRandom(seed);
    const clock = new ManualClock({ wallMs: 1_800_000_000_000 });
    const inner = new Inner(clock, '1mb', policy);
    const { databases } = inner.node;
    const models = new Map<string, Model>();
    const wrong: string[] = [];
    let refused = 0;
    for (let step = 0; step < STEPS && wrong.length < 5; step++) {
      const name = pick(random, Object.keys(kinds));
      const { begin, change, read, text } = kinds[name];
      const key = `${name}${random.int(KEYS_OF_KIND)}`;
      const former = models.get(key) ?? begin();
      const model = structuredClone(former);
      const command = change(model, key, random);
      if (name === 'string') models.set(key, `${model}${command[2]}`);
      else models.set(key, model);
      // Nothing is evicted between the commands of a transaction: what was there is what is changed.
      const brief: Command[] = random.int(12) === 0 ? [['PEXPIRE', key, String(1 + random.int(4000))]] : [];
      const queued = [['EXISTS', key], read(key), command, read(key), ...brief];
      inner.run(['MULTI']);
      for (const one of queued) inner.run(one);
      const reply = decodeReply(inner.run(['EXEC']), 0);
      if (reply instanceof Error) {
        // volatile-ttl: nothing that may go is left.
        models.set(key, former);
        if (++refused % 5 > 0) continue;
        const some = [...models.keys()].slice(0, 50);
        inner.run(['DEL', ...some]);
        for (const gone of some) models.delete(gone);
        continue;
      }
      const [isThere, before, , after] = reply as RespValue[];
      if (isThere === 0) {
        // It has been evicted or has expired, or is empty: what is here now began anew.
        models.set(key, replay(begin(), command));
      } else if (text(before) !== textOf(former)) wrong.push(`${key} before step ${step}`);
      if (text(after) !== textOf(models.get(key)!)) wrong.push(`${key} after step ${step}: ${show(command)}`);
      clock.advance(STEP_MS);
      if (step % 20 === 0) for (const keyspace of databases.all()) runExpiryCycle(keyspace, clock);
    }
    t.same(wrong, [], `seed ${seed}`);
    const { evicted, expired } = databases.data.stats;
    t.ok(evicted > 100, `${evicted} evicted`);
    t.ok(expired > 10, `${expired} expired, ${refused} refused`);
    t.ok(inner.received > 2 * inner.memory.used, 'room was won back');
    inner.assertEmpty(t);
  });
}
