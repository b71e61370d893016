import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { ManualClock, RingsideError, seededRandom } from '../../lib/base/index.ts';
import { argsOf, encodeCommand } from '../../lib/codec/resp/index.ts';
import { configFrom } from '../../lib/config/index.ts';
import { loadFiles } from '../../node/load-files.ts';
import { buildNode, type NodeParts } from '../../node/node.ts';
import { annotationOf } from '../../node/persistence/aof-annotation.ts';
import { SnapshotWriter } from '../../node/persistence/index.ts';
import { Client } from '../../node/server/client.ts';
import { ReplyWriter } from '../../node/server/reply-writer.ts';
import { anyCommand } from '../support/any-writes.ts';
import { captureLog, type LogLine } from '../support/capture-log.ts';
import { entriesOf } from '../support/entries.ts';
import { folder } from '../support/folder.ts';
import type { Command } from './differential/base.ts';

/*
 * The parts of an append-only file as a node writes them, made of one node's snapshot and stream in this process and loaded by another: what
 * is there then, what is cut off, and what stops the start.
 */

const seed = Number(process.env.SEED ?? 20261121);
const isLong = Boolean(process.env.RINGSIDE_LONG);
const ROUNDS = isLong ? 100 : 5;
/** In the quick run, bytes of a file that are flipped. */
const FLIPS = 120;
const random = seededRandom(seed);
const START_MS = 1_800_000_000_000;
const NAME = 'appendonly.aof';
const BASE = `${NAME}.1.base.rdb`;
const INCR = (seq: number) => `${NAME}.${seq}.incr.aof`;

/** Contents of files in the folder, by their names. */
type Files = Record<string, Buffer>;

function folderWith(t: Test, files: Files): string {
  const dir = folder(t, 'aof-load');
  return refill(dir, files);
}

function refill(dir: string, files: Files): string {
  const folder = join(dir, 'appendonlydir');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const lines = Object.keys(files).map((name) => {
    const [, seq, type] = /\.(\d+)\.(base|incr)\./.exec(name)!;
    return `file ${name} seq ${seq} type ${type[0]}\n`;
  });
  writeFileSync(join(folder, `${NAME}.manifest`), lines.join(''));
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
  return dir;
}

const pathIn = (dir: string, name: string) => join(dir, 'appendonlydir', name);

interface Loaded {
  readonly node: NodeParts;
  readonly lines: readonly LogLine[];
}

async function load(dir: string, clock: ManualClock, settings: object = {}): Promise<Loaded> {
  const { log, lines } = captureLog();
  const config = configFrom({
    node: { standalone: true, adminPort: 'off', dir, appendOnly: true, maxMemoryBytes: '1gb', ...settings },
  });
  const node = buildNode(config, { clock, random: seededRandom(random.int(1e9)), log });
  await loadFiles(node, { skipsExpired: true });
  return { node, lines };
}

/** Whether loading cuts something off. */
async function isTorn(dir: string, clock: ManualClock): Promise<boolean> {
  const { lines } = await load(dir, clock);
  return lines.some(({ level }) => level === 'warn');
}

/** Why it does not load. */
async function refusal(dir: string, settings: object = {}): Promise<string> {
  try {
    await load(dir, new ManualClock({ wallMs: START_MS }), settings);
  } catch (error) {
    if (error instanceof RingsideError && error.code === 'config_invalid') return error.message;
    throw error;
  }
  return '';
}

/** A node in this process that leads, and whose stream is recorded. */
class Leader {
  readonly clock = new ManualClock({ wallMs: START_MS });
  readonly node: NodeParts;
  readonly #client = new Client({ id: 1, address: '', localAddress: '', nowMs: 0, authenticated: true });

  constructor() {
    const config = configFrom({ node: { standalone: true, adminPort: 'off', maxMemoryBytes: '1gb' } });
    const { log } = captureLog();
    this.node = buildNode(config, { clock: this.clock, random: seededRandom(random.int(1e9)), log });
    const { services, databases } = this.node;
    services.shard.leads = services.shard.complete = true;
    databases.data.versions.startAtTime(this.clock.wallMs());
    databases.data.log.active = true;
    databases.data.log.position.saysVersions = true;
  }

  run(...commands: readonly Command[]): void {
    const { executor } = this.node;
    executor.beginTurn();
    for (const command of commands) executor.execute(this.#client, argsOf(...command), new ReplyWriter());
  }

  runAny(count: number): void {
    for (let i = 0; i < count; i++) {
      this.clock.advance(random.int(3));
      if (random.int(8) > 0) this.run(anyCommand(random));
      else this.run(['MULTI'], anyCommand(random), ['PUBLISH', 'news', 'x'], anyCommand(random), ['EXEC']);
    }
  }

  get end(): number {
    return this.node.databases.data.log.end;
  }

  base(): Buffer {
    const facts = { redisVersion: '7.0.15', compresses: true, wallMs: this.clock.wallMs() };
    const snapshot = new SnapshotWriter(this.node.databases, facts);
    const parts: Buffer[] = [];
    for (let part = snapshot.next(1e6); part !== null; part = snapshot.next(1e6)) parts.push(part);
    return Buffer.concat(parts);
  }

  /** Runs `action`, and gives the part that it would have been written to. */
  incr(action: () => void): Buffer {
    const { log } = this.node.databases.data;
    if (random.int(2) === 0) log.position.announce();
    const head = annotationOf(log);
    const from = log.end;
    action();
    return Buffer.concat([Buffer.from(head), this.stream(from)]);
  }

  stream(from: number): Buffer {
    const { log } = this.node.databases.data;
    const parts: Buffer[] = [];
    for (let segment = log.segmentAt(from); ; segment = segment.next) {
      parts.push(segment.buffer.subarray(Math.max(0, from - segment.offset), segment.length));
      if (segment.next === null) return Buffer.concat(parts);
    }
  }
}

/** Where the node is in its stream, and what the next command need not say. */
function placeOf({ databases }: NodeParts) {
  const { log } = databases.data;
  const { database, high, low, saysVersions } = log.position;
  return { replId: log.replId, end: log.end, database: Math.max(0, database), high, low, saysVersions };
}

t.test(`what a node has written another one loads, down to versions and marks (SEED=${seed})`, async (t) => {
  for (let round = 0; round < ROUNDS; round++) {
    const leader = new Leader();
    leader.runAny(random.int(2) * 500);
    const files: Files = { [BASE]: leader.base() };
    for (let seq = 1; seq <= 1 + random.int(3); seq++) {
      files[INCR(seq)] = leader.incr(() => leader.runAny(random.int(4) * 300));
    }
    const dir = folderWith(t, files);
    const { node } = await load(dir, leader.clock);
    const expected = entriesOf(leader.node);
    t.same(entriesOf(node), expected, `${expected.length} entries`);
    t.same(placeOf(node), placeOf(leader.node), 'the stream goes on where it was');
    t.same(
      [...node.databases.data.cache.fences.entries()],
      [...leader.node.databases.data.cache.fences.entries()],
      'fences',
    );
    const { versions } = node.databases.data;
    const theirs = leader.node.databases.data.versions;
    t.ok(versions.high > theirs.high || versions.low >= theirs.low, 'no version is handed out twice');
  }
});

t.test('the end of the stream is kept for those who were not quite level', async (t) => {
  const leader = new Leader();
  const files = { [BASE]: leader.base(), [INCR(1)]: leader.incr(() => leader.runAny(300)) };
  const { node } = await load(folderWith(t, files), leader.clock);
  const { log } = node.databases.data;
  t.ok(log.canContinue(leader.node.databases.data.log.replId, leader.end - 100));
  t.notOk(log.canContinue(leader.node.databases.data.log.replId, leader.end + 1));
});

t.test('what has expired is there for the commands behind it', async (t) => {
  const leader = new Leader();
  leader.run(['SET', 'short', '1', 'PX', '50'], ['RPUSH', 'list', 'a'], ['PEXPIRE', 'list', '60']);
  const base = leader.base();
  const incr = leader.incr(() => leader.run(['INCR', 'short'], ['PERSIST', 'short'], ['RPUSH', 'list', 'b']));
  leader.clock.advance(1000);
  const { node } = await load(folderWith(t, { [BASE]: base, [INCR(1)]: incr }), leader.clock);
  t.same(entriesOf(node), entriesOf(leader.node));
  t.equal(node.databases.data.removesExpired, false, 'until it leads, nothing goes');
});

/** Every prefix of the last command, and what the file is cut to. */
t.test('a torn end is cut off, at whichever byte it is torn', async (t) => {
  const endings: Record<string, readonly Command[]> = {
    'a command': [['SET', 'key', 'some value', 'PX', '100000']],
    'a transaction': [['MULTI'], ['SET', 'a', '1'], ['RPUSH', 'l', 'x', 'y'], ['EXEC']],
    'a mark': [['RS.SET', 'marked', 'v', 'FLAGS', '3', 'TAGS', '1', 'blue']],
  };
  for (const [what, ending] of Object.entries(endings)) {
    const leader = new Leader();
    leader.run(['SET', 'before', 'it']);
    const base = leader.base();
    const whole = leader.incr(() => leader.run(['SELECT', '3'], ['HSET', 'h', 'f', 'v'], ['SELECT', '3']));
    const before = entriesOf(leader.node);
    const { end } = leader;
    leader.run(...ending);
    const after = entriesOf(leader.node);
    const tail = leader.stream(end);
    const dir = folderWith(t, {});
    for (let bytes = 0; bytes <= tail.length; bytes++) {
      refill(dir, { [BASE]: base, [INCR(1)]: Buffer.concat([whole, tail.subarray(0, bytes)]) });
      const { node, lines } = await load(dir, leader.clock);
      const size = statSync(pathIn(dir, INCR(1))).size;
      const warned = lines.find(({ level }) => level === 'warn');
      const isWhole = bytes === tail.length;
      const problems = [
        String(entriesOf(node)) !== String(isWhole ? after : before) && 'entries',
        size < whole.length || size > whole.length + bytes ? 'length' : '',
        node.databases.data.log.end - end !== size - whole.length && 'offset',
        isWhole && (size !== whole.length + bytes || warned) && 'whole',
        !isWhole && size < whole.length + bytes && warned?.offset !== size && 'warning',
        random.int(8) === 0 && (await isTorn(dir, leader.clock)) && 'again',
      ].filter(Boolean);
      if (problems.length > 0) t.fail(`${what} torn at byte ${bytes} of ${tail.length}: ${problems}`);
    }
    t.pass(`${what} of ${tail.length} bytes`);
    refill(dir, { [BASE]: base, [INCR(1)]: Buffer.concat([whole, tail.subarray(0, -1)]) });
    const path = pathIn(dir, INCR(1));
    const text = await refusal(dir, { aofLoadTruncated: false });
    t.ok(text.startsWith(`${path} is damaged at offset `), text);
    t.match(
      text,
      /the file ends with (an unfinished command|a transaction without its EXEC): .*redis-check-aof --fix \S+manifest/,
    );
    t.equal(statSync(path).size, whole.length + tail.length - 1, 'and nothing is cut off');
    refill(dir, {
      [BASE]: base,
      [INCR(1)]: Buffer.concat([whole, tail.subarray(0, -1)]),
      [INCR(2)]: Buffer.alloc(0),
    });
    t.match(
      await refusal(dir),
      /1\.incr\.aof is damaged at offset \d+: .* repairs only the last file/,
      'not the last',
    );
  }
});

/** Places of bytes: all in the long run, else some. */
function someOf(length: number): number[] {
  const all = Array.from({ length }, (_, i) => i);
  return isLong ? all : all.filter(() => random.int(length) < FLIPS);
}

t.test('flipped bytes', async (t) => {
  const leader = new Leader();
  leader.run(['SET', 'a', '1'], ['RPUSH', 'list', 'x']);
  const base = leader.base();
  const incr = leader.incr(() => {
    leader.run(
      ['SET', 'b', '2'],
      ['MULTI'],
      ['ZADD', 'z', '1', 'm'],
      ['DEL', 'a'],
      ['EXEC'],
      ['SELECT', '2'],
    );
    leader.run(['HSET', 'hash', 'f', 'v'], ['SET', 'c', 'last']);
  });
  const dir = folderWith(t, {});
  for (const at of someOf(base.length)) {
    const bytes = Buffer.from(base);
    bytes[at] ^= 1 << random.int(8);
    refill(dir, { [BASE]: bytes, [INCR(1)]: incr });
    const text = await refusal(dir);
    // What no longer looks like an RDB is taken for commands.
    const expected =
      at < 5 ? /base\.rdb is damaged at offset 0: / : /base\.rdb is damaged at offset \d+: .*redis-check-rdb/;
    if (!expected.test(text)) t.fail(`byte ${at} of the base: ${text}`);
  }
  let refused = 0;
  const flipped = someOf(incr.length);
  for (const at of flipped) {
    const bytes = Buffer.from(incr);
    bytes[at] ^= 1 << random.int(8);
    refill(dir, { [BASE]: base, [INCR(1)]: bytes, [INCR(2)]: Buffer.alloc(0) });
    const text = await refusal(dir);
    if (
      text !== '' &&
      !/1\.incr\.aof is damaged at offset \d+: .*(redis-check-aof --fix|a part of it is missing)/.test(text)
    ) {
      t.fail(`byte ${at}: ${text}`);
    }
    if (text !== '') refused++;
  }
  t.ok(refused > flipped.length / 2, `${refused} of ${flipped.length} bytes of commands are noticed`);
});

t.test('damage is told with its offset', async (t) => {
  const set = encodeCommand('SET', 'k', 'v');
  const wrong: [Buffer, number, RegExp][] = [
    [Buffer.from('hello\r\n'), 0, /a command should begin here/],
    [Buffer.from('GET k\r\n'), 0, /a command should begin here/],
    [Buffer.from('\r\n'), 0, /a command should begin here/],
    [Buffer.from('*0\r\n'), 0, /a command without arguments/],
    [Buffer.from('*-1\r\n'), 0, /a command without arguments/],
    [Buffer.from('*1\r\n$4\r\nEXEC\r\n'), 0, /an EXEC without a MULTI/],
    [encodeCommand('XADD', 's', '*', 'f', 'v'), 0, /XADD/],
    [encodeCommand('LPUSH', 'k', 'v'), 0, /lpush answered -WRONGTYPE/],
    [encodeCommand('SELECT', '99'), 0, /database 99/],
    [encodeCommand('RESTORE', 'r', '0', 'nonsense', 'REPLACE', 'ABSTTL'), 0, /./],
    [
      Buffer.concat([encodeCommand('MULTI'), encodeCommand('SET', 'a', '1'), Buffer.from('x')]),
      42,
      /begin here/,
    ],
    [Buffer.from(`#${'x'.repeat(2000)}\n`), 0, /an annotation is too long/],
  ];
  const dir = folderWith(t, {});
  for (const [bytes, offset, why] of wrong) {
    refill(dir, { [INCR(1)]: Buffer.concat([Buffer.from('#TS:1\r\n'), set, bytes, set]) });
    const text = await refusal(dir);
    t.match(text, why);
    t.match(text, `1.incr.aof is damaged at offset ${7 + set.length + offset}: `);
  }
});

t.test('folders that make no sense', async (t) => {
  const dir = folderWith(t, { [INCR(1)]: encodeCommand('SET', 'k', 'v') });
  const manifest = pathIn(dir, `${NAME}.manifest`);
  const line = readFileSync(manifest, 'utf8');
  const wrong: [string, RegExp][] = [
    ['', /line 1: Found an empty AOF manifest/],
    [`${line}${line}`, /line 2: Found a non-monotonic sequence number/],
    ['file a seq 1 type b\nfile b seq 2 type b\n', /line 2: Found duplicate base file information/],
    ['file ../a seq 1 type i\n', /File can't be a path, just a filename/],
    ['file a seq 1 type x\n', /Unknown AOF file type/],
    ['file a seq x type i\n', /Invalid AOF manifest file format/],
    ['file "a seq 1 type i\n', /Invalid AOF manifest file format/],
    ['\n', /Invalid AOF manifest file format/],
    [`file ${'a'.repeat(1024)} seq 1 type i\n`, /too long line/],
    ['file a seq 1 type i', /too long line/],
    ['file a seq 1 type i\n', /appendonlydir\/a is not there, and \S+manifest names it/],
  ];
  for (const [text, why] of wrong) {
    writeFileSync(manifest, text);
    t.match(await refusal(dir), why);
  }
  writeFileSync(manifest, `# a comment\n${line}file gone seq 1 type h\n`);
  t.equal(await refusal(dir), '', 'comments and histories are read over');
});

t.test('a part of the stream that is missing is noticed', async (t) => {
  const leader = new Leader();
  const base = leader.base();
  const first = leader.incr(() => leader.run(['SET', 'a', '1'], ['SET', 'b', '1']));
  const second = leader.incr(() => leader.run(['SET', 'c', '1']));
  const dir = folderWith(t, { [BASE]: base, [INCR(1)]: first, [INCR(2)]: second });
  t.equal(await refusal(dir), '');
  const without = encodeCommand('SET', 'b', '1').length;
  refill(dir, { [BASE]: base, [INCR(1)]: first.subarray(0, -without), [INCR(2)]: second });
  t.match(
    await refusal(dir),
    /2\.incr\.aof is damaged at offset 0: the stream goes on at \d+ where \d+ is next: a part of it is missing: .*take this file/,
  );
  refill(dir, { [INCR(1)]: second });
  t.equal(await refusal(dir), '', 'nobody says what should be before');
});

t.test('commands that nobody has annotated are in no stream', async (t) => {
  const clock = new ManualClock({ wallMs: START_MS });
  const plain = encodeCommand('SET', 'k', 'v');
  const { node } = await load(folderWith(t, { [INCR(1)]: plain }), clock);
  const { log, versions } = node.databases.data;
  t.notOk(log.active, 'nobody can go on in it');
  const slot = node.keyspace.store.find(Buffer.from('k'), 0, 1);
  const started = new Leader().node.databases.data.versions;
  t.equal(node.keyspace.store.versionHigh(slot), started.high, 'versions are those of the time');
  t.equal(versions.low, started.low + 1);

  const leader = new Leader();
  const base = leader.base();
  const incr = leader.incr(() => leader.run(['SET', 'a', '1']));
  const mixed = await load(folderWith(t, { [BASE]: base, [INCR(1)]: incr, [INCR(2)]: plain }), clock);
  t.ok(mixed.node.databases.data.log.active);
  t.not(mixed.node.databases.data.log.replId, leader.node.databases.data.log.replId, 'a stream of its own');
  const both = ['a', 'k'].map((key) => {
    const { store } = mixed.node.keyspace;
    return store.versionLow(store.find(Buffer.from(key), 0, 1));
  });
  t.ok(both[1] > both[0], 'versions go on above');
});

t.test('a snapshot is loaded when there is no append-only file yet', async (t) => {
  const leader = new Leader();
  leader.run(['SET', 'k', 'v']);
  const dir = folder(t, 'aof-load');
  writeFileSync(join(dir, 'dump.rdb'), leader.base());
  const { node } = await load(dir, leader.clock);
  t.same(entriesOf(node), entriesOf(leader.node));
});

t.test('while a node begins to go on with its files, nothing else is done to them', async (t) => {
  for (let round = 0; round < 20; round++) {
    const leader = new Leader();
    const base = leader.base();
    const incr = leader.incr(() => leader.run(['SET', 'k', String(round)]));
    const dir = folderWith(t, { [BASE]: base, [INCR(1)]: incr });
    const { node } = await load(dir, leader.clock);
    const { aof, shard } = node.services;
    shard.leads = shard.complete = true;
    let isStarting = true;
    const started = aof.start().finally(() => {
      isStarting = false;
    });
    // What a timer does once a second falls into any moment of it.
    while (isStarting) {
      aof.tick();
      for (let turns = random.int(3); turns >= 0; turns--) await turn();
    }
    await started;
    t.notOk(aof.isRewriting, 'and there is no reason to');
    aof.tick();
    await aof.finish();
    const again = await load(dir, leader.clock);
    t.same(entriesOf(again.node), entriesOf(leader.node), `round ${round}`);
  }
});

t.test('a last part of a few bytes is a torn one, whatever it might have become', async (t) => {
  const leader = new Leader();
  const base = leader.base();
  const incr = leader.incr(() => leader.run(['SET', 'k', 'v']));
  for (const rest of ['*', '*2', '*2\r', '*2\r\n', '#', '#RS:', '']) {
    const dir = folderWith(t, { [BASE]: base, [INCR(1)]: incr, [INCR(2)]: Buffer.from(rest) });
    const { node, lines } = await load(dir, leader.clock);
    t.same(entriesOf(node), entriesOf(leader.node), JSON.stringify(rest));
    t.equal(
      lines.some(({ level }) => level === 'warn'),
      rest !== '',
      'the log says that something was cut off',
    );
  }
});
