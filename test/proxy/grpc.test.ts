import http2 from 'node:http2';
import net from 'node:net';
import { gzipSync } from 'node:zlib';
import grpc from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import type { ProxyConfig } from '../../lib/config/index.ts';
import { startGrpcListener } from '../../proxy/grpc/index.ts';
import { foundValue, MemoryApi } from '../support/memory-api.ts';
import { listenerOptions, quietDeps } from '../support/proxy-limits.ts';
import { until } from '../support/until.ts';
import { caller, failure, grpcContract, packages } from './grpc-contract.ts';

async function start(
  t: Test,
  limits: Partial<ProxyConfig['limits']> = {},
  { password, api = new MemoryApi() }: { password?: string; api?: MemoryApi } = {},
) {
  const listener = await startGrpcListener({ ...listenerOptions(limits), password }, api, quietDeps);
  const client = new packages.ringside.v1.Cache(listener.address, grpc.credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1,
  });
  t.teardown(async () => {
    client.close();
    await listener.close(0);
  });
  return { api, listener, client, call: caller(client) };
}

/** An HTTP/2 session of its own, to send what no gRPC client would. */
function session(t: Test, address: string) {
  const session = http2.connect(`http://${address}`);
  session.on('error', () => {});
  t.teardown(() => session.destroy());
  return {
    session,
    begin(path: string, headers: http2.OutgoingHttpHeaders = {}) {
      const stream = session.request({
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/grpc',
        te: 'trailers',
        ...headers,
      });
      const seen = { stream, status: '', closed: false };
      stream.on('response', (head) => {
        seen.status = String(head['grpc-status'] ?? '');
      });
      stream.on('trailers', (head) => {
        seen.status = String(head['grpc-status']);
      });
      stream.on('close', () => {
        seen.closed = true;
      });
      stream.on('error', () => {});
      stream.resume();
      return seen;
    },
  };
}

function frame(message: Buffer, { compressed = 0, length = message.length } = {}): Buffer {
  const head = Buffer.alloc(5);
  head[0] = compressed;
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, message]);
}

function putRequest(key: string, value: Buffer): Buffer {
  return packages.ringside.v1.Cache.service.Put.requestSerialize({ key: Buffer.from(key), value });
}

t.test('over an API in memory', async (t) => {
  let address = '';
  t.before(async () => {
    const listener = await startGrpcListener(listenerOptions(), new MemoryApi(), quietDeps);
    address = listener.address;
    t.teardown(() => listener.close(0));
  });
  grpcContract(t, () => address);
});

t.test('errors of the data path, by the catalogue', async (t) => {
  const { call } = await start(t);
  for (const [code, status] of [
    ['write_unknown', 'DEADLINE_EXCEEDED'],
    ['no_replicas', 'UNAVAILABLE'],
    ['overloaded', 'RESOURCE_EXHAUSTED'],
    ['shard_down', 'UNAVAILABLE'],
  ]) {
    const failed = call('put', { key: Buffer.from(`fail:${code}`) });
    t.same(await failure(failed), [status, code, `asked to fail with ${code}`]);
    const { metadata } = await failed.catch((error) => error);
    const details = String(metadata.get('grpc-status-details-bin')[0]);
    t.match(details, new RegExp(`google\\.rpc\\.ErrorInfo.*${code}.*ringside`, 's'));
  }
  const { results } = await call('multiGet', { keys: [Buffer.from('fail:shard_down'), Buffer.from('a')] });
  t.match(results[0], { found: false, error: { code: 'shard_down', message: /asked to fail/ } });
  t.match(results[1], { found: false, error: null });
});

t.test('a defect is INTERNAL without its text, and a possibly stale read says so', async (t) => {
  const { call, api } = await start(t);
  api.delete = () => Promise.reject(new TypeError('secret detail'));
  const [status, code, message] = await failure(call('delete', { key: Buffer.from('a') }));
  t.same([status, code], ['INTERNAL', 'internal']);
  t.notMatch(message, /secret/);
  await call('put', { key: Buffer.from('stale:a') });
  t.match(await call('get', { key: Buffer.from('stale:a') }), { found: true, possiblyStale: true });
});

t.test('a password is asked for, but not for health', async (t) => {
  const { call, listener } = await start(t, {}, { password: 'secret' });
  const metadata = (authorization: string) => {
    const made = new grpc.Metadata();
    made.set('authorization', authorization);
    return made;
  };
  const key = Buffer.from('a');
  t.same((await failure(call('get', { key }))).slice(0, 2), ['UNAUTHENTICATED', 'unauthorized']);
  t.equal((await failure(call('get', { key }, metadata('Bearer wrong'))))[0], 'UNAUTHENTICATED');
  t.match(await call('get', { key }, metadata('Bearer secret')), { found: false });
  const health = new packages.grpc.health.v1.Health(listener.address, grpc.credentials.createInsecure());
  t.teardown(() => health.close());
  t.same(await caller(health)('check', {}), { status: 'SERVING' });
});

t.test('messages over the limit', async (t) => {
  const { call, listener } = await start(t, { maxHttpBodyBytes: 100_000 });
  const tooLong = failure(call('put', { key: Buffer.from('a'), value: Buffer.alloc(200_000) }));
  t.equal((await tooLong)[0], 'RESOURCE_EXHAUSTED');
  t.match(await call('put', { key: Buffer.from('a'), value: Buffer.alloc(90_000) }), {
    stored: true,
    created: true,
  });
  const { begin } = session(t, listener.address);
  const declared = begin('/ringside.v1.Cache/Put');
  declared.stream.write(frame(Buffer.alloc(10), { length: 0xffffffff }));
  await until('it is refused at its head', () => declared.status === '8');
  const bomb = begin('/ringside.v1.Cache/Put', { 'grpc-encoding': 'gzip' });
  bomb.stream.end(frame(gzipSync(putRequest('bomb', Buffer.alloc(90_000))), { compressed: 1 }));
  await until('compression is refused', () => bomb.status === '12');
});

t.test('requests of all clients together are bounded, and so is their time', async (t) => {
  const { call, listener } = await start(t, {
    maxHttpBodyBytes: 1_000_000,
    maxApiBytes: 1_500_000,
    headerTimeoutMs: 5000,
  });
  const half = Buffer.alloc(900_000);
  const { begin } = session(t, listener.address);
  const slow = begin('/ringside.v1.Cache/Put');
  slow.stream.write(frame(half, { length: 1_000_000 }));
  await until('its part has left', () => slow.stream.writableLength === 0);
  const probe = () =>
    call('put', { key: Buffer.from('probe'), value: half }).then(
      () => 'OK',
      (error) => error.details,
    );
  await until('a second one does not fit', async () => /proxy\.limits\.maxApiBytes/.test(await probe()));
  t.match(await call('get', { key: Buffer.from('none') }), { found: false }, 'others go on');
  const drip = setInterval(() => slow.stream.write(Buffer.alloc(1)), 50);
  t.teardown(() => clearInterval(drip));
  await until('the slow one is cut off', () => slow.closed);
  t.equal(slow.status, String(grpc.status.DEADLINE_EXCEEDED));
  await until('its bytes are given back', async () => (await probe()) === 'OK');
});

t.test('answers that are not read are bounded and given up', async (t) => {
  const { call, listener, api } = await start(t, { maxApiBytes: 100_000_000, headerTimeoutMs: 5000 });
  const value = Buffer.alloc(40_000_000);
  api.values.set(Buffer.from('big').toString('hex'), { value, ttlMs: null });
  const { begin } = session(t, listener.address);
  const get = frame(putRequest('big', Buffer.alloc(0)));
  const greedy = Array.from({ length: 3 }, () => {
    const seen = begin('/ringside.v1.Cache/Get');
    seen.stream.pause();
    seen.stream.end(get);
    return seen;
  });
  const probe = () =>
    call('get', { key: Buffer.from('big') }).then(
      () => 'OK',
      (error) => error.details,
    );
  await until('they fill the budget', async () => /proxy\.limits\.maxApiBytes/.test(await probe()));
  await until('the budget is free again', async () => (await probe()) === 'OK');
  t.ok(greedy.length);
});

t.test('streams: half a request and unread answers are bounded too', async (t) => {
  const { call, listener } = await start(t, {
    maxApiBytes: 65_536,
    maxHttpBodyBytes: 65_536,
    headerTimeoutMs: 500,
  });
  const { begin } = session(t, listener.address);
  for (const path of [
    '/grpc.health.v1.Health/Watch',
    '/ringside.v1.Coordination/Observe',
    '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
  ]) {
    const half = begin(path);
    half.stream.write(frame(Buffer.alloc(100), { length: 1000 }));
    await until(`${path}: half a request is cut off`, () => half.closed);
  }
  const greedy = begin('/grpc.reflection.v1.ServerReflection/ServerReflectionInfo');
  greedy.stream.pause();
  // `file_containing_symbol: "ringside.v1.Cache"`, a thousand times.
  const symbol = Buffer.from('ringside.v1.Cache');
  const question = frame(Buffer.concat([Buffer.from([0x22, symbol.length]), symbol]));
  greedy.stream.write(Buffer.concat(Array(1000).fill(question)));
  greedy.stream.on('close', () => greedy.stream.resume());
  await until('who does not read is cut off', () => greedy.stream.destroyed || greedy.stream.closed);
  const value = Buffer.alloc(60_000);
  await until('everything is given back', () => call('put', { key: Buffer.from('a'), value }));
});

t.test('bad input: an error on that connection or call alone', async (t) => {
  const { call, listener } = await start(t, { headerTimeoutMs: 1500 });
  const { begin } = session(t, listener.address);
  const garbage = begin('/ringside.v1.Cache/Put');
  garbage.stream.end(frame(Buffer.from('ffffffffffffffffff', 'hex')));
  await until('what does not parse is refused', () => garbage.status === '13');
  const unknown = begin('/ringside.v1.Cache/Frobnicate');
  unknown.stream.end(frame(Buffer.alloc(0)));
  await until('an unknown method is refused', () => unknown.status === '12');
  const empty = begin('/ringside.v1.Cache/Get');
  empty.stream.end();
  await until('no message is refused', () => empty.status !== '');
  const cut = begin('/ringside.v1.Cache/Put');
  cut.stream.end(frame(Buffer.alloc(3), { length: 100 }));
  await until('half a message is refused', () => cut.closed);

  for (const [what, bytes] of [
    ['random bytes', Buffer.from('\0\u0001 random \xff\xfe\r\n\r\n', 'latin1')],
    ['HTTP/1', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
    ['a preface that stops', Buffer.from('PRI * HTTP/2.0\r\n')],
    ['nothing', Buffer.alloc(0)],
  ] as const) {
    const socket = net.connect(listener.port, '127.0.0.1');
    let closed = false;
    socket
      .on('error', () => {})
      .on('close', () => {
        closed = true;
      });
    socket.resume();
    socket.write(bytes);
    await until(`${what}: it is closed`, () => closed);
  }
  t.match(await call('get', { key: Buffer.from('a') }), { found: false });
});

t.test('close: health changes, calls under way finish', async (t) => {
  const api = new MemoryApi();
  let answer = () => {};
  const asked = new Promise<void>((isAsked) => {
    api.get = () => {
      isAsked();
      return new Promise((resolve) => {
        answer = () => resolve(foundValue(Buffer.from('late')));
      });
    };
  });
  const { call, listener } = await start(t, {}, { api });
  const late = call('get', { key: Buffer.from('a') });
  await asked;
  const closed = listener.close(10_000);
  answer();
  t.match(await late, { found: true, value: Buffer.from('late') });
  await closed;
});
