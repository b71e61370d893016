import t from 'tap';
import { ManualClock, seededRandom, silentLogger } from '../../lib/base/index.ts';
import { argsOf, RequestParser } from '../../lib/codec/resp/index.ts';
import { configFrom } from '../../lib/config/index.ts';
import { runExpiryCycle } from '../../node/active-expiry.ts';
import { buildNode, type NodeParts } from '../../node/node.ts';
import { SnapshotLoader, SnapshotWriter } from '../../node/persistence/index.ts';
import { BulkReceiver } from '../../node/replication/bulk-receiver.ts';
import { FollowerLink } from '../../node/replication/follower-link.ts';
import { Replayer } from '../../node/replication/replayer.ts';
import { StreamApplier } from '../../node/replication/stream-applier.ts';
import { StreamUnit } from '../../node/replication/stream-unit.ts';
import { Client } from '../../node/server/client.ts';
import { ReplyWriter } from '../../node/server/reply-writer.ts';
import { entriesOf } from '../support/entries.ts';
import { type Command, pick } from './differential/base.ts';
import { topics } from './differential/index.ts';

/*
 * A leader and a follower in one process, with a clock that jumps: what random commands of several clients, transactions, waiting clients,
 * expiry, eviction and swapped databases leave is the same on both, down to versions and marks, also when the follower comes in the middle.
 */

const seed = Number(process.env.SEED ?? 20261121);
const STEPS = Number(process.env.STEPS ?? 4000);
const CLIENTS = 6;
const KEYS = ['a', 'b', 'c', '{tag}x', 'q', 'z'];
const EXCLUDED =
  /^(HELLO|AUTH|CLIENT|CONFIG|WAIT|SELECT|MULTI|EXEC|WATCH|DEBUG|SWAPDB|QUIT|RESET|FLUSH.*|P?S?SUBSCRIBE)$/;
const LINK_BYTES = 1 << 30;

const random = seededRandom(seed);

function startNode(clock: ManualClock, maxMemory: string): NodeParts {
  const config = configFrom({ node: { standalone: true, adminPort: 'off', maxMemoryBytes: maxMemory } });
  return buildNode(config, { clock, random: seededRandom(random.int(1e9)), log: silentLogger });
}

/** A follower that applies what a link gives it, in one process with its leader. */
class Copy {
  readonly node: NodeParts;
  readonly #link: FollowerLink;
  readonly #parser: RequestParser;
  readonly #applier: StreamApplier;
  readonly #loader: SnapshotLoader;
  readonly #bulk: BulkReceiver;
  #unit: StreamUnit | null = null;

  constructor(leader: NodeParts, clock: ManualClock) {
    this.node = startNode(clock, '1gb');
    const { databases, services, linkLimits } = this.node;
    databases.data.removesExpired = false;
    this.#parser = new RequestParser(linkLimits);
    this.#applier = new StreamApplier(databases, new Replayer(databases, services));
    databases.data.versions.forget();
    this.#loader = new SnapshotLoader(databases, { skipsExpired: false, nowMs: clock.wallMs() });
    this.#bulk = new BulkReceiver(this.#loader);
    const { log } = leader.databases.data;
    log.active = true;
    log.position.announce();
    log.position.saysVersions = true;
    const snapshot = new SnapshotWriter(leader.databases, {
      redisVersion: '7.0.15',
      wallMs: clock.wallMs(),
      compresses: false,
    });
    this.#link = new FollowerLink({
      follower: { id: 'copy', address: '', host: '', port: 0, isNode: true },
      source: {
        log,
        sendableEnd: () => log.end,
        outputLimit: () => ({ hardBytes: LINK_BYTES, softBytes: 0, softSeconds: 0 }),
      },
      transport: { pendingBytes: 0, write: (bytes) => this.#receive(bytes), close: () => {} },
      offset: log.end,
      full: { snapshot, mark: 'm'.repeat(40) },
    });
  }

  #receive(bytes: Buffer): void {
    if (this.isSyncing) {
      this.#bulk.push(bytes);
      if (!this.isSyncing) this.#link.acknowledged(0, 0);
      return;
    }
    this.#parser.push(bytes);
    while (this.#parser.next()) this.#apply(this.#parser);
  }

  #apply(parser: RequestParser): void {
    if (this.#unit === null) {
      if (this.#applier.apply(parser).kind === 'multi') this.#unit = new StreamUnit(parser);
      return;
    }
    if (!this.#unit.add(parser)) return;
    const frames = new RequestParser(this.node.linkLimits);
    frames.push(this.#unit.take());
    this.#unit = null;
    while (frames.next()) this.#applier.apply(frames);
  }

  get isSyncing(): boolean {
    return !this.#bulk.isDone;
  }

  /** Takes what there is: one slice of the snapshot at most. */
  pump(): void {
    this.node.databases.data.nowMs = this.node.services.clock.wallMs();
    this.#link.pump(this.node.services.clock.monotonicMs());
  }

  finish(): void {
    do this.pump();
    while (this.isSyncing);
    this.pump();
  }
}

const key = () => pick(random, KEYS);
const ttl = () => String(1 + random.int(400));

/** Commands that topics have none of, or seldom. */
const more: readonly (() => Command)[] = [
  () => ['SPOP', key()],
  () => ['SPOP', key(), '2'],
  () => ['PEXPIRE', key(), ttl()],
  () => ['PEXPIRE', key(), ttl()],
  () => ['SET', key(), 'v', 'PX', ttl()],
  () => ['GETEX', key(), 'PX', ttl()],
  () => ['SELECT', String(random.int(3))],
  () => ['SWAPDB', String(random.int(3)), String(random.int(3))],
  () => ['MOVE', key(), String(random.int(3))],
  () => ['COPY', key(), key(), 'DB', String(random.int(3)), 'REPLACE'],
  () => ['RENAME', key(), key()],
  () => ['BLPOP', key(), key(), '0'],
  () => ['BLMOVE', key(), key(), 'LEFT', 'RIGHT', '0'],
  () => ['BZPOPMIN', key(), key(), '0'],
  () => ['BLMPOP', '0', '2', key(), key(), 'RIGHT', 'COUNT', '3'],
  () => ['BZMPOP', '0', '2', key(), key(), 'MAX', 'COUNT', '3'],
  () => ['LPUSH', key(), 'x', 'y', 'z'],
  () => ['ZADD', key(), '1', 'm', '2', 'n'],
  () => ['RS.MARK', key(), 'FLAGS', String(random.int(100)), 'TAGS', '1', `t${random.int(3)}`],
  () => ['RS.SET', key(), '7', 'FLAGS', '9', 'SOFTPX', '100', 'TAGS', '2', 't0', 't1'],
  () => ['RS.SET', key(), '7', 'FENCE', 'f', String(random.int(50))],
  () => ['INCR', key()],
  () => ['RS.PURGE', 'TAG', `t${random.int(3)}`],
  () => ['MULTI'],
  () => ['EXEC'],
  () => ['EXEC'],
  () => ['WATCH', key()],
  () => [random.int(60) === 0 ? 'FLUSHALL' : 'PING'],
  () => ['SET', `big${random.int(400)}`, 'x'.repeat(random.int(60_000))],
  () => ['SET', `big${random.int(400)}`, 'x'.repeat(random.int(60_000))],
  () => ['HSET', `h${random.int(100)}`, ...Array.from({ length: 2 * (1 + random.int(200)) }, String)],
  () => ['SADD', `s${random.int(100)}`, ...Array.from({ length: 1 + random.int(600) }, String)],
];

function command(): Command {
  if (random.int(3) === 0) return pick(random, more)();
  const made = topics[pick(random, Object.keys(topics))](random);
  return EXCLUDED.test(String(made[0]).toUpperCase()) ? ['PING'] : made;
}

/** Clients without a connection, and a leader that executes their commands. */
class Leader {
  readonly node: NodeParts;
  readonly log: string[] = [];
  readonly #clients: Client[];
  readonly #reply = new ReplyWriter();

  constructor(clock: ManualClock, maxMemory: string) {
    this.node = startNode(clock, maxMemory);
    const { shard, settings } = this.node.services;
    shard.leads = true;
    shard.complete = true;
    settings.maxMemoryPolicy = 'allkeys-s3-fifo';
    this.#clients = Array.from({ length: CLIENTS }, (_, i) => {
      const fields = { id: i + 1, address: '', localAddress: '', nowMs: 0, authenticated: true };
      const client = new Client(fields);
      // One of them never waits, so that things go on.
      client.mayBlock = i > 0;
      return client;
    });
  }

  turn(): void {
    const { executor, services } = this.node;
    executor.beginTurn();
    for (let i = random.int(6); i >= 0; i--) {
      const client = pick(random, this.#clients);
      if (client.blocked === null) this.#execute(client, command());
      else if (random.int(3) === 0) services.blocked.unblock(client, 'timeout');
    }
    executor.endTurn();
  }

  #execute(client: Client, parts: Command): void {
    const text = parts.map((part) => part.toString('latin1').slice(0, 40)).join(' ');
    this.log.push(`${client.id}@${client.database} ${text}`);
    this.node.executor.execute(client, argsOf(...parts.map((part) => Buffer.from(part))), this.#reply);
    this.#reply.take();
    this.#reply.rewind();
  }
}

for (const maxMemory of ['1gb', '1mb']) {
  t.test(`a follower of a leader with ${maxMemory}`, async (t) => {
    const clock = new ManualClock({ wallMs: 1_800_000_000_000 });
    const leader = new Leader(clock, maxMemory);
    const { databases } = leader.node;
    const copies: Copy[] = [];
    for (let step = 1; step <= STEPS; step++) {
      leader.turn();
      clock.advance(random.int(30));
      if (random.int(4) === 0) for (const keyspace of databases.all()) runExpiryCycle(keyspace, clock);
      if (step % 500 === 250) copies.push(new Copy(leader.node, clock));
      if (copies.length > 3) copies.shift();
      for (const copy of copies) if (random.int(3) === 0) copy.pump();
      if (step % 100 > 0) continue;
      for (const copy of copies) {
        copy.finish();
        const [ours, theirs] = [entriesOf(copy.node), entriesOf(leader.node)];
        if (ours.join() === theirs.join()) continue;
        t.comment(leader.log.slice(-300).join('\n'));
        t.same(ours, theirs, `seed ${seed}, step ${step}`);
        return;
      }
    }
    const { expired, evicted } = databases.data.stats;
    t.ok(expired > 0, `${expired} expired`);
    t.equal(evicted > 0, maxMemory === '1mb', `${evicted} evicted`);
  });
}

t.test('a follower has its entries in the order of the policy before it is promoted', async (t) => {
  const clock = new ManualClock({ wallMs: 1_800_000_000_000 });
  const { databases, executor, services } = startNode(clock, '100mb');
  const keyspace = databases.at(0);
  for (let i = 0; i < 1000; i++) {
    const name = Buffer.from(`key:${i}`);
    keyspace.setBytes(keyspace.insert(name, 0, name.length), name, 0, name.length, 0);
  }
  services.settings.maxMemoryPolicy = 'noeviction';
  executor.beginTurn();
  t.equal(keyspace.store.victim(0), 0);
  services.settings.maxMemoryPolicy = 'allkeys-lru';
  t.notOk(services.shard.mayWrite(services.clock.monotonicMs()));
  executor.beginTurn();
  t.equal(keyspace.store.keyOf(keyspace.store.victim(0)), 'key:0');
});
