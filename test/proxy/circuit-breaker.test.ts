import t from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { type BreakerOptions, CircuitBreaker, REFUSED, RollingCounts } from '../../proxy/health/index.ts';

const options: BreakerOptions = {
  consecutiveFailures: 3,
  failureRatio: 0.5,
  minimumOutcomes: 10,
  windowMs: 1000,
  openMs: 100,
  maxOpenMs: 400,
  probes: 2,
};

function breakerWith(changes: Partial<BreakerOptions> = {}) {
  const heard: string[] = [];
  const breaker = new CircuitBreaker({ ...options, ...changes }, seededRandom(7), (state, reason) =>
    heard.push(`${state}: ${reason}`),
  );
  return { breaker, heard };
}

/** Makes `count` attempts that fail. */
function fail(breaker: CircuitBreaker, count: number, nowMs: number): void {
  for (let i = 0; i < count; i++) breaker.failed(breaker.enter(nowMs), nowMs);
}

t.test('failures in a row open it; a success in between starts the count again', async (t) => {
  const { breaker, heard } = breakerWith();
  fail(breaker, 2, 0);
  breaker.succeeded(breaker.enter(1), 1);
  fail(breaker, 2, 2);
  t.equal(breaker.state, 'closed');
  fail(breaker, 1, 3);
  t.equal(breaker.state, 'open');
  t.same(heard, ['open: 3 failures in a row']);
  t.equal(breaker.enter(4), REFUSED);
  t.equal(breaker.refused, 1);
  t.equal(breaker.opened, 1);
});

t.test('the share of failures opens it, once there are enough outcomes, within the window', async (t) => {
  const { breaker, heard } = breakerWith({ consecutiveFailures: 100 });
  const outcome = (nowMs: number, isGood: boolean) => {
    const permit = breaker.enter(nowMs);
    if (isGood) breaker.succeeded(permit, nowMs);
    else breaker.failed(permit, nowMs);
  };
  for (let i = 0; i < 8; i++) outcome(i, i % 2 === 0);
  for (let i = 0; i < 8; i++) outcome(2000 + i, i % 2 === 0);
  t.equal(breaker.state, 'closed', 'those of the first window are forgotten');
  outcome(2008, true);
  outcome(2009, false);
  t.equal(breaker.state, 'open');
  t.same(heard, ['open: 5 of 10 attempts failed within 1000 ms']);
});

t.test('half-open: so many probes and no more; all must succeed', async (t) => {
  const { breaker, heard } = breakerWith();
  fail(breaker, 3, 0);
  const waitMs = breaker.retryAfterMs(0);
  t.ok(waitMs >= 100 && waitMs <= 120, `${waitMs} ms`);
  t.equal(breaker.enter(waitMs - 1), REFUSED);
  const first = breaker.enter(waitMs);
  const second = breaker.enter(waitMs);
  t.not(first, REFUSED);
  t.not(second, REFUSED);
  t.equal(breaker.enter(waitMs), REFUSED);
  breaker.succeeded(first, waitMs + 1);
  t.equal(breaker.state, 'half-open');
  t.equal(breaker.enter(waitMs + 1), REFUSED, 'two probes are two, also when one has passed');
  breaker.succeeded(second, waitMs + 2);
  t.equal(breaker.state, 'closed');
  t.same(heard.slice(1), ['half-open: it was open long enough', 'closed: the probes succeeded']);
});

t.test('a failed probe opens it for longer, up to a bound; a while closed forgets that', async (t) => {
  const { breaker } = breakerWith({ probes: 1 });
  let nowMs = 0;
  fail(breaker, 3, nowMs);
  const waits: number[] = [];
  for (let i = 0; i < 4; i++) {
    const waitMs = breaker.retryAfterMs(nowMs);
    waits.push(waitMs);
    nowMs += waitMs;
    fail(breaker, 1, nowMs);
  }
  for (const [i, atLeastMs] of [100, 200, 400, 400].entries())
    t.ok(waits[i] >= atLeastMs && waits[i] <= 1.2 * atLeastMs, `${waits[i]} ms`);
  nowMs += breaker.retryAfterMs(nowMs);
  breaker.succeeded(breaker.enter(nowMs), nowMs);
  fail(breaker, 3, nowMs + 999);
  t.ok(breaker.retryAfterMs(nowMs + 999) >= 400, 'it failed again soon');
  nowMs += 2000;
  breaker.succeeded(breaker.enter(nowMs), nowMs);
  fail(breaker, 3, nowMs + 1000);
  t.ok(breaker.retryAfterMs(nowMs + 1000) <= 120);
});

t.test('outcomes without permits: counted in bulk while it is closed', async (t) => {
  const { breaker, heard } = breakerWith();
  breaker.record(0, 2, 0);
  breaker.record(5, 0, 1);
  breaker.record(1, 2, 2);
  t.equal(breaker.state, 'closed', 'the success came before the two failures');
  breaker.record(0, 1, 3);
  t.same(heard, ['open: 3 failures in a row']);
  breaker.record(100, 100, 200);
  breaker.succeeded(breaker.enter(200), 200);
  t.equal(breaker.state, 'half-open', 'one of two probes has passed');
});

t.test('an abandoned probe makes room for another', async (t) => {
  const { breaker } = breakerWith({ probes: 1 });
  fail(breaker, 3, 0);
  const permit = breaker.enter(200);
  t.equal(breaker.enter(200), REFUSED);
  breaker.abandoned(permit);
  const again = breaker.enter(200);
  t.not(again, REFUSED);
  breaker.succeeded(again, 201);
  t.equal(breaker.state, 'closed');
});

t.test('outcomes of attempts from before a change of state change nothing', async (t) => {
  const { breaker } = breakerWith({ probes: 1 });
  const old = breaker.enter(0);
  fail(breaker, 3, 0);
  breaker.succeeded(old, 1);
  t.equal(breaker.state, 'open');
  const probe = breaker.enter(200);
  breaker.failed(old, 201);
  t.equal(breaker.state, 'half-open');
  breaker.succeeded(probe, 202);
  t.equal(breaker.state, 'closed');
  for (let i = 0; i < 5; i++) breaker.failed(probe, 203);
  t.equal(breaker.state, 'closed');
});

t.test('random outcomes: never more probes than allowed, never stuck', async (t) => {
  const random = seededRandom(11);
  const { breaker } = breakerWith({ probes: 3 });
  let out: number[] = [];
  let nowMs = 0;
  for (let i = 0; i < 20_000; i++) {
    nowMs += random.int(20);
    const before = breaker.state;
    const permit = breaker.enter(nowMs);
    if (before === 'half-open' && breaker.state !== before) t.fail('entering does not close it');
    if (permit !== REFUSED) out.push(permit);
    if (breaker.state === 'half-open') {
      const probes = out.filter((one) => one === Math.max(...out)).length;
      if (probes > 3) t.fail(`${probes} probes at once`);
    }
    if (random.int(2) === 0) continue;
    for (const one of out) {
      const dice = random.int(10);
      if (dice < 5) breaker.succeeded(one, nowMs);
      else if (dice < 8) breaker.failed(one, nowMs);
      else breaker.abandoned(one);
    }
    out = [];
  }
  for (const one of out) breaker.abandoned(one);
  t.ok(breaker.opened > 50, `${breaker.opened} times`);
  for (let i = 0; i < 100 && breaker.state !== 'closed'; i++) {
    nowMs += 500;
    const permit = breaker.enter(nowMs);
    if (permit !== REFUSED) breaker.succeeded(permit, nowMs);
  }
  t.equal(breaker.state, 'closed');
});

t.test('rolling counts are those of the window, to a tenth of it', async (t) => {
  const random = seededRandom(3);
  const counts = new RollingCounts(1000);
  const events: { atMs: number; good: number; bad: number }[] = [];
  let nowMs = 0;
  for (let i = 0; i < 5000; i++) {
    nowMs += random.int(40) === 0 ? random.int(3000) : random.int(30);
    const event = { atMs: nowMs, good: random.int(3), bad: random.int(3) };
    events.push(event);
    counts.add(nowMs, event.good, event.bad);
    const fromMs = (Math.floor(nowMs / 100) - 9) * 100;
    const inside = events.slice(-1100).filter(({ atMs }) => atMs >= fromMs);
    t.equal(
      counts.successes(nowMs),
      inside.reduce((sum, { good }) => sum + good, 0),
      `at ${nowMs}`,
    );
    t.equal(
      counts.failures(nowMs),
      inside.reduce((sum, { bad }) => sum + bad, 0),
    );
  }
  t.equal(counts.failures(nowMs + 5000), 0);
  t.throws(() => new RollingCounts(0), RangeError);
});
