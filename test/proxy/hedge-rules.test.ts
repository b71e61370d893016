import t from 'tap';
import { ManualClock, seededRandom, silentLogger } from '../../lib/base/index.ts';
import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { configFrom } from '../../lib/config/index.ts';
import { parseAddress } from '../../lib/net/index.ts';
import type { Link } from '../../proxy/core/link.ts';
import { NamespaceMatcher } from '../../proxy/core/namespace-rules.ts';
import { ReadTargets } from '../../proxy/core/read-targets.ts';
import { acquireRequest } from '../../proxy/core/request.ts';
import { ShardRoute, UpstreamNode } from '../../proxy/core/topology.ts';
import { Health, RecentLatencies, resilienceOf } from '../../proxy/health/index.ts';
import { HASHES, KeyUses } from '../../proxy/hedge/key-uses.ts';
import { MultiGetKeys } from '../../proxy/hedge/multi-get-keys.ts';
import { PendingReads } from '../../proxy/hedge/pending-reads.ts';
import { isRepeatable } from '../../proxy/hedge/repeatable.ts';
import { hasReached, placeIn } from '../../proxy/hedge/stream-place.ts';
import { TrackedMultiGet } from '../../proxy/hedge/tracked-multi-get.ts';

/* When a read is sent a second time, and which answers are good enough: without sockets, under a clock of the test. */

/** Hashes that are not taken for each other. */
const HASHES_OF_TEST = Array.from({ length: 12 }, (_, i) => Math.imul(i + 1, 0x9e3779b1) & (HASHES - 1));

t.test('latencies: within which time 95 of 100 answers came', async (t) => {
  const clock = new ManualClock();
  const random = seededRandom(7);
  const recent = new RecentLatencies(0.95);
  const known = (ms: number) => {
    clock.advance(ms);
    return recent.limitMs(clock.monotonicMs());
  };
  t.equal(known(0), Number.POSITIVE_INFINITY);
  recent.record(1, 99);
  t.equal(known(100), Number.POSITIVE_INFINITY, 'of 99 answers nothing is concluded');
  const times = Array.from({ length: 10_000 }, () => 0.05 * 1000 ** random.next());
  for (const ms of times) recent.record(ms, 1);
  const exact = [...times, ...Array(99).fill(1)].sort((a, b) => a - b)[Math.ceil(0.95 * 10_099) - 1];
  const limit = known(100);
  t.ok(limit >= exact && limit <= exact * 1.1, `${limit} of ${exact}`);
  recent.record(1000, 1_000_000);
  t.equal(known(99), limit, 'it is worked out ten times a second');
  t.ok(known(1) >= 1000);
});

t.test('latencies: old ones are forgotten, but the last hundred stay', async (t) => {
  const clock = new ManualClock();
  const recent = new RecentLatencies(0.95);
  const known = (ms: number) => {
    clock.advance(ms);
    return recent.limitMs(clock.monotonicMs());
  };
  recent.record(100, 1000);
  t.ok(known(100) >= 100);
  t.ok(known(3_600_000) >= 100, 'nothing else is known');
  recent.record(1, 1000);
  t.ok(known(100) >= 100, 'half of what is known is slow');
  const limit = known(5000);
  t.ok(limit >= 1 && limit < 1.1, `${limit}`);
  recent.record(0, 100_000);
  t.ok(known(5000) > 0);
  recent.record(1e9, 10_000_000);
  t.ok(Number.isFinite(known(5000)), 'however long it took');
});

t.test('pending reads: each is looked at once, in order, when it has waited long enough', async (t) => {
  const clock = new ManualClock();
  const random = seededRandom(3);
  const pending = new PendingReads<{ isOver: boolean; sinceMs: number }>();
  const all: { isOver: boolean; sinceMs: number; looks: number }[] = [];
  for (let i = 0; i < 5000; i++) {
    clock.advance(random.int(3));
    const nowMs = clock.monotonicMs();
    const read = { isOver: false, sinceMs: nowMs, looks: 0 };
    all.push(read);
    pending.add(read);
    // Most are answered soon, a few never.
    if (random.int(10) > 0) all[random.int(all.length)].isOver = true;
    if (random.int(100) > 1) read.isOver = true;
    const delayMs = 1 + random.int(20);
    const expected = all.find(({ isOver, looks }) => !isOver && looks === 0) ?? null;
    if (pending.oldest !== expected) t.fail(`step ${i}`);
    const taken = pending.takeDue(nowMs, delayMs) as (typeof all)[number] | null;
    if (taken !== (expected !== null && nowMs - expected.sinceMs >= delayMs ? expected : null))
      t.fail(`step ${i}`);
    if (taken !== null) taken.looks++;
  }
  t.ok(all.every(({ looks }) => looks <= 1));
  t.ok(all.some(({ looks }) => looks === 1));
});

t.test('uses of keys: against a list of all of them', async (t) => {
  const random = seededRandom(5);
  const uses = new KeyUses(1);
  /** `to`: the moment in which it was over; -1: it is under way. Hash -1: it concerns all. */
  const list: { hash: number; to: number }[] = [];
  let moment = uses.begin();
  let untouched = 0;
  for (let i = 0; i < 20_000; i++) {
    const hash = HASHES_OF_TEST[random.int(8)];
    const step = random.int(10);
    const open = list.filter(({ to }) => to < 0);
    if (step === 0) moment = uses.begin();
    else if (step < 5 && open.length < 3) {
      const isAll = random.int(20) === 0;
      list.push({ hash: isAll ? -1 : hash, to: -1 });
      if (isAll) uses.addAll();
      else uses.add(hash);
    } else if (open.length > 0) {
      const one = open[random.int(open.length)];
      one.to = moment;
      if (one.hash < 0) uses.leaveAll();
      else uses.leave(one.hash);
    }
    const own = random.int(2);
    const since = moment - random.int(2);
    const isOn = (one: (typeof list)[number]) => one.hash === hash;
    const hindered =
      list.filter((one) => isOn(one) && one.to < 0).length > own ||
      list.some((one) => one.hash < 0 && one.to < 0) ||
      list.some((one) => (isOn(one) || one.hash < 0) && one.to >= since);
    if (uses.isUntouched(hash, own, since) === hindered) t.fail(`step ${i}`);
    if (!hindered) untouched++;
  }
  t.ok(untouched > 100, `${untouched} times nothing hindered`);
});

t.test('uses of many keys at once: as each by itself, but for their own', async (t) => {
  const random = seededRandom(9);
  const uses = new KeyUses(1);
  const found = { yes: 0, no: 0 };
  for (let i = 0; i < 5000; i++) {
    const some = (most: number) =>
      Array.from({ length: random.int(most) }, () => HASHES_OF_TEST[random.int(12)]);
    const [own, others, foreign] = [some(4), some(3), some(2)];
    for (const hash of foreign) uses.add(hash);
    // Those that are over count until the next moment.
    const recent = random.int(3) === 0 ? some(2) : [];
    const moment = uses.begin();
    for (const hash of recent) uses.add(hash);
    for (const hash of recent) uses.leave(hash);
    for (const hash of own) uses.add(hash);
    const hindering = new Set([...foreign, ...recent]);
    const expected = [...own, ...others].every((hash) => !hindering.has(hash));
    const is = uses.areUntouched(own, others, moment);
    if (is !== expected) t.fail(`step ${i}`);
    found[is ? 'yes' : 'no']++;
    for (const hash of [...own, ...foreign]) uses.leave(hash);
    uses.begin();
  }
  t.ok(found.yes > 500 && found.no > 500, JSON.stringify(found));
});

t.test('uses of very many keys: none is overlooked, and few are taken for others', async (t) => {
  const uses = new KeyUses(7);
  const hashOf = (i: number) => {
    const key = Buffer.from(`key:${i}`);
    return uses.hashOf(key, 0, key.length, 3);
  };
  const USED = 4000;
  const moment = uses.begin();
  for (let i = 0; i < USED; i++) uses.add(hashOf(i));
  for (let i = 0; i < USED; i += 2) uses.leave(hashOf(i));
  let overlooked = 0;
  let mistaken = 0;
  for (let i = 0; i < USED; i++) if (uses.isUntouched(hashOf(i), 0, moment)) overlooked++;
  for (let i = USED; i < 26 * USED; i++) if (!uses.isUntouched(hashOf(i), 0, moment)) mistaken++;
  t.equal(overlooked, 0);
  t.ok(mistaken < 200, `${mistaken} of ${25 * USED}`);
});

t.test('uses of keys: moments beyond what a slot can tell', async (t) => {
  const [hash] = HASHES_OF_TEST;
  for (const first of [2 ** 31 - 8, 2 ** 32 - 8, 2 ** 40]) {
    const uses = new KeyUses(1, first);
    uses.add(hash);
    uses.leave(hash);
    for (let i = 0; i < 6; i++) {
      const before = uses.begin();
      uses.add(hash);
      uses.leave(hash);
      t.notOk(uses.isUntouched(hash, 0, before), `${before}`);
      t.ok(uses.isUntouched(hash, 0, uses.begin()), `${before}`);
    }
  }
});

t.test('the keys of multi-gets, by their frame', async (t) => {
  const keys = new MultiGetKeys();
  const keysOf = (...parts: string[]) => {
    const frame = Buffer.concat([Buffer.from('x'), encodeCommand(...parts)]);
    if (!keys.recognize(frame, 1)) return null;
    const found: string[] = [];
    while (keys.next()) found.push(frame.toString('latin1', keys.start, keys.end));
    t.equal(keys.count, found.length);
    return found;
  };
  for (const name of ['MGET', 'mGet', 'RS.MGET', 'RS.MCGET', 'rs.mcgets'])
    t.same(keysOf(name, 'a', '', 'b\r\nc', 'a'), ['a', '', 'b\r\nc', 'a'], name);
  t.same(keysOf('MGET', 'k'), ['k']);
  for (const name of ['GET', 'MSET', 'SINTER', 'EXISTS', 'RS.MCMETA'])
    t.equal(keysOf(name, 'a', 'b'), null, name);
});

t.test('a part that waited for the one before it has waited for its node since it was sent', async (t) => {
  const request = acquireRequest();
  request.startedMs = 10;
  const part = new TrackedMultiGet(request, 1000, 50, [], 0);
  t.equal(part.sinceMs, 50);
  request.link = {} as Link;
  request.queuedMs = 10;
  t.equal(part.sinceMs, 50);
  request.queuedMs = 60;
  t.equal(part.sinceMs, 60, 'or since it was sent elsewhere');
  request.link = null;
});

t.test('how far a node has come', async (t) => {
  const lines = (fields: object) =>
    `$1\r\n# Replication\r\n${Object.entries(fields)
      .map(([name, value]) => `${name}:${value}\r\n`)
      .join('')}`;
  const leader = placeIn(
    lines({ role: 'master', master_replid: 'ab', master_replid2: '00', master_repl_offset: 70 }),
  );
  t.same(leader, { stream: 'ab', offset: 70, leads: true });
  const follows = {
    role: 'slave',
    master_sync_in_progress: 0,
    slave_repl_offset: 70,
    master_replid: 'ab',
    master_repl_offset: 99,
  };
  const mark = { stream: 'ab', offset: 70, leads: true, moment: 1, askedMs: 0 };
  const isGood = (more: object) => hasReached(placeIn(lines({ ...follows, ...more })), mark);
  t.ok(isGood({}));
  t.ok(isGood({ slave_repl_offset: 71 }));
  t.notOk(isGood({ slave_repl_offset: 69 }), 'it is behind');
  t.notOk(isGood({ master_replid: 'cd' }), 'another stream');
  t.notOk(isGood({ master_sync_in_progress: 1 }), 'it is being given another data set');
  t.notOk(isGood({ role: 'master' }), 'it follows nobody');
  t.equal(placeIn('+OK\r\n'), null);
  t.equal(placeIn(lines({ role: 'slave', master_replid: 'ab' })), null);
});

t.test('what may be asked twice', async (t) => {
  const may = (...parts: string[]) => {
    const frame = encodeCommand(...parts);
    return isRepeatable(frame, 0, frame.length);
  };
  for (const parts of [
    ['GET', 'k'],
    ['hget', 'k', 'f'],
    ['RS.GET', 'k', 'TAIL'],
    ['RS.MCGET', 'k'],
  ])
    t.ok(may(...parts), parts.join(' '));
  for (const parts of [
    ['HSCAN', 'k', '0'],
    ['sscan', 'k', '5'],
    ['RS.GET', 'k', 'LEASE', 'TAIL'],
    ['RS.MCMETA', 'k'],
  ])
    t.notOk(may(...parts), parts.join(' '));
});

t.test('which follower is asked: none that is suspect, ejected, barred or not connected', async (t) => {
  const config = configFrom({ proxy: { resilience: { outlier: { maxEjectedRatio: 1 } } } });
  const health = new Health(resilienceOf(config.proxy), seededRandom(1), silentLogger);
  const route = new ShardRoute('s0', null);
  const nodes = ['a:1', 'b:1', 'c:1', 'd:1'].map((name) => {
    const node = new UpstreamNode(name, parseAddress(name), 's0', health.nodeHealth(name, 's0'));
    node.links.push({ isReady: name !== 'a:1' } as Link);
    return node;
  });
  route.followers = nodes;
  const targets = new ReadTargets(new NamespaceMatcher(config));
  const asked = () =>
    [...new Set(Array.from({ length: 8 }, () => targets.wellFollower(route)?.name ?? 'none'))].sort();
  t.same(asked(), ['b:1', 'c:1', 'd:1'], 'in turn, those that are connected');
  nodes[1].health.silent('it says nothing');
  t.same(asked(), ['c:1', 'd:1']);
  nodes[2].health.timedOut(config.proxy.resilience.outlier.consecutiveFailures, 0);
  t.ok(nodes[2].health.isEjected);
  t.same(asked(), ['d:1']);
  nodes[3].health.breaker.record(0, config.proxy.resilience.breaker.consecutiveFailures, 0);
  t.equal(nodes[3].health.breakerState, 'open');
  t.same(asked(), ['none']);
});
