import t from 'tap';
import { type Random, seededRandom } from '../../lib/base/index.ts';
import {
  append,
  Compactor,
  DueQueue,
  FILLER_BIT,
  forwardedTo,
  GhostTable,
  type RecordFormat,
  RefIndex,
  readWord,
  SegmentLog,
  type TimedLinks,
  TimingWheel,
  unlink,
  writeWord,
} from '../../lib/store/index.ts';
import { BLOCK_BYTES, PIECE_BYTES, PieceMemory } from '../../lib/store/piece-memory.ts';
import { SegmentMemory } from '../../lib/store/segment-memory.ts';

/* The parts of the store, each beside the obvious one. */

const seed = Number(process.env.SEED ?? 20261121);

/** Records of nothing but a length and a number. */
const format: RecordFormat = {
  sizeAt: (bytes, at) => (readWord(bytes, at) & 0x7f) | (bytes[at + 1] << 7),
};

class NumberedLog {
  readonly log: SegmentLog<string>;
  readonly queue;

  constructor(unitShift: number, segmentBytes: number) {
    this.log = new SegmentLog<string>({ unitShift, segmentBytes }, format);
    this.queue = this.log.createQueue('only');
  }

  write(segment: ReturnType<SegmentLog<string>['roomFor']>, size: number, number: number): number {
    const ref = this.log.take(segment, size);
    const at = this.log.offsetOf(ref);
    segment.bytes[at] = size & 0x7f;
    segment.bytes[at + 1] = size >> 7;
    writeWord(segment.bytes, at + 2, number);
    return ref;
  }

  numberAt(ref: number): number {
    return readWord(this.log.segmentOf(ref).bytes, this.log.offsetOf(ref) + 2);
  }
}

t.test(
  'log: records stay what they are and in order, while others go and what is idle is won back',
  async (t) => {
    for (const unitShift of [1, 2, 4]) {
      const random = seededRandom(seed + unitShift);
      const numbered = new NumberedLog(unitShift, 64 << 10);
      const { log, queue } = numbered;
      const compactor = new Compactor(log);
      const refs = new Map<number, number>();
      let next = 1;
      let mostIdle = 0;
      for (let step = 0; step < 60_000; step++) {
        const size = log.round(8 + random.int(random.int(50) === 0 ? 30_000 : 200));
        refs.set(next, numbered.write(log.roomFor(queue, size), size, next++));
        const removals = step % 20_000 < 10_000 ? 1 : random.int(3);
        for (let i = 0; i < removals && refs.size > 500; i++) {
          const number = next - 1 - random.int(Math.min(next - 1, 4000));
          const ref = refs.get(number);
          if (ref === undefined) continue;
          log.free(ref, log.sizeOf(ref));
          refs.delete(number);
        }
        log.releaseEmptied();
        for (let moves = 0; moves < 16 && compactor.advance(); moves++) {
          const ref = compactor.next();
          if (ref === 0) continue;
          const bytes = log.sizeOf(ref);
          const number = numbered.numberAt(ref);
          const to = numbered.write(compactor.targetFor(bytes), bytes, number);
          log.free(ref, bytes, to);
          if (forwardedTo(log.segmentOf(ref).bytes, log.offsetOf(ref)) !== to)
            t.fail('the old address leads on');
          refs.set(number, to);
        }
        log.releaseEmptied();
        mostIdle = Math.max(mostIdle, log.dead - compactor.allowedDead);
      }
      for (const [number, ref] of refs) if (numbered.numberAt(ref) !== number) t.fail(`record ${number}`);
      t.ok(mostIdle < 300_000, `at most ${mostIdle} bytes more idle than is tolerated`);
      const order: number[] = [];
      for (let segment = queue.oldest; segment !== null; segment = segment.newer) {
        for (let at = log.nextRecord(segment); at >= 0; at = log.nextRecord(segment)) {
          const ref = log.refOf(segment, at);
          if (!segment.isOwn) order.push(numbered.numberAt(ref));
          refs.delete(numbered.numberAt(ref));
          log.free(ref, log.sizeOf(ref));
          if (segment.isOwn) break;
        }
      }
      t.same(
        order,
        [...order].sort((a, b) => a - b),
        `${order.length} records in the order in which they came`,
      );
      t.same([refs.size, log.live], [0, 0]);
    }
  },
);

t.test('log: a record grows into the end of its segment, or into the filler behind it', async (t) => {
  const numbered = new NumberedLog(1, 64 << 10);
  const { log, queue } = numbered;
  const first = numbered.write(log.roomFor(queue, 100), 100, 1);
  t.ok(log.grow(first, 100, 120), 'the last one');
  const second = numbered.write(log.roomFor(queue, 100), 100, 2);
  t.notOk(log.grow(first, 120, 130), 'there is another one behind');
  log.free(second, 100);
  t.ok(log.grow(first, 120, 150));
  t.equal(log.dead, 70);
  t.ok((log.segmentOf(first).bytes[150] & FILLER_BIT) !== 0);
  log.shrink(first, 150, 30);
  t.same([log.live, log.dead], [30, 190]);
  const large = log.take(log.roomFor(queue, 1 << 20), 1 << 20);
  t.equal(log.segmentOf(large).isOwn, true);
  log.free(large, 1 << 20, first);
  t.equal(forwardedTo(log.segmentOf(large).bytes, 0), first);
});

t.test('log: says so when its addresses come to an end', async (t) => {
  const { log, queue } = new NumberedLog(1, 16 << 10);
  const fill = () => log.take(log.roomFor(queue, 4000), 4000);
  while (!log.isNearlyFull) fill();
  t.ok(log.live > 31e6, `${log.live} bytes`);
  t.throws(() => {
    for (let i = 0; i < 300; i++) fill();
  }, /no addresses left/);
  log.clear();
  t.ok(log.reservedBytes > 1e6, 'giving so much back at once would be a pause');
  for (let i = 0; i < 1000; i++) log.releaseEmptied();
  t.same([log.isNearlyFull, log.reservedBytes], [false, 0]);
});

/** Keys of an index that are numbers, hashed as the test says. */
class Numbers {
  readonly hash: (number: number) => number;
  readonly index: RefIndex;

  constructor(hash: (number: number) => number) {
    this.hash = hash;
    this.index = new RefIndex({
      hashOf: hash,
      touchByte: (ref) => ref & 255,
      matches: (ref, buffer) => buffer.readInt32LE(0) === ref,
    });
  }

  find(number: number): number {
    const key = Buffer.alloc(4);
    key.writeInt32LE(number);
    return this.index.find(this.hash(number), key, 0, 4);
  }
}

const spread = (number: number) => {
  const mixed = Math.imul(number ^ (number >>> 16), 0x45d9f3b);
  return Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d) ^ (mixed >>> 13);
};

function scanAll(index: RefIndex): number[] {
  const found: number[] = [];
  let cursor = 0;
  do cursor = index.scan(cursor, (ref) => found.push(ref));
  while (cursor !== 0);
  return found;
}

t.test('index: as a Map, growing to many tables and shrinking back', async (t) => {
  const numbers = new Numbers((number) => spread(Math.abs(number)));
  const { index } = numbers;
  const many = 300_000;
  let slowest = 0;
  for (let i = 1; i <= many; i++) {
    const before = performance.now();
    index.insert(spread(i), i);
    slowest = Math.max(slowest, performance.now() - before);
  }
  t.comment(
    `slowest insertion ${slowest.toFixed(1)} ms, ${(index.reservedBytes / many).toFixed(2)} bytes an entry`,
  );
  t.ok(index.reservedBytes / many < 6.8, 'bytes an entry');
  for (let i = 1; i <= many; i += 7) if (numbers.find(i) !== i) t.fail(`${i} is not found`);
  t.equal(numbers.find(many + 1), 0);
  const seen = scanAll(index);
  t.same([seen.length, new Set(seen).size], [many, many]);
  for (let i = 1; i <= many; i++) if (i % 100 !== 0) index.remove(spread(i), i);
  t.same(
    scanAll(index).sort((a, b) => a - b),
    Array.from({ length: many / 100 }, (_, i) => (i + 1) * 100),
  );
  t.ok(index.reservedBytes < (many / 100) * 16, 'shrinks');
  index.replace(spread(100), 100, -100);
  t.ok(scanAll(index).includes(-100), 'an address may be negative');
  t.throws(() => index.remove(spread(200), 7), /no such entry/);
});

t.test('index: room that is made beforehand is enough, whatever comes then', async (t) => {
  for (const [reserved, many] of [
    [200_000, 200_000],
    [500_000, 50],
    [10_000, 60_000],
    [10_000, 100_000],
  ]) {
    const numbers = new Numbers(spread);
    const { index } = numbers;
    index.reserve(reserved);
    const bytes = index.reservedBytes;
    for (let i = 1; i <= many; i++) index.insert(spread(i), i);
    if (many <= reserved) t.ok(index.reservedBytes < bytes * 1.1, `${reserved} and no more`);
    index.reserve(1_000_000);
    for (let i = 1; i <= many; i += 7) if (numbers.find(i) !== i) t.fail(`${i} is not found`);
    const seen = scanAll(index);
    t.same([seen.length, new Set(seen).size], [many, many]);
    for (let i = 1; i <= many; i++) index.remove(spread(i), i);
    t.same(scanAll(index), []);
  }
});

t.test('index: hashes that do not spread are slow but right', async (t) => {
  for (const hash of [() => 0, () => -1, (number: number) => number & 3, (number: number) => number << 20]) {
    const random = seededRandom(seed);
    const numbers = new Numbers(hash);
    const present = new Set<number>();
    for (let step = 0; step < 8000; step++) {
      const number = 1 + random.int(2500);
      if (present.has(number) !== (numbers.find(number) === number)) t.fail(`presence of ${number}`);
      if (present.delete(number)) numbers.index.remove(hash(number), number);
      else numbers.index.insert(hash(number), number);
      if (numbers.find(number) === 0) present.delete(number);
      else present.add(number);
    }
    t.same(
      scanAll(numbers.index).sort((a, b) => a - b),
      [...present].sort((a, b) => a - b),
    );
  }
});

t.test('index: random entries are equally likely', async (t) => {
  const random = seededRandom(seed);
  const numbers = new Numbers(spread);
  t.equal(numbers.index.random(random), 0);
  const count = 20_000;
  for (let i = 1; i <= count; i++) numbers.index.insert(spread(i), i);
  const drawn = new Uint32Array(count + 1);
  for (let i = 0; i < 20 * count; i++) drawn[numbers.index.random(random)]++;
  const chiSquare = drawn.subarray(1).reduce((sum, n) => sum + (n - 20) ** 2 / 20, 0);
  // The square root of twice the degrees of freedom is its standard deviation.
  t.ok(
    Math.abs(chiSquare - count) < 6 * Math.sqrt(2 * count),
    `chi square ${chiSquare.toFixed(0)} of ${count}`,
  );
});

/** Links of entries that are numbers. */
class ArrayLinks implements TimedLinks {
  readonly #next = new Map<number, number>();
  readonly #previous = new Map<number, number>();
  readonly due = new Map<number, number>();
  next = (ref: number) => this.#next.get(ref)!;
  previous = (ref: number) => this.#previous.get(ref)!;
  setNext = (ref: number, to: number) => void this.#next.set(ref, to);
  setPrevious = (ref: number, to: number) => void this.#previous.set(ref, to);
  dueMs = (ref: number) => this.due.get(ref)!;

  move(from: number, to: number): void {
    this.#next.set(to, this.#next.get(from)!);
    this.#previous.set(to, this.#previous.get(from)!);
    this.due.set(to, this.due.get(from)!);
    this.due.delete(from);
  }
}

/** Any time from one millisecond to the end of 48 bits, short ones as likely as long ones. */
const someTime = (random: Random) => random.int(2 ** random.int(31)) * (random.int(3) === 0 ? 2 ** 17 : 1);

t.test('wheel, and the queue of two: finds what is due next, as a sorted list does', async (t) => {
  for (let round = 0; round < 20; round++) {
    const random = seededRandom(seed + round);
    const links = new ArrayLinks();
    const wheel = round % 2 === 0 ? new TimingWheel(links) : new DueQueue(links);
    let ref = 0;
    for (let step = 0; step < 4000; step++) {
      const refs = [...links.due.keys()];
      const roll = random.int(10);
      if (roll < 5 || refs.length === 0) {
        links.due.set(++ref, someTime(random));
        wheel.add(ref);
      } else if (roll < 6) {
        const any = refs[random.int(refs.length)];
        wheel.remove(any);
        links.due.delete(any);
      } else if (roll < 7) {
        const from = refs[random.int(refs.length)];
        links.move(from, ++ref);
        wheel.moved(from, ref);
      } else {
        const next = Math.min(...links.due.values());
        if (links.due.get(wheel.nearest()) !== next) t.fail(`step ${step}: nearest`);
        const nowMs = random.int(2) === 0 ? next : next - 1;
        const found = wheel.due(nowMs);
        if ((found !== 0) !== nowMs >= next) t.fail(`step ${step}: due`);
        if (found === 0) continue;
        wheel.remove(found);
        links.due.delete(found);
      }
      if (wheel.size !== links.due.size) t.fail(`step ${step}: size`);
    }
  }
  t.pass('20 rounds');
});

t.test('queue of two wheels: the first to be due goes, whatever comes later', async (t) => {
  const links = new ArrayLinks();
  const queue = new DueQueue(links);
  const random = seededRandom(seed);
  for (let ref = 1; ref <= 30_000; ref++) {
    // Times to live of a minute, ten and an hour, among many entries: the next one is often earlier than any.
    links.due.set(ref, ref * 10 + [60_000, 600_000, 3_600_000][random.int(3)]);
    queue.add(ref);
    if (queue.size <= 2000) continue;
    const found = queue.nearest();
    if (ref % 100 === 0) {
      const next = Math.min(...links.due.values());
      if (links.due.get(found) !== next) t.fail(`${ref}: ${links.due.get(found)}, not ${next}`);
    }
    queue.remove(found);
    links.due.delete(found);
  }
  t.equal(queue.size, 2000);
});

t.test('wheel: a long list is spread in steps, and nothing of it is lost', async (t) => {
  const links = new ArrayLinks();
  const wheel = new TimingWheel(links);
  const random = seededRandom(seed);
  const count = 20_000;
  for (let ref = 1; ref <= count; ref++) {
    links.due.set(ref, 3_600_000 + random.int(200_000));
    wheel.add(ref);
  }
  t.equal(wheel.due(3_000_000), 0, 'nothing is due yet');
  t.equal(wheel.isSpreading, false, 'so nothing is done');
  let lastMs = 0;
  let calls = 0;
  while (wheel.size > 0) {
    calls++;
    const ref = wheel.due(4_000_000);
    if (ref === 0) continue;
    if (links.dueMs(ref) < lastMs) t.fail('out of order');
    lastMs = links.dueMs(ref);
    wheel.remove(ref);
  }
  t.ok(calls > count + 20, `${calls} calls`);
});

t.test('rings: what was appended comes out in order', async (t) => {
  const links = new ArrayLinks();
  let first = 0;
  for (const ref of [1, 2, 3, 4]) first = append(links, first, ref);
  first = unlink(links, first, 1);
  first = unlink(links, first, 3);
  const order: number[] = [];
  while (first !== 0) {
    order.push(first);
    first = unlink(links, first, first);
  }
  t.same(order, [2, 4]);
});

t.test('log: a large record stays behind what came before it; ages are bytes that came later', async (t) => {
  const numbered = new NumberedLog(2, 64 << 10);
  const { log, queue } = numbered;
  const refs = [2000, 2000, 40_000, 2000].map((size, i) => numbered.write(log.roomFor(queue, size), size, i));
  t.same(
    refs.map((ref) => log.ageOf(ref)),
    [46_000, 44_000, 42_000, 2000],
  );
  const order: number[] = [];
  for (let ref = log.oldest(queue); ref !== 0; ref = log.oldest(queue)) {
    order.push(numbered.numberAt(ref));
    log.free(ref, log.sizeOf(ref));
  }
  t.same(order, [0, 1, 2, 3]);
});

t.test('memory: what is released is used again, and little of it is kept', async (t) => {
  const memory = new SegmentMemory();
  const size = 1 << 20;
  const pieces = Array.from({ length: 256 }, () => memory.take(size));
  t.ok(
    pieces.every(({ buffer, length }) => buffer instanceof SharedArrayBuffer && length === size),
    'what makes it grow is not in the accounts of V8',
  );
  const first = pieces.pop()!;
  memory.release(first);
  t.equal(memory.keptBytes, size);
  t.equal(memory.take(size).buffer, first.buffer);
  t.equal(memory.keptBytes, 0);
  const small = memory.take(5000);
  t.ok(small.buffer instanceof ArrayBuffer, 'what would add up to little');
  memory.release(small);
  t.equal(small.length, 0, 'is given back at once');
  for (const piece of pieces.splice(0, 100)) memory.release(piece);
  t.equal(memory.keptBytes, 8 * size);
  for (let i = 0; i < 8; i++) memory.take(size);
  t.ok(memory.take(size).buffer instanceof ArrayBuffer, 'what only fills it up again');
});

t.test('memory: large values get pieces that do not overlap, and that are used again', async (t) => {
  const memory = new PieceMemory();
  const pieces = Array.from({ length: 20 }, () => memory.take(PIECE_BYTES));
  for (const [i, piece] of pieces.entries()) piece.fill(i);
  t.ok(pieces.every((piece, i) => piece.length === PIECE_BYTES && piece.every((byte) => byte === i)));
  t.ok(pieces.every(({ buffer }) => buffer instanceof SharedArrayBuffer));
  memory.release(pieces[3]);
  t.equal(memory.take(PIECE_BYTES), pieces[3]);
  for (const size of [1000, 10 * PIECE_BYTES]) {
    const other = memory.take(size);
    t.equal(other.length, size);
    memory.release(other);
    t.equal(other.length, 0, 'other sizes are given back at once');
  }
  const blocks = Array.from({ length: 100 }, () => memory.take(BLOCK_BYTES));
  for (const block of blocks) memory.release(block);
  const again = new Set(blocks.map(() => memory.take(BLOCK_BYTES)));
  t.equal(blocks.filter((block) => again.has(block)).length, (4 << 20) / BLOCK_BYTES, 'few are kept');
});

t.test('ghosts: remembers about what a queue of so many bytes holds', async (t) => {
  const random = seededRandom(seed);
  const ghosts = new GhostTable();
  const windowBytes = 10_000_000;
  const queue: { hash: number; bytes: number }[] = [];
  let oldest = 0;
  let held = 0;
  let asked = 0;
  let wrong = 0;
  for (let step = 0; step < 400_000; step++) {
    // Sizes change on the way, so that the table has to.
    const bytes = 50 + random.int(step < 200_000 ? 100 : 2000);
    const hash = random.u32() | 0;
    ghosts.add(hash, bytes, windowBytes);
    queue.push({ hash, bytes });
    held += bytes;
    while (held > windowBytes) held -= queue[oldest++].bytes;
    if (step % 100 !== 0 || step < 1000) continue;
    const at = oldest + random.int(queue.length - oldest);
    asked += 2;
    if (!ghosts.take(queue[at].hash)) wrong++;
    if (ghosts.take(random.u32() | 0)) wrong++;
  }
  t.ok(wrong < asked / 50, `${wrong} of ${asked} answers are wrong`);
  t.ok(ghosts.heldBytes <= windowBytes && ghosts.heldBytes > 0.98 * windowBytes, `${ghosts.heldBytes} bytes`);
  t.ok(ghosts.reservedBytes < 3e6, `${ghosts.reservedBytes} bytes`);
  ghosts.clear();
  t.equal(ghosts.take(queue[oldest].hash), false);
  t.equal(ghosts.heldBytes, 0);
});

t.test('ghosts: the memory for them can be taken beforehand, some of it at a call', async (t) => {
  const random = seededRandom(seed + 1);
  const ghosts = new GhostTable();
  const windowBytes = 10_000_000;
  const sizes: number[] = [];
  let isReady = false;
  for (let calls = 0; !isReady && calls < 1000; calls++) {
    const { reservedBytes } = ghosts;
    isReady = ghosts.prepare(windowBytes, 100, 4);
    sizes.push(ghosts.reservedBytes - reservedBytes);
  }
  t.ok(isReady && sizes.length > 5, `${sizes.length} calls`);
  t.ok(
    sizes.slice(1).every((size) => size <= 4 * 4096),
    'four pages at a call',
  );
  const before = ghosts.reservedBytes;
  const hashes = Array.from({ length: 90_000 }, () => random.u32() | 0);
  for (const hash of hashes) ghosts.add(hash, 100, windowBytes);
  t.equal(ghosts.reservedBytes, before, 'it is enough');
  t.ok(hashes.filter((hash) => ghosts.take(hash)).length > 89_000, 'and remembers');
  ghosts.clear();
  t.equal(ghosts.reservedBytes, 0);
});
