import grpc from '@grpc/grpc-js';
import type { Test } from 'tap';
import { caller, failure, packages } from './grpc-contract.ts';

const CALLERS = 20;

// biome-ignore lint/suspicious/noExplicitAny: clients made at run time
type Loose = any;

/** What only Ringside's nodes can do, as docs/grpc.md says it, through two proxies over the same nodes. Keys begin with `gcache:`. */
export function grpcCacheContract(t: Test, addressesOf: () => readonly [string, string]): void {
  const clients: Loose[] = [];
  let call!: ReturnType<typeof caller>;
  let other!: ReturnType<typeof caller>;
  t.before(() => {
    clients.push(
      ...addressesOf().map(
        (address) => new packages.ringside.v1.Cache(address, grpc.credentials.createInsecure()),
      ),
    );
    [call, other] = clients.map(caller);
  });
  t.teardown(() => {
    for (const client of clients) client.close();
  });
  const bytes = (text: string) => Buffer.from(`gcache:${text}`);
  const value = Buffer.from('x');
  const fails = async (t: Test, request: Promise<unknown>, status: string, code: string) =>
    t.same((await failure(request)).slice(0, 2), [status, code]);

  t.test('versions and conditions', async (t) => {
    const key = bytes('v');
    await fails(t, call('put', { key, onlyIfPresent: true }), 'FAILED_PRECONDITION', 'precondition_failed');
    const { version } = await call('put', { key, value });
    t.match(await call('get', { key }), { found: true, value, version, stale: false, notModified: false });
    t.match(await call('get', { key, unlessVersion: version }), {
      found: true,
      value: Buffer.alloc(0),
      version,
      notModified: true,
    });
    t.match(await call('get', { key, unlessVersion: 1 }), { value, notModified: false });
    const next = await call('put', { key, value, ifVersion: version });
    t.ok(BigInt(next.version) > BigInt(version));
    await fails(t, call('put', { key, ifVersion: version }), 'FAILED_PRECONDITION', 'precondition_failed');
    await fails(t, call('delete', { key, ifVersion: version }), 'FAILED_PRECONDITION', 'precondition_failed');
    t.match(await call('put', { key, onlyIfAbsent: true }), { stored: false, created: false, version: '0' });
    t.match(await call('put', { key, value, onlyIfPresent: true, ttlMs: 60_000 }), { stored: true });
    const { results } = await call('multiGet', { keys: [key, bytes('none')] });
    t.match(results, [
      { found: true, version: /^[1-9]/, ttlMs: /^[1-9]/ },
      { found: false, version: '0', ttlMs: '0' },
    ]);
    const sum = await call('increment', { key: bytes('n'), by: 2 });
    t.match(await call('get', { key: bytes('n') }), { version: sum.version });
    await fails(
      t,
      call('increment', { key: bytes('n'), ifVersion: 1 }),
      'FAILED_PRECONDITION',
      'precondition_failed',
    );
    t.match(await call('delete', { key, ifVersion: results[0].version }), { deleted: true });
  });

  t.test('leases and soft lifetimes', async (t) => {
    const key = bytes('lease');
    const misses: { leaseToken: string; leaseMs: string }[] = await Promise.all(
      Array.from({ length: CALLERS }, (_, i) => (i % 2 === 0 ? call : other)('get', { key, lease: true })),
    );
    const [leaseToken, ...more] = misses.map((miss) => miss.leaseToken).filter((token) => token !== '');
    t.same(more, []);
    t.ok(misses.every(({ leaseMs }) => Number(leaseMs) > 5000));
    await fails(t, call('put', { key, leaseToken: 'another' }), 'ABORTED', 'lease_void');
    t.match(await other('put', { key, value, leaseToken, softTtlMs: 1 }), { stored: true, created: true });
    let stale = await call('get', { key, lease: true });
    while (!stale.stale) stale = await call('get', { key, lease: true });
    t.match(stale, { found: true, value, leaseToken: /^\w+$/ });
    t.match(await call('put', { key, value, softTtlMs: 60_000, leaseToken: stale.leaseToken }), {
      stored: true,
    });
    t.match(await call('get', { key, lease: true }), {
      stale: false,
      leaseToken: '',
      leaseMs: '0',
      softTtlMs: /^[1-9]/,
    });
  });

  t.test('fences', async (t) => {
    const key = bytes('fence');
    t.match(await call('put', { key, fencingToken: 7 }), { stored: true });
    await fails(t, other('put', { key, fencingToken: 6 }), 'FAILED_PRECONDITION', 'fenced');
    const fenceName = Buffer.from([0xff, 0]);
    t.match(await call('increment', { key: bytes('fence:n'), by: 1, fencingToken: 2, fenceName }), {
      value: '1',
    });
    await fails(
      t,
      call('delete', { key: bytes('fence:n'), fencingToken: 1, fenceName }),
      'FAILED_PRECONDITION',
      'fenced',
    );
  });

  t.test('idempotency keys', async (t) => {
    const key = bytes('idem');
    const first = await call('put', { key, value, idempotencyKey: 'k' });
    await call('put', { key, value: Buffer.from('since') });
    t.same(await other('put', { key, value, idempotencyKey: 'k' }), first);
    t.match(await call('get', { key }), { value: Buffer.from('since') });
    await fails(
      t,
      call('put', { key, value, ttlMs: 5000, idempotencyKey: 'k' }),
      'INVALID_ARGUMENT',
      'idempotency_key_reused',
    );
    await fails(
      t,
      call('delete', { key, idempotencyKey: 'k' }),
      'INVALID_ARGUMENT',
      'idempotency_key_reused',
    );
    const n = bytes('idem:n');
    const sums = await Promise.all(
      Array.from({ length: CALLERS }, (_, i) =>
        (i % 2 === 0 ? call : other)('increment', { key: n, by: 3, idempotencyKey: 'once' }),
      ),
    );
    t.same(sums, Array(CALLERS).fill(sums[0]));
    t.match(await call('get', { key: n }), { value: Buffer.from('3'), version: sums[0].version });
    for (let i = 0; i < 2; i++)
      t.match(await call('delete', { key: n, idempotencyKey: 'd' }), { deleted: true });
  });
}

/** What an engine that is Redis lacks is said, and never ignored. */
export function plainEngineGrpc(t: Test, addressOf: () => string): void {
  t.test('what engine redis lacks', async (t) => {
    const client = new packages.ringside.v1.Cache(addressOf(), grpc.credentials.createInsecure());
    t.teardown(() => client.close());
    const call = caller(client);
    const key = Buffer.from('gcache:plain');
    await call('put', { key, value: key });
    t.match(await call('get', { key }), { found: true, value: key, version: '0' });
    for (const [method, request] of [
      ['get', { lease: true }],
      ['get', { unlessVersion: 1 }],
      ['put', { softTtlMs: 1 }],
      ['put', { ifVersion: 1 }],
      ['put', { fencingToken: 1 }],
      ['put', { leaseToken: 'a' }],
      ['put', { idempotencyKey: 'a' }],
      ['delete', { ifVersion: 1 }],
      ['increment', { fencingToken: 1 }],
    ] as const) {
      const [status, code, message] = await failure(call(method, { key, ...request }));
      t.same([status, code], ['UNIMPLEMENTED', 'not_implemented'], JSON.stringify(request));
      t.match(message, /not supported by engine redis$/);
    }
    t.match(await call('put', { key, value: key, onlyIfPresent: true }), { stored: true, version: '0' });
  });
}
