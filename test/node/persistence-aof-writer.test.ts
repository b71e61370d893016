import { mock } from 'node:test';
import { setTimeout, setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { ManualClock, seededRandom, silentLogger } from '../../lib/base/index.ts';
import { AofWriter } from '../../node/persistence/aof-writer.ts';
import type { GrowingFile } from '../../node/persistence/append-file.ts';
import { ReplicationLog } from '../../node/replication/replication-log.ts';
import type { AppendFsync, Settings } from '../../node/settings.ts';
import { until } from '../support/until.ts';

/*
 * The writer of the append-only file on disks that fail in every way: writes that are torn, syncs that fail and lose what they were for, parts
 * that change in the middle of it. Whatever happens, what replies have gone for is on the disk, and in the end everything is in the files.
 */

const seed = Number(process.env.SEED ?? 20261121);
const ROUNDS = process.env.RINGSIDE_LONG ? 400 : 25;
const STEPS = 400;
const random = seededRandom(seed);
/** What syncs take, by round: within the turn, outside, and sometimes so and sometimes so. */
const SYNC_MS = [0, 5, 1.01];
const REPL_ID = 'a'.repeat(40);
const NOTE = /#RS:offset (\d+) \w{40} database=\d+\r\n/g;

/** How often things go wrong, one in so many; 0 for never. */
const faults = { write: 0, sync: 0, cut: 0 };
const fails = (oneIn: number) => oneIn > 0 && random.int(oneIn) === 0;

/** A file in memory, with what of it is on the disk. */
class FaultyFile implements GrowingFile {
  readonly path = 'part';
  #content = Buffer.alloc(0);
  #isClosed = false;
  /** What a power cut would leave. */
  onDisk = Buffer.alloc(0);
  size = 0;
  #isBusy = false;
  readonly #spendTime: () => void;

  /** A sync takes as long as `spendTime` lets pass. */
  constructor(spendTime: () => void) {
    this.#spendTime = spendTime;
  }

  get content(): Buffer {
    return this.#content.subarray(0, this.size);
  }

  async #later(): Promise<void> {
    if (this.#isClosed) throw new Error('the file is closed');
    for (let i = random.int(3); i >= 0; i--) await turn();
  }

  async write(parts: readonly Buffer[]): Promise<void> {
    if (this.#isBusy) throw new Error('two writes at a time');
    this.#isBusy = true;
    await this.#later();
    this.#isBusy = false;
    this.writeNow(parts);
  }

  writeNow(parts: readonly Buffer[]): void {
    if (this.#isBusy) throw new Error('beside another write');
    const bytes = Buffer.concat(parts);
    const isTorn = fails(faults.write);
    const written = isTorn ? bytes.subarray(0, random.int(bytes.length + 1)) : bytes;
    this.#content = Buffer.concat([this.content, written]);
    if (isTorn) throw Object.assign(new Error('full'), { code: 'ENOSPC' });
    this.size += bytes.length;
  }

  async sync(): Promise<void> {
    const { content } = this;
    await this.#later();
    this.#syncNow(content);
  }

  syncNow(): void {
    this.#syncNow(this.content);
  }

  #syncNow(content: Buffer): void {
    this.#spendTime();
    if (!fails(faults.sync)) {
      this.onDisk = Buffer.from(content);
      return;
    }
    // As Linux does it: what was not on the disk is thrown away, and the next sync knows nothing of it.
    const kept = Math.min(this.onDisk.length, this.#content.length);
    this.#content = Buffer.concat([
      this.#content.subarray(0, kept),
      Buffer.alloc(this.#content.length - kept),
    ]);
    throw Object.assign(new Error('broken'), { code: 'EIO' });
  }

  async cutTo(size: number): Promise<void> {
    this.size = size;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }
}

/** What was said at which offset, by the files' own words; throws where they are not one stream. */
function streamOf(files: readonly FaultyFile[], what: 'content' | 'onDisk', from: number): string {
  let stream = '';
  for (const file of files) {
    const text = file[what].latin1Slice();
    let at = 0;
    for (const note of text.matchAll(NOTE)) {
      stream += text.slice(at, note.index);
      if (from + stream.length !== Number(note[1])) throw new Error(`${note[1]} at ${from + stream.length}`);
      at = note.index + note[0].length;
    }
    stream += text.slice(at);
  }
  return stream;
}

class Trial {
  readonly log = new ReplicationLog({ backlogBytes: 1 << 12, replId: REPL_ID });
  readonly settings = { appendFsync: 'always', skipsFsyncOnRewrite: false } as unknown as Settings;
  readonly clock = new ManualClock();
  readonly files: FaultyFile[] = [];
  readonly writer: AofWriter;
  readonly start = 1000;
  readonly #syncMs: number;
  expected = '';
  problems = 0;
  /** Events, and milliseconds. */
  readonly took: string[] = [];

  constructor(policy: AppendFsync, syncMs = 0) {
    this.#syncMs = syncMs;
    this.settings.appendFsync = policy;
    this.log.restart(REPL_ID, this.start);
    this.writer = new AofWriter({
      log: this.log,
      settings: this.settings,
      clock: this.clock,
      logger: silentLogger,
      isBusy: () => false,
      onProgress: () => this.check(),
      onTook: (event, ms) => this.took.push(`${event} ${Math.round(ms)}`),
    });
    this.log.onRename = () => this.writer.note();
    this.log.readOffset = () => this.log.end - this.writer.heldBytes;
    this.writer.begin(this.#newFile());
  }

  #newFile(): FaultyFile {
    const file = new FaultyFile(() => this.clock.advance(this.#syncMs));
    this.files.push(file);
    return file;
  }

  append(): void {
    this.#append(random.int(random.int(20) === 0 ? 3000 : 40));
  }

  /** More than waits for others. */
  appendMuch(): void {
    this.#append(300_000);
  }

  #append(bytes: number): void {
    const frame = `${this.log.end}:${'x'.repeat(bytes)};`;
    this.log.begin(frame.length).fixed(frame);
    this.log.commit();
    this.expected += frame;
    this.writer.wake();
  }

  /** What replies may have gone for is on the disk. */
  check(): void {
    if (this.settings.appendFsync !== 'always' || !this.writer.isOpen) return;
    const due = this.expected.slice(0, this.writer.settledOffset - this.start);
    if (!streamOf(this.files, 'onDisk', this.start).startsWith(due))
      throw new Error('a reply went too early');
  }

  cut(): void {
    void this.writer
      .cut(async () => {
        await turn();
        if (fails(faults.cut)) throw new Error('no room for another part');
        return this.#newFile();
      })
      .catch(() => {});
  }

  step(): void {
    this.append();
    if (random.int(60) === 0) this.log.rename(random.hex(20));
    if (random.int(10) === 0) this.writer.syncSoon();
    if (random.int(40) === 0) {
      this.clock.advance(1000);
      mock.timers.tick(1000);
    }
    if (this.writer.problem !== null) this.problems++;
    this.check();
  }
}

async function trial(policy: AppendFsync, syncMs: number): Promise<Trial> {
  Object.assign(faults, { write: 40, sync: 25, cut: 3 });
  const trial = new Trial(policy, syncMs);
  for (let i = 0; i < STEPS; i++) {
    trial.step();
    if (i % 97 === 50) trial.cut();
    for (let turns = random.int(4); turns > 0; turns--) await turn();
  }
  Object.assign(faults, { write: 0, sync: 0, cut: 0 });
  return trial;
}

t.test(`what replies went for is on the disk, and nothing is left out (SEED=${seed})`, async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  for (const policy of ['always', 'everysec', 'no'] as const) {
    let problems = 0;
    let cuts = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const {
        writer,
        files,
        expected,
        start,
        problems: found,
      } = await trial(policy, SYNC_MS[round % SYNC_MS.length]);
      problems += found;
      cuts += files.length - 1;
      if (round % 2 === 0) {
        // What failed is tried again a second later.
        for (let i = 0; i < 20 && (writer.problem !== null || writer.pendingBytes > 0); i++) {
          mock.timers.tick(1000);
          for (let turns = 0; turns < 50; turns++) await turn();
        }
        if (writer.problem !== null) t.fail(`round ${round}: ${writer.problem} for ever`);
      }
      if (!(await writer.close())) t.fail(`round ${round}: not everything could be written`);
      for (const what of ['content', 'onDisk'] as const) {
        if (streamOf(files, what, start) !== expected) t.fail(`${policy}, round ${round}: ${what}`);
      }
    }
    t.ok(cuts > ROUNDS, `${policy}: ${cuts} parts in all`);
    t.ok(problems > 0, `${policy}: ${problems} problems`);
  }
});

t.test('a sync that takes long holds replies up, under everysec', async (t) => {
  const trial = new Trial('everysec');
  const { writer, clock } = trial;
  trial.append();
  await until('what nobody waits for is written soon', () => writer.pendingBytes === 0);
  let finish = () => {};
  trial.files[0].sync = () =>
    new Promise((resolve) => {
      finish = resolve;
    });
  writer.syncSoon();
  t.ok(writer.isSyncing);
  trial.append();
  await setTimeout(50);
  t.ok(writer.pendingBytes > 0, 'what comes waits for the sync');
  t.notOk(writer.holdsReplies);
  clock.advance(2001);
  writer.wake();
  t.ok(writer.holdsReplies, 'and those who write wait when it takes too long');
  t.equal(writer.settledOffset, trial.log.end - writer.pendingBytes);
  for (let i = 0; i < 10; i++) await turn();
  t.equal(writer.pendingBytes, 0, 'it is written nevertheless');
  t.equal(writer.delayedSyncs, 1);
  finish();
  for (let i = 0; i < 10; i++) await turn();
  t.notOk(writer.holdsReplies);
});

t.test('writes without end do not put a sync off, under everysec', async (t) => {
  const trial = new Trial('everysec');
  const { writer } = trial;
  const [file] = trial.files;
  const write = file.write.bind(file);
  let writes = 0;
  // There is always more when a write is done, too much to be collected.
  file.write = async (parts) => {
    await write(parts);
    if (writes++ < 100) trial.appendMuch();
  };
  trial.appendMuch();
  for (let i = 0; i < 10; i++) await turn();
  const before = writes;
  writer.syncSoon();
  for (let i = 0; i < 10; i++) await turn();
  t.ok(before > 0 && writes < 100, 'amid writes');
  t.ok(file.onDisk.length > 0, 'something is on disk');
});

t.test(
  'under always, a quick disk has what there is when the turn ends; a slow one takes its time',
  async (t) => {
    const quick = new Trial('always', 0.2);
    quick.append();
    t.ok(quick.writer.settlesSoon);
    for (let i = 0; i < 2; i++) await turn();
    t.equal(quick.writer.settledOffset, quick.log.end);
    t.strictSame(quick.took, ['aof-write 0', 'aof-write-alone 0', 'aof-fsync-always 0']);
    t.notOk(quick.writer.settlesSoon);

    const slow = new Trial('always', 20);
    slow.append();
    for (let i = 0; i < 2; i++) await turn();
    t.equal(slow.writer.settledOffset, slow.log.end, 'nobody knows how slow it is before the first sync');
    slow.append();
    t.ok(slow.writer.settlesSoon, 'one that was held up may be the only one');
    for (let syncs = 1; syncs < 8; syncs++) {
      for (let i = 0; i < 20; i++) await turn();
      slow.append();
    }
    t.notOk(slow.writer.settlesSoon);
    let syncsWithin = 0;
    slow.files[0].syncNow = () => void syncsWithin++;
    await slow.writer.close();
    t.equal(syncsWithin, 0);
    t.equal(slow.took.at(-1), 'aof-fsync-always 20');
    t.equal(streamOf(slow.files, 'onDisk', slow.start), slow.expected);
  },
);

t.test(
  'under always, a sync within the turn waits for what a few polls bring, and not for ever',
  async (t) => {
    const trial = new Trial('always', 0.2);
    let syncs = 0;
    const sync = trial.files[0].syncNow.bind(trial.files[0]);
    trial.files[0].syncNow = () => {
      syncs++;
      sync();
    };
    for (let i = 0; i < 60; i++) {
      trial.append();
      await turn();
    }
    t.ok(syncs >= 10 && syncs <= 20, `${syncs} syncs for 60 writes in 60 turns`);
  },
);

t.test('another stream: the file of the former one gets nothing of it', async (t) => {
  const trial = new Trial('always');
  trial.append();
  trial.log.restart('b'.repeat(40), 5);
  t.ok(trial.writer.isOutdated);
  trial.append();
  for (let i = 0; i < 10; i++) await turn();
  t.equal(trial.files[0].size, 0);
  await trial.writer.abandon();
  t.notOk(trial.writer.isOpen);
  t.equal(trial.writer.settledOffset, Number.POSITIVE_INFINITY);
});
