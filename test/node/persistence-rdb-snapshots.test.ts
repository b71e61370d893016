import t from 'tap';
import { ManualClock, seededRandom, silentLogger } from '../../lib/base/index.ts';
import { argsOf } from '../../lib/codec/resp/index.ts';
import { configFrom } from '../../lib/config/index.ts';
import { runExpiryCycle } from '../../node/active-expiry.ts';
import { sweepPurges } from '../../node/cache/index.ts';
import { buildNode, type NodeParts } from '../../node/node.ts';
import { type SnapshotFacts, SnapshotLoader, SnapshotWriter } from '../../node/persistence/index.ts';
import { Client } from '../../node/server/client.ts';
import { ReplyWriter } from '../../node/server/reply-writer.ts';
import { anyCommand } from '../support/any-writes.ts';
import { entriesOf } from '../support/entries.ts';
import { type Command, pick } from './differential/base.ts';

/*
 * Snapshots in slices while random commands of every type go on, in one process with a clock that jumps: what a snapshot holds is what was
 * there when it began, down to versions and marks, and loads as that.
 */

const seed = Number(process.env.SEED ?? 20261121);
const ROUNDS = process.env.RINGSIDE_LONG ? 300 : 8;
const HOT_ROUNDS = process.env.RINGSIDE_LONG ? 40 : 2;
const PREPARED = 1500;
const MOST_SLICE_BYTES = 20_000;

const random = seededRandom(seed);

function startNode(clock: ManualClock, maxMemory: string): NodeParts {
  const config = configFrom({
    node: { standalone: true, adminPort: 'off', maxMemoryBytes: maxMemory },
    namespaces: [{ name: 'limited', prefix: 'k1', defaultTtlSeconds: 60 }],
  });
  const parts = buildNode(config, { clock, random: seededRandom(random.int(1e9)), log: silentLogger });
  parts.services.shard.leads = true;
  parts.services.shard.complete = true;
  parts.databases.data.versions.startAtTime(clock.wallMs());
  return parts;
}

/** Everything that a node keeps of its entries, a line each; a file does not tell no marks from empty ones. */
function content(node: NodeParts): string[] {
  return entriesOf(node, (marks) => {
    const { clientFlags = 0, softExpiresAt = 0, tags = [] } = marks ?? {};
    return `flags ${clientFlags} soft ${softExpiresAt} tags ${tags}`;
  });
}

function facts(clock: ManualClock): SnapshotFacts {
  return { redisVersion: '7.0.15', compresses: random.int(2) === 0, wallMs: clock.wallMs() };
}

/** Puts something small at a key, of a type that its number gives. */
function fill(node: NodeParts, key: string): void {
  const commands: Command[] = [
    ['SET', key, key],
    ['SET', key, '12', 'EX', '100'],
    ['RPUSH', key, 'a', 'b'],
    ['SADD', key, '1', '2'],
    ['ZADD', key, '1.5', 'a'],
    ['HSET', key, 'f', 'v'],
    ['RS.SET', key, 'marked', 'FLAGS', '9', 'TAGS', '1', 'rare'],
  ];
  const client = new Client({
    id: 2,
    address: '127.0.0.1:2',
    localAddress: '',
    nowMs: 0,
    authenticated: true,
  });
  client.database = random.int(3);
  node.executor.beginTurn();
  node.executor.execute(client, argsOf('DEL', key), new ReplyWriter());
  node.executor.execute(client, argsOf(...pick(random, commands)), new ReplyWriter());
}

/** Commands of one client; what they answer is of no interest. */
function commander(node: NodeParts, clock: ManualClock): () => void {
  const client = new Client({
    id: 1,
    address: '127.0.0.1:1',
    localAddress: '',
    nowMs: 0,
    authenticated: true,
  });
  return () => {
    const command = anyCommand(random);
    clock.advance(random.int(3));
    node.executor.beginTurn();
    if (random.int(20) === 0) for (const keyspace of node.databases.all()) runExpiryCycle(keyspace, clock);
    node.executor.execute(client, argsOf(...command), new ReplyWriter());
  };
}

/** Takes a snapshot in slices of random length with random commands between them; null when it was aborted. */
function snapshotAmid(node: NodeParts, clock: ManualClock, run: () => void): Buffer | null {
  const snapshot = new SnapshotWriter(node.databases, facts(clock));
  const parts: Buffer[] = [];
  for (;;) {
    const part = snapshot.next(1 + random.int(MOST_SLICE_BYTES));
    if (part === null) break;
    parts.push(part);
    for (let i = random.int(8); i > 0; i--) run();
    if (random.int(10) === 0) sweepPurges(node.databases, clock);
  }
  return snapshot.isAborted ? null : Buffer.concat(parts);
}

function loaded(bytes: Buffer, clock: ManualClock): NodeParts {
  const twin = startNode(clock, '1gb');
  const loader = new SnapshotLoader(twin.databases, { skipsExpired: false, nowMs: clock.wallMs() });
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + 1 + random.int(5000));
    const stopped = loader.push(bytes, at, end);
    if (stopped !== end) throw new Error(`stopped at ${stopped} of ${end}`);
    at = end;
  }
  if (!loader.isDone) throw new Error('the snapshot has no end');
  return twin;
}

t.test(`a snapshot amid random commands holds what was there at its beginning (SEED=${seed})`, async (t) => {
  let whole = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const clock = new ManualClock({ wallMs: 1_800_000_000_000 });
    const node = startNode(clock, round % 2 === 0 ? '1gb' : '3mb');
    const run = commander(node, clock);
    for (let i = 0; i < PREPARED; i++) run();
    for (let i = 0; i < PREPARED; i++) fill(node, `k${i}`);
    sweepPurges(node.databases, clock);
    const before = content(node);
    const bytes = snapshotAmid(node, clock, run);
    t.equal(node.databases.data.snapshots, null, 'nobody watches for it any more');
    if (bytes === null) continue;
    whole++;
    const after = content(loaded(bytes, clock));
    const missing = before.filter((line) => !after.includes(line));
    const surplus = after.filter((line) => !before.includes(line));
    t.same({ missing, surplus }, { missing: [], surplus: [] }, `round ${round}: ${before.length} entries`);
  }
  t.ok(whole >= ROUNDS / 2, `${whole} of ${ROUNDS} were not aborted`);
});

const TAGGED = 300;

t.test(
  'what is purged during a snapshot is in it, since a command before the purge may have read it',
  async (t) => {
    const clock = new ManualClock({ wallMs: 1_800_000_000_000 });
    for (const purge of [
      ['RS.PURGE', 'TAG', 'red'],
      ['RS.PURGE', 'PREFIX', 'red:'],
    ]) {
      const node = startNode(clock, '1gb');
      const names = (before: string) => Array.from({ length: TAGGED }, (_, i) => `${before}${i}`);
      run(node, ...names('gone:').map((key) => ['RS.SET', key, 'v', 'TAGS', '1', 'blue']));
      run(node, ['RS.PURGE', 'TAG', 'blue']);
      run(node, ...names('red:').map((key) => ['RS.SET', key, 'v', 'TAGS', '1', 'red']));
      const before = content(node).filter((line) => !line.includes(Buffer.from('gone:').toString('hex')));
      const snapshot = new SnapshotWriter(node.databases, facts(clock));
      // In the stream behind the snapshot: whoever replays it needs the source.
      run(node, ['COPY', 'red:7', 'copy'], purge);
      sweepPurges(node.databases, clock);
      const parts: Buffer[] = [];
      for (let part = snapshot.next(SLICE_BYTES); part !== null; part = snapshot.next(SLICE_BYTES))
        parts.push(part);
      t.same(content(loaded(Buffer.concat(parts), clock)), before, purge.join(' '));
    }
  },
);

/** One client's commands, to be answered without an error. */
function run(node: NodeParts, ...commands: readonly Command[]): void {
  const client = new Client({
    id: 3,
    address: '127.0.0.1:3',
    localAddress: '',
    nowMs: 0,
    authenticated: true,
  });
  node.executor.beginTurn();
  for (const command of commands) {
    const reply = new ReplyWriter();
    node.executor.execute(client, argsOf(...command), reply);
    if (reply.errors > 0) throw new Error(reply.take().toString());
  }
}

const LARGE = 30_000;
const SLICE_BYTES = 10_000;
/** A slice may be longer by a block, or by a chunk of a list. */
const MOST_BYTES = SLICE_BYTES + (64 << 10);
const longestOf = (parts: readonly Buffer[]) => Math.max(...parts.map(({ length }) => length));
const numbers = (count: number) => Array.from({ length: count }, (_, i) => String(i));

function fillLarge(node: NodeParts): void {
  run(
    node,
    ['HSET', 'hash', ...numbers(LARGE).flatMap((text) => [text, `value ${text}`])],
    ['SADD', 'set', ...numbers(LARGE).map((text) => `member ${text}`)],
    ['ZADD', 'zset', ...numbers(LARGE).flatMap((text) => [text, `member ${text}`])],
    ['RPUSH', 'list', ...numbers(LARGE)],
    ['SET', 'string', 'small'],
  );
}

t.test(
  'large collections are written in parts, as they were, whatever is done to them meanwhile',
  async (t) => {
    const clock = new ManualClock({ wallMs: 1_800_000_000_000 });
    const changes: readonly Command[][] = [
      [],
      [
        ['HSET', 'hash', 'f', 'v'],
        ['SREM', 'set', 'member 1'],
        ['ZPOPMIN', 'zset'],
        ['LPOP', 'list'],
      ],
      [['DEL', 'hash', 'set', 'zset', 'list']],
      [
        ['RENAME', 'hash', 'set'],
        ['RENAME', 'zset', 'list'],
        ['SWAPDB', '0', '3'],
      ],
      [
        ['EXPIRE', 'hash', '100'],
        ['EXPIRE', 'set', '100'],
        ['EXPIRE', 'zset', '100'],
        ['EXPIRE', 'list', '100'],
      ],
    ];
    for (const [i, commands] of changes.entries()) {
      const node = startNode(clock, '1gb');
      fillLarge(node);
      const before = content(node);
      const snapshot = new SnapshotWriter(node.databases, facts(clock));
      const parts: Buffer[] = [];
      for (let part = snapshot.next(SLICE_BYTES); part !== null; part = snapshot.next(SLICE_BYTES)) {
        parts.push(part);
        // In the middle of the first of them.
        if (parts.length === 5) run(node, ...commands);
      }
      t.ok(longestOf(parts) < MOST_BYTES, `changes ${i}: no slice above ${longestOf(parts)} bytes`);
      t.same(content(loaded(Buffer.concat(parts), clock)), before, `changes ${i}`);
    }
  },
);

const some = () => String(random.int(LARGE));
const member = () => `member ${some()}`;
const fresh = () => `fresh ${random.int(1000)}`;
const score = () => String(random.int(2 * LARGE));
/** What changes a large collection in some place, or in many. */
const edits: readonly (() => Command)[] = [
  () => ['HSET', 'hash', some(), `other ${some()}`, some(), 'short'],
  () => ['HSET', 'hash', fresh(), 'v'],
  () => ['HDEL', 'hash', some(), some(), fresh()],
  () => ['SADD', 'set', fresh(), member()],
  () => ['SREM', 'set', member(), fresh()],
  () => ['SPOP', 'set', '3'],
  () => ['ZADD', 'zset', score(), member(), score(), fresh()],
  () => ['ZINCRBY', 'zset', String(random.int(2000) - 1000), member()],
  () => ['ZREM', 'zset', member(), fresh()],
  () => ['ZPOPMAX', 'zset', '2'],
  () => ['ZREMRANGEBYRANK', 'zset', '5000', '5010'],
  () => ['LPUSH', 'list', some(), some()],
  () => ['RPUSH', 'list', some(), 'x'.repeat(random.int(20) === 0 ? 9000 : 9)],
  () => ['LPOP', 'list', String(1 + random.int(50))],
  () => ['RPOP', 'list', '2'],
  () => ['LSET', 'list', String(random.int(LARGE / 4)), fresh()],
  () => ['LINSERT', 'list', random.int(2) === 0 ? 'BEFORE' : 'AFTER', some(), fresh()],
  () => ['LREM', 'list', random.int(2) === 0 ? '-3' : '3', some()],
  () => ['LTRIM', 'list', '3', '-4'],
];

t.test(
  `large collections that change all the while: slices stay short, also of two at a time (SEED=${seed})`,
  async (t) => {
    const clock = new ManualClock({ wallMs: 1_800_000_000_000 });
    for (let round = 0; round < HOT_ROUNDS; round++) {
      const node = startNode(clock, '1gb');
      fillLarge(node);
      const taken = [0, 1 + random.int(60)].map((begin) => ({
        begin,
        before: [] as string[],
        parts: [] as Buffer[],
      }));
      const snapshots: SnapshotWriter[] = [];
      for (let turn = 0; snapshots.length < taken.length || snapshots.some(({ isDone }) => !isDone); turn++) {
        for (const one of taken) {
          if (one.begin !== turn) continue;
          one.before = content(node);
          snapshots.push(new SnapshotWriter(node.databases, facts(clock)));
        }
        for (const [i, snapshot] of snapshots.entries())
          taken[i].parts.push(snapshot.next(SLICE_BYTES) ?? Buffer.alloc(0));
        run(node, ...Array.from({ length: random.int(30) }, () => pick(random, edits)()));
      }
      for (const [i, { parts, before }] of taken.entries()) {
        t.ok(longestOf(parts) < MOST_BYTES, `round ${round}: no slice above ${longestOf(parts)} bytes`);
        t.same(content(loaded(Buffer.concat(parts), clock)), before, `round ${round}, snapshot ${i}`);
      }
      t.equal(node.databases.data.snapshots, null);
    }
  },
);

t.test('long strings are written in parts, as they were, whatever is done to them meanwhile', async (t) => {
  const clock = new ManualClock({ wallMs: 1_800_000_000_000 });
  const changes: readonly Command[][] = [
    [],
    [['APPEND', 'long', 'more']],
    [['SETRANGE', 'long', '0', 'other']],
    [
      ['SET', 'long', 'short'],
      ['SET', 'long', 'other'],
    ],
    [['DEL', 'long']],
    [
      ['RENAME', 'long', 'longer'],
      ['SWAPDB', '0', '3'],
    ],
    [
      ['EXPIRE', 'long', '100'],
      ['APPEND', 'long', 'more'],
    ],
    [['SETBIT', 'long', '7', '1']],
  ];
  for (const [i, commands] of changes.entries()) {
    for (const after of [0, 1, 5, 30]) {
      const node = startNode(clock, '1gb');
      const long = Array.from({ length: 70_000 }, (_, j) => String(i + 3 * j)).join();
      run(node, ['SET', 'a', 'v'], ['SET', 'long', long], ['SET', 'b', 'v'], ['SET', 'longer', `${long}-`]);
      const before = content(node);
      const snapshot = new SnapshotWriter(node.databases, facts(clock));
      const parts: Buffer[] = [];
      if (after === 0) run(node, ...commands);
      for (let part = snapshot.next(SLICE_BYTES); part !== null; part = snapshot.next(SLICE_BYTES)) {
        parts.push(part);
        if (parts.length === after) run(node, ...commands);
      }
      t.ok(longestOf(parts) < MOST_BYTES, `changes ${i}: no slice above ${longestOf(parts)} bytes`);
      t.same(content(loaded(Buffer.concat(parts), clock)), before, `changes ${i} after ${after} slices`);
    }
  }
});

t.test('a file may come byte by byte, and what is behind it is left alone', async (t) => {
  const clock = new ManualClock({ wallMs: 1_800_000_000_000 });
  const node = startNode(clock, '1gb');
  for (let i = 0; i < 60; i++) fill(node, `k${i}`);
  const snapshot = new SnapshotWriter(node.databases, facts(clock));
  const bytes = Buffer.concat([snapshot.next(1 << 30)!, Buffer.from('behind')]);
  const twin = startNode(clock, '1gb');
  const loader = new SnapshotLoader(twin.databases, { skipsExpired: false, nowMs: clock.wallMs() });
  let taken = 0;
  for (let at = 0; at < bytes.length; at++) taken += loader.push(bytes, at, at + 1) - at;
  t.ok(loader.isDone);
  t.equal(taken, bytes.length - 'behind'.length);
  t.same(content(twin), content(node));
});

t.test('what a command that reads changes beside is in the snapshot as it was', async (t) => {
  const clock = new ManualClock({ wallMs: 1_800_000_000_000 });
  const node = startNode(clock, '1gb');
  run(node, ['PFADD', 'sketch', 'a', 'b', 'c']);
  const before = content(node);
  const snapshot = new SnapshotWriter(node.databases, facts(clock));
  // The sketch keeps its last count.
  run(node, ['PFCOUNT', 'sketch']);
  const parts: Buffer[] = [];
  for (let part = snapshot.next(1000); part !== null; part = snapshot.next(1000)) parts.push(part);
  t.same(content(loaded(Buffer.concat(parts), clock)), before);
});

t.test('a data set that is cleared aborts its snapshot, a small one is written off first', async (t) => {
  const clock = new ManualClock({ wallMs: 1_800_000_000_000 });
  for (const entries of [500, 5000]) {
    const node = startNode(clock, '1gb');
    run(node, ...numbers(entries).map((text): Command => ['SET', text, text]));
    const before = content(node);
    const snapshot = new SnapshotWriter(node.databases, facts(clock));
    const parts = [snapshot.next(100)!];
    run(node, ['FLUSHALL'], ['SET', 'later', 'v']);
    t.equal(snapshot.isAborted, entries === 5000, `${entries} entries`);
    for (let part = snapshot.next(1000); part !== null; part = snapshot.next(1000)) parts.push(part);
    if (snapshot.isAborted) t.equal(node.databases.data.snapshots, null);
    else t.same(content(loaded(Buffer.concat(parts), clock)), before);
  }
});
