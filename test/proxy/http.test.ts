import net from 'node:net';
import t, { type Test } from 'tap';
import { Client } from 'undici';
import type { ProxyConfig } from '../../lib/config/index.ts';
import { startHttpListener } from '../../proxy/http/index.ts';
import { foundValue, MemoryApi } from '../support/memory-api.ts';
import { listenerOptions, quietDeps } from '../support/proxy-limits.ts';
import { until } from '../support/until.ts';
import { httpContract, requester } from './http-contract.ts';

async function start(
  t: Test,
  limits: Partial<ProxyConfig['limits']> = {},
  { password, api = new MemoryApi() }: { password?: string; api?: MemoryApi } = {},
) {
  const listener = await startHttpListener({ ...listenerOptions(limits), password }, api, quietDeps);
  const client = new Client(`http://${listener.address}`);
  t.teardown(async () => {
    await client.destroy();
    await listener.close(0);
  });
  return { api, listener, client, send: requester(client) };
}

/** A socket that keeps what it receives, and knows whether it was closed. */
async function open(t: Test, port: number) {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const seen = { text: '', ended: false, closed: false, socket };
  socket.on('data', (chunk) => {
    seen.text += chunk.toString('latin1');
  });
  socket.on('end', () => {
    seen.ended = true;
  });
  socket.on('close', () => {
    seen.closed = true;
  });
  socket.on('error', () => {});
  t.teardown(() => socket.destroy());
  await new Promise((resolve) => socket.once('connect', resolve));
  return seen;
}

t.test('over an API in memory', async (t) => {
  let address = '';
  t.before(async () => {
    const listener = await startHttpListener(listenerOptions(), new MemoryApi(), quietDeps);
    address = listener.address;
    t.teardown(() => listener.close(0));
  });
  httpContract(t, () => address);
});

t.test('errors of the data path, by the catalogue', async (t) => {
  const { send } = await start(t);
  for (const [code, status] of [
    ['write_unknown', 504],
    ['no_replicas', 503],
    ['overloaded', 503],
    ['shard_down', 503],
    ['timeout', 504],
    ['too_large', 413],
    ['out_of_memory', 507],
    ['wrong_type', 409],
  ] as const) {
    const answer = await send('PUT', `/v1/key/fail:${code}`, { body: 'x' });
    t.equal(answer.status, status);
    t.same(answer.json(), { error: { code, message: `asked to fail with ${code}` } });
  }
  const body = JSON.stringify({ keys: ['fail:shard_down', 'other'] });
  t.same((await send('POST', '/v1/mget', { body })).json(), {
    results: [
      { key: 'fail:shard_down', error: { code: 'shard_down', message: 'asked to fail with shard_down' } },
      { key: 'other', found: false },
    ],
  });
});

t.test('a defect is answered 500, and the connection goes on', async (t) => {
  const api = new MemoryApi();
  api.delete = () => Promise.reject(new TypeError('secret detail'));
  const { send } = await start(t, {}, { api });
  const answer = await send('DELETE', '/v1/key/a');
  t.equal(answer.status, 500);
  t.notMatch(answer.body.toString(), /secret/);
  t.equal((await send('GET', '/v1/key/a')).status, 404);
});

t.test('a possibly stale read says so', async (t) => {
  const { send } = await start(t);
  await send('PUT', '/v1/key/stale:a', { body: 'x' });
  t.equal((await send('GET', '/v1/key/stale:a')).headers['x-cache'], 'STALE');
  const mget = await send('POST', '/v1/mget', { body: '{"keys":["stale:a"]}' });
  t.same(mget.json(), { results: [{ key: 'stale:a', found: true, value: 'x', stale: true }] });
});

t.test('a password is asked for', async (t) => {
  const { send } = await start(t, {}, { password: 'secret word' });
  for (const authorization of [undefined, 'Bearer', 'Bearer secret', 'Basic secret word']) {
    const answer = await send('PUT', '/v1/key/a', {
      headers: authorization ? { authorization } : {},
      body: 'x',
    });
    t.equal(answer.status, 401, authorization ?? 'none');
    t.equal(answer.headers['www-authenticate'], 'Bearer');
  }
  const headers = { authorization: 'Bearer secret word' };
  t.equal((await send('PUT', '/v1/key/a', { headers, body: 'x' })).status, 201);
});

t.test('bodies over the limit are answered before they are read', async (t) => {
  const { send, listener, api } = await start(t, { maxHttpBodyBytes: 100_000 });
  t.equal((await send('PUT', '/v1/key/a', { body: Buffer.alloc(100_000) })).status, 201);
  const declared = await open(t, listener.port);
  declared.socket.write('PUT /v1/key/b HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\n\r\nxx');
  await until('a 413', () => declared.text.includes('too_large'));
  t.match(declared.text, /^HTTP\/1.1 413 [\s\S]*proxy\.limits\.maxHttpBodyBytes/);
  await until('the connection is closed', () => declared.ended);

  const chunked = await open(t, listener.port);
  chunked.socket.write('PUT /v1/key/b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n');
  const chunk = `10000\r\n${'z'.repeat(65_536)}\r\n`;
  chunked.socket.write(chunk);
  t.equal(chunked.text, '');
  chunked.socket.write(chunk);
  await until('a 413', () => chunked.text.includes('too_large'));
  // It goes on sending, in vain.
  chunked.socket.write(chunk);
  await until('the connection is closed', () => chunked.closed || chunked.ended);
  t.notOk(api.values.has(Buffer.from('b').toString('hex')));

  const asking = await open(t, listener.port);
  asking.socket.write(
    'PUT /v1/key/b HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 999999\r\n\r\n',
  );
  await until('a 413', () => asking.text.includes('too_large'));
  t.notMatch(asking.text, /100 Continue/);
});

t.test('bodies of all clients together are bounded', async (t) => {
  const { send, listener } = await start(t, { maxHttpBodyBytes: 1_000_000, maxApiBytes: 1_500_000 });
  const half = Buffer.alloc(900_000, 'h');
  const first = await open(t, listener.port);
  first.socket.write('PUT /v1/key/first HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n');
  first.socket.write(half);
  const probe = () => send('PUT', '/v1/key/second', { body: half });
  const refused = await until('a second body does not fit', async () => {
    const answer = await probe();
    return answer.status === 503 ? answer : null;
  });
  t.match(refused.json(), { error: { code: 'overloaded', message: /proxy\.limits\.maxApiBytes/ } });
  t.equal((await send('PUT', '/v1/key/small', { body: 'x' })).status, 201, 'others go on');
  first.socket.destroy();
  await until('the bytes are given back', async () => (await probe()).status < 300);
});

t.test('answers that are not read are bounded, also pipelined, and given up', async (t) => {
  const { send, listener } = await start(t, {
    maxHttpBodyBytes: 20_000_000,
    maxApiBytes: 50_000_000,
    headerTimeoutMs: 4000,
  });
  await send('PUT', '/v1/key/big', { body: Buffer.alloc(20_000_000) });
  const greedy = await open(t, listener.port);
  greedy.socket.once('data', () => greedy.socket.pause());
  greedy.socket.write('GET /v1/key/big HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(20));
  await until('its first answer begins', () => greedy.text);
  const status = async () => (await send('GET', '/v1/key/big')).status;
  await until('its answers fill the budget', async () => (await status()) === 503);
  t.equal((await send('GET', '/v1/key/none')).status, 404, 'others go on');
  await until('the budget is free again', async () => (await status()) === 200);
});

t.test('malformed requests: an error on that connection alone', async (t) => {
  const { send, listener } = await start(t);
  const refusal = async (bytes: string | Buffer) => {
    const connection = await open(t, listener.port);
    connection.socket.write(bytes);
    await until('it is closed', () => connection.ended || connection.closed);
    return connection.text;
  };
  const house =
    /^HTTP\/1.1 400 Bad Request\r\n[\s\S]*\{"error":\{"code":"bad_request","message":"[^"]+"\}\}$/;
  t.match(await refusal('\0\u0001\u0002 random \xff\xfe\r\n\r\n'), house);
  t.match(await refusal('GET /v1/key/a HTTP/1.1\r\nno colon\r\n\r\n'), house);
  t.match(await refusal('PUT /v1/key/a HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n'), house);
  t.match(
    await refusal(
      'PUT /v1/key/a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n',
    ),
    house,
  );
  t.match(await refusal(`GET /v1/key/${'a'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`), /^HTTP\/1.1 431 /);
  t.match(await refusal(Buffer.from('160301020001000001fc0303', 'hex')), house, 'a TLS greeting');
  t.equal((await send('GET', '/v1/key/a')).status, 404);
});

t.test('cut off and half-closed connections', async (t) => {
  const { send, listener, api } = await start(t);
  const half = await open(t, listener.port);
  half.socket.end('PUT /v1/key/half HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok');
  await until('the answer comes all the same', () => half.text.startsWith('HTTP/1.1 201'));
  const cut = await open(t, listener.port);
  cut.socket.end('PUT /v1/key/cut HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nok');
  await until('it is closed', () => cut.closed || cut.ended);
  t.notOk(api.values.has(Buffer.from('cut').toString('hex')));
  t.equal((await send('GET', '/v1/key/half')).status, 200);
});

t.test('slow senders are cut off', async (t) => {
  const { send, listener } = await start(t, { headerTimeoutMs: 1500 });
  const silent = await open(t, listener.port);
  const headers = await open(t, listener.port);
  headers.socket.write('GET /v1/key/a HTTP/1.1\r\nHost: x\r\nX-Slow: ');
  const body = await open(t, listener.port);
  body.socket.write('PUT /v1/key/a HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx');
  const drip = setInterval(() => {
    for (const { socket } of [headers, body]) if (socket.writable) socket.write('x');
  }, 50);
  t.teardown(() => clearInterval(drip));
  for (const connection of [silent, headers, body]) {
    await until('it is closed', () => connection.closed || connection.ended);
  }
  t.match(headers.text, /^HTTP\/1.1 408 [\s\S]*bad_request/);
  t.match(body.text, /^HTTP\/1.1 408 /);
  t.equal((await send('GET', '/v1/key/a')).status, 404);
});

t.test('close lets what is under way finish', async (t) => {
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
  const listener = await startHttpListener(listenerOptions(), api, quietDeps);
  const { socket, ...seen } = await open(t, listener.port);
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  socket.write('GET /v1/key/a HTTP/1.1\r\nHost: x\r\n\r\n');
  await asked;
  const closed = listener.close(10_000);
  answer();
  await closed;
  await until('the answer is there', () => text.endsWith('late'));
  t.equal(seen.text, '');
});
