import t from 'tap';
import { type Logger, seededRandom, silentLogger } from '../../lib/base/index.ts';
import {
  FanOutWindow,
  Health,
  IdentityRates,
  LimitLog,
  LoadLimit,
  OutlierDetector,
  type OutlierOptions,
  type ResilienceSettings,
  RetryBudget,
  TokenBucket,
} from '../../proxy/health/index.ts';

/* The rules by which a worker judges nodes and bounds what it does, without any I/O. */

const outlier: OutlierOptions = {
  consecutiveFailures: 5,
  failureRatio: 0.5,
  minimumOutcomes: 20,
  windowMs: 10_000,
  ejectionMs: 1000,
  maxEjectionMs: 3000,
  maxEjectedRatio: 0.34,
};

const settings: ResilienceSettings = {
  outlier,
  breaker: {
    consecutiveFailures: 5,
    failureRatio: 0.5,
    minimumOutcomes: 20,
    windowMs: 10_000,
    openMs: 100,
    maxOpenMs: 1000,
    probes: 2,
  },
  retries: { ratio: 0.2, minimumPerSecond: 10 },
  fanOut: { maxBytes: 1024 * 1024, maxKeys: 1000 },
  maxQueuedPerNode: 100,
  maxQueuedBytesPerNode: 1024,
  probeTimeoutMs: 100,
};

/** A logger that keeps its lines. */
function keepingLogger() {
  const lines: { level: string; message: string; fields: Record<string, unknown> }[] = [];
  const method = (level: string) => (fields: object | string, message?: string) => {
    lines.push({ level, message: message ?? String(fields), fields: { ...(fields as object) } });
  };
  const log: Logger = { ...silentLogger, warn: method('warn'), info: method('info') };
  return { log, lines };
}

t.test(
  'load: a node that is too slow gets what it answers in time, and more when it is faster again',
  async (t) => {
    const limit = new LoadLimit(10_000, 500);
    let nowMs = 0;
    let waiting = 0;
    let answered = 0;
    let refused = 0;
    /** So many commands a second come, and so many can be answered; the longest wait is what the queue takes. */
    const pass = (ms: number, asked: number, able: number) => {
      for (const endMs = nowMs + ms; nowMs < endMs; nowMs += 10) {
        for (let i = 0; i < asked / 100; i++) {
          if (waiting < limit.allowed || limit.admits(waiting, nowMs)) waiting++;
          else refused++;
        }
        const done = Math.min(waiting, able / 100);
        waiting -= done;
        answered += done;
        if (waiting > 0) limit.look(nowMs, answered, (waiting / able) * 1000);
      }
    };
    pass(3000, 1500, 4000);
    t.same([limit.isLowered, refused], [false, 0], 'nothing is refused while all is in time');
    pass(2000, 1500, 400);
    t.ok(limit.isLowered);
    const { allowed } = limit;
    t.ok(
      allowed >= 50 && allowed <= 150,
      `${allowed} of 400 a second are answered within a quarter of a second`,
    );
    pass(10_000, 1500, 400);
    t.ok(waiting / 400 <= 0.5, `${waiting} wait, however long it lasts`);
    refused = 0;
    pass(2000, 1500, 4000);
    t.ok(refused < 300, `${refused} refused after the end of it`);
    pass(11_000, 1500, 4000);
    refused = 0;
    pass(10, 500_000, 4000);
    t.equal(refused, 0, 'later nothing is left of it');
  },
);

t.test('outliers: failures in a row eject, and a share of all nodes at most', async (t) => {
  const detector = new OutlierDetector(outlier);
  const nodes = Array.from({ length: 6 }, () => detector.add());
  t.equal(detector.failed(nodes[0], 4, 0), false);
  detector.succeeded(nodes[0], 1, 0);
  t.equal(detector.failed(nodes[0], 4, 0), false, 'a reply in between');
  t.equal(detector.failed(nodes[0], 1, 0), true);
  t.equal(nodes[0].reason, '5 failures in a row');
  t.equal(detector.failed(nodes[1], 9, 0), true, 'two of six');
  t.equal(detector.failed(nodes[2], 9, 0), false, 'a third would be more than 0.34 of them');
  t.equal(detector.ejected, 2);
  detector.remove(nodes[0]);
  t.equal(detector.ejected, 1);
  const single = new OutlierDetector({ ...outlier, maxEjectedRatio: 0 });
  t.equal(single.failed(single.add(), 5, 0), true, 'one always may go');
});

t.test('outliers: time grows with each ejection, a probe comes before the return', async (t) => {
  const detector = new OutlierDetector(outlier);
  const node = detector.add();
  let nowMs = 0;
  const waits: number[] = [];
  detector.failed(node, 5, nowMs);
  for (let i = 0; i < 4; i++) {
    const fromMs = nowMs;
    t.equal(detector.wantsProbe(node, node.untilMs - 1), false);
    nowMs = node.untilMs;
    waits.push(nowMs - fromMs);
    t.equal(detector.wantsProbe(node, nowMs), true);
    t.equal(detector.wantsProbe(node, nowMs), false, 'one probe at a time');
    t.equal(detector.probed(node, false, nowMs), false);
  }
  t.same(waits, [1000, 2000, 3000, 3000]);
  nowMs = node.untilMs;
  detector.wantsProbe(node, nowMs);
  t.equal(detector.probed(node, true, nowMs), true);
  t.equal(node.isEjected, false);
  detector.failed(node, 5, nowMs + 1);
  t.equal(node.untilMs - nowMs - 1, 3000, 'again soon: as long as before');
  detector.wantsProbe(node, node.untilMs);
  nowMs = node.untilMs;
  detector.probed(node, true, nowMs);
  for (let i = 0; i < 60; i++) {
    nowMs += 1000;
    detector.sweep(nowMs);
  }
  t.equal(node.ejections, 0, 'quiet times are to its credit');
  detector.failed(node, 5, nowMs);
  t.equal(node.untilMs - nowMs, 1000);
});

t.test('outliers: the success rate is compared with that of the others', async (t) => {
  const worse = (others: number) => {
    const detector = new OutlierDetector({ ...outlier, consecutiveFailures: 1000 });
    const nodes = Array.from({ length: 5 }, () => detector.add());
    for (const [i, node] of nodes.entries()) {
      const failed = i === 2 ? 60 : others;
      detector.failed(node, failed, 100);
      detector.succeeded(node, 100 - failed, 100);
    }
    return detector.sweep(200).map((node) => nodes.indexOf(node));
  };
  t.same(worse(1), [2]);
  t.same(worse(45), [], 'all fare badly: nobody is singled out');
  const detector = new OutlierDetector(outlier);
  const node = detector.add();
  detector.failed(node, 3, 0);
  detector.succeeded(node, 2, 0);
  t.same(detector.sweep(1), [], 'too few to tell');
});

t.test('random outcomes: never more ejected than allowed, and all return', async (t) => {
  const random = seededRandom(5);
  const detector = new OutlierDetector(outlier);
  const nodes = Array.from({ length: 9 }, () => detector.add());
  let nowMs = 0;
  for (let i = 0; i < 20_000; i++) {
    nowMs += random.int(100);
    const node = nodes[random.int(9)];
    if (random.int(3) === 0) detector.failed(node, 1 + random.int(4), nowMs);
    else detector.succeeded(node, random.int(5), nowMs);
    if (random.int(10) === 0) detector.sweep(nowMs);
    if (detector.wantsProbe(node, nowMs)) detector.probed(node, random.int(2) === 0, nowMs);
    const ejected = nodes.filter(({ isEjected }) => isEjected).length;
    if (ejected > 3 || ejected !== detector.ejected) t.fail(`${ejected} of 9 are ejected`);
  }
  for (const node of nodes) {
    nowMs += 10_000;
    if (detector.wantsProbe(node, nowMs)) detector.probed(node, true, nowMs);
  }
  t.equal(detector.ejected, 0);
});

t.test('retries: a part of the requests of ten seconds, or a floor', async (t) => {
  const budget = new RetryBudget({ ratio: 0.2, minimumPerSecond: 1 });
  const takeAll = (nowMs: number) => {
    let taken = 0;
    while (budget.take(nowMs)) taken++;
    return taken;
  };
  t.equal(takeAll(0), 10, 'the floor');
  t.equal(budget.refused, 1);
  for (let i = 0; i < 1000; i++) budget.requested();
  t.equal(takeAll(1000), 190, 'the ratio, less what was taken');
  t.equal(takeAll(5000), 0);
  t.equal(takeAll(20_000), 10, 'requests are forgotten as well');
});

t.test('retries: in a storm they stay within the ratio', async (t) => {
  const budget = new RetryBudget({ ratio: 0.2, minimumPerSecond: 10 });
  let requests = 0;
  let retries = 0;
  for (let nowMs = 0; nowMs < 60_000; nowMs += 10) {
    for (let i = 0; i < 30; i++) budget.requested();
    requests += 30;
    for (let i = 0; i < 30; i++) if (budget.take(nowMs)) retries++;
  }
  t.ok(retries <= 0.2 * requests + 100, `${retries} of ${requests}`);
  t.ok(retries > 0.15 * requests, `${retries} of ${requests}`);
});

t.test('rates: so many a second, and one second saved up', async (t) => {
  const bucket = new TokenBucket(10, 0);
  const takeAll = (nowMs: number) => {
    let taken = 0;
    while (bucket.take(1, nowMs)) taken++;
    return taken;
  };
  t.equal(takeAll(0), 10);
  t.equal(takeAll(50), 0);
  t.equal(takeAll(350), 3);
  t.equal(takeAll(60_350), 10);
  t.equal(bucket.take(25, 62_000), true, 'more than it holds: from a full one');
  t.equal(bucket.take(1, 63_000), false, 'it is in debt');
  t.equal(takeAll(64_000), 5);
  const random = seededRandom(2);
  const fast = new TokenBucket(1000, 0);
  let passed = 0;
  let nowMs = 0;
  for (; nowMs < 20_000; nowMs += random.next()) if (fast.take(1, nowMs)) passed++;
  t.ok(passed <= 1000 + nowMs && passed >= nowMs - 1, `${passed} in ${nowMs} ms`);
});

t.test('rates: many identities, bounded memory', async (t) => {
  const rates = new IdentityRates(2, 100);
  for (let i = 0; i < 100; i++) t.equal(rates.take(`user ${i}`, 1, 0), true);
  t.equal(rates.size, 100);
  t.equal(rates.take('late', 2, 0), true, 'newcomers share one rate while all are busy');
  t.equal(rates.take('later', 1, 0), false);
  t.equal(rates.take('user 7', 1, 0), true, 'which is not that of the others');
  t.equal(rates.take('user 7', 1, 0), false);
  t.equal(rates.take('later', 1, 5000), true);
  t.equal(rates.size, 100);
  for (let i = 0; i < 10_000; i++) rates.take(`other ${i}`, 1, 10_000 + i);
  t.equal(rates.size, 100);
});

t.test('fan-out: keys by the size of their values', async (t) => {
  const window = new FanOutWindow({ maxBytes: 1024 * 1024, maxKeys: 1000 });
  t.equal(window.keysFor('a'), 1000);
  window.answered('a', 10, 10 * 4096);
  t.equal(window.keysFor('a'), 256, 'larger values are believed at once');
  t.equal(window.keysFor('b'), 1000);
  window.answered('a', 10, 10 * 1024 * 1024);
  t.equal(window.keysFor('a'), 64);
  for (let i = 0; i < 60; i++) window.answered('a', 100, 1000);
  t.equal(window.keysFor('a'), 1000, 'smaller ones slowly');
  window.answered('a', 0, 0);
  window.keep(new Set(['b']));
  t.equal(window.keysFor('a'), 1000);
});

t.test('a limit reached often is counted each time and logged now and then', async (t) => {
  const { log, lines } = keepingLogger();
  const limits = new LimitLog(log);
  for (let i = 0; i < 100; i++) limits.reached('proxy.limits.maxConnections', i, { client: '::1' });
  limits.reached('proxy.limits.maxSubscriptions', 100);
  limits.reached('proxy.limits.maxConnections', 20_000);
  t.same(limits.counts(), [
    { setting: 'proxy.limits.maxConnections', count: 101 },
    { setting: 'proxy.limits.maxSubscriptions', count: 1 },
  ]);
  t.same(
    lines.map(({ fields }) => fields),
    [
      { setting: 'proxy.limits.maxConnections', sinceLastLine: 0, client: '::1' },
      { setting: 'proxy.limits.maxSubscriptions', sinceLastLine: 0 },
      { setting: 'proxy.limits.maxConnections', sinceLastLine: 99 },
    ],
  );
  limits.reset();
  t.ok(limits.counts().every(({ count }) => count === 0));
});

t.test('a node: suspect until bytes come, its breaker opens by deadlines that pass', async (t) => {
  const { log, lines } = keepingLogger();
  const health = new Health(settings, seededRandom(1), log);
  const node = health.nodeHealth('127.0.0.1:1', 'a');
  t.equal(node.isTroubled, false);
  node.silent('nothing arrived for 250 ms');
  t.equal(node.isTroubled, true);
  node.heard(3);
  t.equal(node.isTroubled, false);
  node.timedOut(5, 10);
  t.equal(node.isEjected, true, 'reads that time out eject it');
  t.equal(node.breakerState, 'closed', 'and leave its breaker closed');
  node.expired(5, 20);
  t.equal(node.breakerState, 'open');
  t.equal(node.refuses(21), true);
  t.equal(node.breaker.refused, 1);
  t.equal(node.wantsProbe(30), false);
  for (const nowMs of [141, 142]) {
    t.equal(node.wantsProbe(nowMs), true);
    t.equal(node.wantsProbe(nowMs), false, 'one at a time');
    node.probed(true, nowMs);
  }
  t.equal(node.breakerState, 'closed');
  t.equal(node.isTroubled, true, 'still ejected');
  t.equal(node.wantsProbe(1010), true);
  node.probed(true, 1011);
  t.equal(node.isTroubled, false);
  t.equal(node.refuses(1012), false);
  t.same(
    lines.map(({ message }) => message),
    [
      'the node does not answer: reads go to a follower',
      'the node answers again',
      'the node is ejected: reads that another node may answer do not go to it',
      'the circuit breaker of the node is open',
      'the circuit breaker of the node is closed',
      'the node is no longer ejected: a probe went well',
    ],
  );
  t.match(lines[3].fields, { setting: 'proxy.resilience.breaker', reason: '5 failures in a row' });
  health.forget(node);
});

t.test('a node that is worse than the others is found by the sweep', async (t) => {
  const health = new Health(
    { ...settings, outlier: { ...outlier, consecutiveFailures: 1000 } },
    seededRandom(1),
    silentLogger,
  );
  const nodes = ['a', 'b', 'c'].map((shard) => health.nodeHealth('n', shard));
  for (const node of nodes) node.heard(100);
  nodes[1].timedOut(120, 500);
  health.tick(2000);
  t.same(
    nodes.map(({ isEjected }) => isEjected),
    [false, true, false],
  );
  health.forget(nodes[1]);
});
