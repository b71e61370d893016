import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { Test } from 'tap';
import {
  cacheProto,
  coordinationProto,
  healthProto,
  protoLoaderOptions,
} from '../../lib/codec/proto/index.ts';

const run = promisify(execFile);

// biome-ignore lint/suspicious/noExplicitAny: clients made at run time
type Loose = any;

export const packages: Loose = grpc.loadPackageDefinition(
  loadSync([cacheProto, coordinationProto, healthProto], { ...protoLoaderOptions }),
);

/** Calls one unary method; rejects with the ServiceError. */
export function caller(client: Loose) {
  return (method: string, request: object, metadata = new grpc.Metadata()): Promise<Loose> =>
    new Promise((resolve, reject) => {
      client[method](request, metadata, (error: grpc.ServiceError | null, response: Loose) =>
        error ? reject(error) : resolve(response),
      );
    });
}

/** What a call fails with: the status name, and Ringside's code from the metadata. */
export async function failure(
  call: Promise<unknown>,
): Promise<[status: string, code: string, message: string]> {
  const error = (await call.then(
    () => {
      throw new Error('the call should have failed');
    },
    (reason) => reason,
  )) as grpc.ServiceError;
  return [grpc.status[error.code], String(error.metadata?.get('ringside-code')[0] ?? ''), error.details];
}

/** docs/grpc.md, on whatever serves it at `address`. Keys begin with `grpc:`; `tags`: whether there are any. */
export function grpcContract(t: Test, addressOf: () => string, { tags = true } = {}): void {
  let client: Loose;
  let call: ReturnType<typeof caller>;
  t.before(() => {
    client = new packages.ringside.v1.Cache(addressOf(), grpc.credentials.createInsecure(), {
      'grpc.max_receive_message_length': -1,
    });
    call = caller(client);
  });
  t.teardown(() => client?.close());
  const bytes = (text: string) => Buffer.from(text);
  const failsWith = async (t: Test, method: string, request: object, status: string, code: string) => {
    t.same((await failure(call(method, request))).slice(0, 2), [status, code], JSON.stringify(request));
  };

  t.test('a value comes back as it was written', async (t) => {
    const key = Buffer.from([...bytes('grpc:'), 0xff, 0, 10]);
    const value = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    t.match(await call('get', { key }), { found: false });
    t.match(await call('put', { key, value }), { stored: true, created: true });
    t.match(await call('put', { key, value }), { stored: true, created: false });
    t.match(await call('get', { key }), { found: true, value, ttlMs: '0', possiblyStale: false });
    t.same(await call('delete', { key }), { deleted: true });
    t.same(await call('delete', { key }), { deleted: false });
    await call('put', { key, value: Buffer.alloc(0) });
    t.match(await call('get', { key }), { found: true, value: Buffer.alloc(0) });
    const big = Buffer.alloc(5_000_000, 'b');
    await call('put', { key, value: big });
    t.ok((await call('get', { key })).value.equals(big));
    await failsWith(t, 'get', {}, 'INVALID_ARGUMENT', 'bad_request');
    await failsWith(t, 'put', { value }, 'INVALID_ARGUMENT', 'bad_request');
  });

  t.test('lifetimes and only_if_absent', async (t) => {
    const key = bytes('grpc:ttl');
    await call('put', { key, value: bytes('x'), ttlMs: 60_000 });
    const ttlMs = Number((await call('get', { key })).ttlMs);
    t.ok(ttlMs > 50_000 && ttlMs <= 60_000, `remaining ${ttlMs}`);
    t.match(await call('put', { key, value: bytes('y'), onlyIfAbsent: true }), {
      stored: false,
      created: false,
    });
    t.match(await call('get', { key }), { value: bytes('x') });
    await failsWith(t, 'put', { key, ttlMs: -1 }, 'INVALID_ARGUMENT', 'bad_request');
    await failsWith(t, 'put', { key, ttlMs: '9223372036854775807' }, 'INVALID_ARGUMENT', 'bad_request');
  });

  t.test('Increment', async (t) => {
    const key = bytes('grpc:n');
    t.match(await call('increment', { key, by: 5 }), { value: '5' });
    t.match(await call('increment', { key, by: '9223372036854775802' }), { value: '9223372036854775807' });
    t.match(await call('increment', { key, by: '-9223372036854775808' }), { value: '-1' });
    t.match(await call('increment', { key }), { value: '-1' });
    await call('put', { key, value: bytes('text') });
    await failsWith(t, 'increment', { key, by: 1 }, 'FAILED_PRECONDITION', 'not_an_integer');
  });

  t.test('MultiGet: each key for itself', async (t) => {
    await call('put', { key: bytes('grpc:m'), value: bytes('1') });
    const keys = [bytes('grpc:m'), bytes('grpc:none'), bytes('grpc:m')];
    const { results } = await call('multiGet', { keys });
    t.match(results, [{ found: true, value: bytes('1') }, { found: false }, { found: true }]);
    const many = Array.from({ length: 10_000 }, (_, i) => bytes(`grpc:many:${i}`));
    t.equal((await call('multiGet', { keys: many })).results.length, 10_000);
    t.same(await failure(call('multiGet', { keys: [...many, ...many] })), [
      'INVALID_ARGUMENT',
      'bad_request',
      '`keys` is not a list of 1 to 10000 keys',
    ]);
    await failsWith(t, 'multiGet', { keys: [bytes('')] }, 'INVALID_ARGUMENT', 'bad_request');
  });

  t.test('purges', async (t) => {
    const keys = Array.from({ length: 30 }, (_, i) => bytes(`grpc:purge:${i}`));
    const found = async () => {
      const { results } = await call('multiGet', { keys });
      return results.filter((result: { found: boolean }) => result.found).length;
    };
    for (const key of keys) await call('put', { key, value: key });
    t.same(await call('purge', { keys: keys.slice(0, 10) }), {});
    t.equal(await found(), 20);
    await failsWith(t, 'purge', {}, 'INVALID_ARGUMENT', 'bad_request');
    await failsWith(t, 'purge', { keys: [bytes('')] }, 'INVALID_ARGUMENT', 'bad_request');
    await failsWith(t, 'purge', { prefixes: [bytes('')] }, 'INVALID_ARGUMENT', 'bad_request');
    const many = Array.from({ length: 65 }, String);
    await failsWith(t, 'put', { key: keys[0], tags: many }, 'INVALID_ARGUMENT', 'bad_request');
    if (!tags) {
      await failsWith(t, 'put', { key: keys[0], tags: ['a'] }, 'UNIMPLEMENTED', 'not_implemented');
      await failsWith(t, 'purge', { tags: ['a'] }, 'UNIMPLEMENTED', 'not_implemented');
      await failsWith(t, 'purge', { prefixes: keys }, 'INVALID_ARGUMENT', 'bad_request');
      return;
    }
    for (const key of keys.slice(0, 15)) await call('put', { key, value: key, tags: ['grün', 'b'] });
    const again = { key: keys[0], value: keys[0], tags: ['c'], onlyIfAbsent: true };
    t.match(await call('put', again), { stored: false, created: false });
    t.same(await call('purge', { tags: ['grün'] }), {});
    t.equal(await found(), 15);
    t.match(await call('put', again), { stored: true, created: true });
    await call('purge', { tags: ['c'], prefixes: [bytes('grpc:purge:2')] });
    t.equal(await found(), 5);
  });

  t.test('what makes no sense', async (t) => {
    const key = bytes('grpc:wrong');
    for (const [field, message] of [
      [{ softTtlMs: -1 }, '`soft_ttl_ms` is not a number of milliseconds from 0 to 1000000000000000'],
      [{ fenceName: key }, '`fence_name` comes without `fencing_token`'],
      [{ fencingToken: 1, fenceName: Buffer.alloc(513) }, /`fence_name`, .* has more than 512 bytes/],
      [{ idempotencyKey: 'x'.repeat(256) }, '`idempotency_key` has more than 255 bytes'],
      [{ onlyIfAbsent: true, ifVersion: 1 }, /^only one of /],
      [{ onlyIfAbsent: true, onlyIfPresent: true }, /^only one of /],
    ] as const)
      t.match(await failure(call('put', { key, ...field })), ['INVALID_ARGUMENT', 'bad_request', message]);
    t.match(await call('get', { key }), { found: false });
  });

  t.test('what comes later says so', async (t) => {
    const coordination = new packages.ringside.v1.Coordination(
      addressOf(),
      grpc.credentials.createInsecure(),
    );
    t.teardown(() => coordination.close());
    const [status, , message] = await failure(caller(coordination)('openSession', {}));
    t.same([status, message], ['UNIMPLEMENTED', 'not implemented: OpenSession comes in a later release']);
    for (const stream of [coordination.keepAlive(), coordination.observe({})]) {
      const error = await new Promise<grpc.ServiceError>((resolve) => stream.on('error', resolve).resume());
      t.equal(error.code, grpc.status.UNIMPLEMENTED);
      t.match(error.details, /later release/);
    }
  });

  t.test('health', async (t) => {
    const health = new packages.grpc.health.v1.Health(addressOf(), grpc.credentials.createInsecure());
    t.teardown(() => health.close());
    for (const service of ['', 'ringside.v1.Cache']) {
      t.same(await caller(health)('check', { service }), { status: 'SERVING' });
    }
  });

  const grpcurl = (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'grpcurl'))
    .find(existsSync);
  t.test('grpcurl, by reflection', { skip: grpcurl ? false : 'no grpcurl here' }, async (t) => {
    const curl = async (...args: string[]) => (await run(grpcurl as string, ['-plaintext', ...args])).stdout;
    const services = await curl(addressOf(), 'list');
    for (const service of ['ringside.v1.Cache', 'ringside.v1.Coordination', 'grpc.health.v1.Health']) {
      t.match(services, service);
    }
    t.match(await curl(addressOf(), 'describe', 'ringside.v1.Cache'), 'rpc Get ( .ringside.v1.GetRequest )');
    t.match(await curl(addressOf(), 'describe', 'ringside.v1.PutRequest'), 'bytes value = 2;');
    t.match(await curl(addressOf(), 'describe', 'ringside.v1.Coordination'), 'stream .ringside.v1.KeepAlive');
    const key = bytes('grpc:curl').toString('base64');
    const put = JSON.stringify({ key, value: bytes('seen').toString('base64') });
    t.match(JSON.parse(await curl('-d', put, addressOf(), 'ringside.v1.Cache/Put')), { stored: true });
    const got = await curl('-d', JSON.stringify({ key }), addressOf(), 'ringside.v1.Cache/Get');
    t.match(JSON.parse(got), { found: true, value: bytes('seen').toString('base64') });
    t.match(await curl(addressOf(), 'grpc.health.v1.Health/Check'), 'SERVING');
  });
}
