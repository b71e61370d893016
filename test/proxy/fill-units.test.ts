import t from 'tap';
import { RingsideError, seededRandom } from '../../lib/base/index.ts';
import { EarlyRefresh } from '../../proxy/fill/early-refresh.ts';
import { Fill, type FillOutcome } from '../../proxy/fill/fill.ts';
import { leaseReplyOf } from '../../proxy/fill/lease-reply.ts';
import { lifetimeOf } from '../../proxy/fill/lifetime.ts';
import { OriginUrl } from '../../proxy/fill/origin-url.ts';
import { Turnstile } from '../../proxy/fill/turnstile.ts';

t.test('a key becomes a part of a URL that no server takes for anything else', async (t) => {
  const url = new OriginUrl('http://127.0.0.1:8080/fill/{key}?all=1');
  t.equal(url.server, 'http://127.0.0.1:8080');
  const path = (key: string | Buffer) => url.pathOf(Buffer.from(key as string));
  t.equal(path('user:1'), '/fill/user%3A1?all=1');
  t.equal(path('a/../b?c#d %'), '/fill/a%2F..%2Fb%3Fc%23d%20%25?all=1');
  t.equal(path('ü-_.~'), '/fill/%C3%BC-_.~?all=1');
  t.equal(path(Buffer.from([0, 10, 255])), '/fill/%00%0A%FF?all=1');
  t.equal(path(''), '/fill/?all=1');
  t.equal(path('...'), '/fill/...?all=1');
  for (const step of ['.', '..']) t.equal(path(step), null, step);
  const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const coded = url.pathOf(every)!.slice('/fill/'.length, -'?all=1'.length);
  t.match(coded, /^[A-Za-z0-9\-_.~%]+$/);
  t.same(
    Buffer.from(
      coded.replace(/%(..)/g, (_, hex) => String.fromCharCode(parseInt(hex, 16))),
      'latin1',
    ),
    every,
  );
});

t.test('the lifetime of a value is what its origin says, else what the configuration does', async (t) => {
  const none = { ttlSeconds: null, softTtlSeconds: null };
  const some = { ttlSeconds: 100, softTtlSeconds: 30 };
  const kept = (ttlMs: number | null, softTtlMs: number | null = null) => ({
    isStorable: true,
    ttlMs,
    softTtlMs,
  });
  const control = (text: string, more = {}) => ({ 'cache-control': text, ...more });
  t.same(lifetimeOf({}, none), kept(null));
  t.same(lifetimeOf({}, some), kept(100_000, 30_000));
  t.same(lifetimeOf(control('public, max-age=60'), none), kept(60_000));
  t.same(lifetimeOf(control('max-age=60'), some), kept(60_000, 30_000));
  t.same(
    lifetimeOf(control('max-age=20'), some),
    kept(20_000),
    'a soft time that is no shorter has no effect',
  );
  t.same(lifetimeOf(control('Max-Age="60", s-maxage=10'), none), kept(10_000), 'shared caches first');
  t.same(lifetimeOf(control('max-age=60', { age: '15' }), none), kept(45_000));
  t.same(lifetimeOf(control('max-age=60, stale-while-revalidate=30'), some), kept(90_000, 60_000));
  t.same(lifetimeOf(control('max-age=0, stale-while-revalidate=30'), none), kept(30_000, 0));
  t.same(lifetimeOf({ 'x-ttl-seconds': '5', 'cache-control': 'max-age=60' }, some), kept(5000));
  t.same(lifetimeOf({ 'x-ttl-seconds': '5', 'x-soft-ttl-seconds': '1.5' }, none), kept(5000, 1500));
  t.same(lifetimeOf({ 'x-soft-ttl-seconds': '7' }, none), kept(null, 7000));
  for (const refusal of ['no-store', 'private', 'max-age=60, no-cache', 'max-age=0'])
    t.notOk(lifetimeOf(control(refusal), some).isStorable, refusal);
  t.notOk(lifetimeOf(control('max-age=60', { age: '60' }), some).isStorable, 'as old as it may be');
  t.notOk(lifetimeOf({ 'x-ttl-seconds': '0' }, some).isStorable);
  for (const nonsense of ['x', '-1', '1e3', '', '9'.repeat(30)])
    t.same(
      lifetimeOf({ 'x-ttl-seconds': nonsense, ...control(`max-age=${nonsense}`) }, some),
      kept(100_000, 30_000),
    );
});

t.test('early refreshes are rare far from the end, and near it they are sure', async (t) => {
  const random = seededRandom(7);
  const early = new EarlyRefresh(1);
  t.equal(early.windowMs(0.9), 0, 'nothing is known of the origin yet');
  early.learn(100);
  const share = (leftMs: number) => {
    let refreshed = 0;
    for (let i = 0; i < 20_000; i++) if (leftMs < early.windowMs(random.next())) refreshed++;
    return refreshed / 20_000;
  };
  // P(-ln(1 - u) x 100 > left) = e^(-left / 100).
  for (const leftMs of [0, 50, 100, 300, 1000])
    t.ok(
      Math.abs(share(leftMs) - Math.exp(-leftMs / 100)) < 0.02,
      `${leftMs} ms before the end: ${share(leftMs)}`,
    );
  for (let i = 0; i < 100; i++) early.learn(400);
  t.ok(Math.abs(share(400) - Math.exp(-1)) < 0.02, 'the duration follows the origin');
  t.equal(new EarlyRefresh(0).windowMs(0.999), 0);
});

t.test(
  'a turnstile lets in as many as it may, in order, and turns away who finds the queue full',
  async (t) => {
    const turnstile = new Turnstile(2, 2);
    const log: string[] = [];
    const enter = async (name: string) => void log.push(`${name} ${await turnstile.enter()}`);
    const all = ['a', 'b', 'c', 'd', 'e'].map(enter);
    await Promise.all([all[0], all[1], all[4]]);
    t.same(log, ['a true', 'b true', 'e false']);
    t.same([turnstile.inside, turnstile.waiting], [2, 2]);
    turnstile.leave();
    await all[2];
    turnstile.leave();
    await all[3];
    t.same(log.slice(3), ['c true', 'd true']);
    turnstile.leave();
    turnstile.leave();
    t.same([turnstile.inside, turnstile.waiting], [0, 0]);
    const none = new Turnstile(1, 0);
    t.ok(await none.enter());
    t.notOk(await none.enter());
  },
);

t.test('all who wait for a fill are told the same, those whose time is over before', async (t) => {
  const fill = new Fill();
  const told: string[] = [];
  const waiter = (name: string) => ({
    filled: (outcome: FillOutcome) => void told.push(`${name} ${outcome.kind}`),
  });
  const tooLate: FillOutcome = { kind: 'failed', error: new RingsideError('timeout', 'x') };
  fill.join(waiter('a'), 10);
  fill.join(waiter('b'), 30);
  fill.join(waiter('c'), 20);
  t.equal(fill.expire(9, tooLate), 0);
  t.equal(fill.expire(20, tooLate), 2);
  t.same(told, ['a failed', 'c failed']);
  fill.settle({ kind: 'absent' });
  fill.settle(tooLate);
  fill.join(waiter('d'), 40);
  t.same(told.slice(2), ['b absent', 'd absent']);
  t.equal(fill.expire(100, tooLate), 0);
  t.equal(fill.waiting, 0);
});

t.test('what RS.GET answers is read in both versions of RESP', async (t) => {
  const hit = '*8\r\n$2\r\n42\r\n:7\r\n:5000\r\n:-1\r\n$3\r\nhit\r\n';
  for (const nothing of ['$-1\r\n', '_\r\n']) {
    const bytes = Buffer.from(`xx${hit}${nothing}:0\r\n$5\r\nvalue\r\n`);
    const found = leaseReplyOf(bytes, 2);
    t.match(found, { state: 'hit', ttlMs: 5000, token: null, leaseMs: 0 });
    t.equal(bytes.latin1Slice(found.valueAt), '$5\r\nvalue\r\n');
    const miss = Buffer.from(
      `*8\r\n$1\r\n0\r\n:0\r\n:-2\r\n:-2\r\n$4\r\nmiss\r\n$4\r\nabcd\r\n:6000\r\n${nothing}`,
    );
    t.match(leaseReplyOf(miss, 0), { state: 'miss', ttlMs: -2, token: 'abcd', leaseMs: 6000 });
  }
});
