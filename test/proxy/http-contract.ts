import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Test } from 'tap';
import { Client, type Dispatcher } from 'undici';

const run = promisify(execFile);

/** What an HTTP answer of Ringside holds. */
export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
  json<T = unknown>(): T;
}

/** Hears of every answer. */
export type Witness = (method: string, path: string, answer: Answer) => void;

/** Sends one request with the path as it stands: undici would normalize a URL. */
export function requester(client: Dispatcher, witness: Witness = () => {}) {
  return async (method: string, path: string, options: { headers?: object; body?: unknown } = {}) => {
    const response = await client.request({
      method: method as 'GET',
      path,
      headers: options.headers as Record<string, string>,
      body: options.body as string,
    });
    const body = Buffer.from(await response.body.arrayBuffer());
    const answer: Answer = {
      status: response.statusCode,
      headers: response.headers,
      body,
      json: () => JSON.parse(body.toString()),
    };
    witness(method, path, answer);
    return answer;
  };
}

/** The data part of docs/http.md, on whatever serves it at `address`. Keys begin with `http:`; `tags`: whether there are any. */
export function httpContract(
  t: Test,
  addressOf: () => string,
  { tags = true, witness }: { tags?: boolean; witness?: Witness } = {},
): void {
  let client: Client;
  let send: ReturnType<typeof requester>;
  t.before(() => {
    client = new Client(`http://${addressOf()}`);
    send = requester(client, witness);
  });
  t.teardown(() => client.close());
  const errorOf = ({ status, json }: Answer) => [status, json<{ error: { code: string } }>().error.code];

  t.test('a value comes back as it was written', async (t) => {
    const value = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const missing = await send('GET', '/v1/key/http:a');
    t.equal(missing.status, 404);
    t.equal(missing.headers['x-cache'], 'MISS');
    t.same(errorOf(missing), [404, 'not_found']);
    t.equal((await send('PUT', '/v1/key/http:a', { body: value })).status, 201);
    t.equal((await send('PUT', '/v1/key/http:a', { body: value })).status, 204);
    const hit = await send('GET', '/v1/key/http:a');
    t.match(hit, {
      status: 200,
      headers: {
        'x-cache': 'HIT',
        age: '0',
        'content-type': 'application/octet-stream',
        'content-length': '256',
      },
    });
    t.notOk(hit.headers['x-ttl-seconds']);
    t.same(hit.body, value);
    const head = await send('HEAD', '/v1/key/http:a');
    t.match(head, { status: 200, headers: { 'content-length': '256', 'x-cache': 'HIT' } });
    t.equal(head.body.length, 0);
    t.equal((await send('DELETE', '/v1/key/http:a')).status, 204);
    t.same(errorOf(await send('DELETE', '/v1/key/http:a')), [404, 'not_found']);
    t.equal((await send('HEAD', '/v1/key/http:a')).status, 404);
  });

  t.test('empty values, values of any size, bodies without a length', async (t) => {
    t.equal((await send('PUT', '/v1/key/http:empty')).status, 201);
    t.match(await send('GET', '/v1/key/http:empty'), { status: 200, body: Buffer.alloc(0) });
    const big = Buffer.alloc(3_000_000, 'x');
    t.equal((await send('PUT', '/v1/key/http:big', { body: big })).status, 201);
    t.ok((await send('GET', '/v1/key/http:big')).body.equals(big));
    async function* chunks() {
      yield 'one ';
      yield 'two';
    }
    t.equal((await send('PUT', '/v1/key/http:chunked', { body: chunks() })).status, 201);
    t.equal((await send('GET', '/v1/key/http:chunked')).body.toString(), 'one two');
  });

  t.test('any content type is only bytes', async (t) => {
    for (const type of ['application/json', 'text/plain', 'no type at all', 'multipart/form-data']) {
      const headers = { 'content-type': type };
      const { status } = await send('PUT', '/v1/key/http:type', { headers, body: '{"no json' });
      t.ok(status < 300, type);
      t.equal((await send('GET', '/v1/key/http:type')).body.toString(), '{"no json', type);
    }
  });

  t.test('keys are bytes', async (t) => {
    // One key, written in different ways, and keys that only bytes tell apart.
    await send('PUT', '/v1/key/http:%2Fa%20b%2B', { body: 'slash' });
    t.equal((await send('GET', '/v1/key/%68ttp:%2fa%20b+')).body.toString(), 'slash');
    await send('PUT', '/v1/key/http:%FF%00%0D%0A', { body: 'binary' });
    await send('PUT', '/v1/key/http:%EF%BF%BD%00%0D%0A', { body: 'replacement character' });
    t.equal((await send('GET', '/v1/key/http:%ff%00%0d%0a')).body.toString(), 'binary');
    await send('PUT', '/v1/key/http:%2Fincr', { body: 'no action' });
    t.equal((await send('GET', '/v1/key/http:%2Fincr?x=1')).body.toString(), 'no action');
    const spelled = Buffer.from('http:%FF%00%0D%0A');
    const mget = await send('POST', '/v1/mget', { body: JSON.stringify({ keys: [spelled.toString()] }) });
    t.same(mget.json(), { results: [{ key: 'http:%FF%00%0D%0A', found: false }] });
    for (const path of ['/v1/key/', '/v1/key/%', '/v1/key/a%4', '/v1/key/%zz', '/v1/key/a/b', '/v1/key/a/']) {
      t.same(errorOf(await send('GET', path)), [400, 'bad_request'], path);
    }
  });

  t.test('lifetimes', async (t) => {
    await send('PUT', '/v1/key/http:ttl', { headers: { 'x-ttl-seconds': '100' }, body: 'x' });
    const ttl = Number((await send('GET', '/v1/key/http:ttl')).headers['x-ttl-seconds']);
    t.ok(ttl > 90 && ttl <= 100, `remaining ${ttl}`);
    await send('PUT', '/v1/key/http:ttl', { body: 'x' });
    t.notOk((await send('GET', '/v1/key/http:ttl')).headers['x-ttl-seconds'], 'a write without one drops it');
    for (const wrong of ['0', '-1', '1.5', 'abc', '', '99999999999999', '1e3']) {
      const answer = await send('PUT', '/v1/key/http:ttl', {
        headers: { 'x-ttl-seconds': wrong },
        body: 'y',
      });
      t.same(errorOf(answer), [400, 'bad_request'], `X-TTL-Seconds: ${wrong}`);
    }
    t.equal((await send('GET', '/v1/key/http:ttl')).body.toString(), 'x');
  });

  t.test('If-None-Match: * writes only what is not there', async (t) => {
    const headers = { 'if-none-match': '*' };
    t.equal((await send('PUT', '/v1/key/http:nx', { headers, body: 'first' })).status, 201);
    const second = await send('PUT', '/v1/key/http:nx', { headers, body: 'second' });
    t.same(errorOf(second), [412, 'precondition_failed']);
    t.equal((await send('GET', '/v1/key/http:nx')).body.toString(), 'first');
  });

  t.test('incr', async (t) => {
    const incr = (body?: string) => send('POST', '/v1/key/http:n/incr', { body });
    t.same((await incr()).json(), { value: '1' });
    t.same((await incr('{"by":"5"}')).json(), { value: '6' });
    t.same((await incr('{"by":-7}')).json(), { value: '-1' });
    t.same((await incr('{"by":"9223372036854775807"}')).json(), { value: '9223372036854775806' });
    t.equal((await send('GET', '/v1/key/http:n')).body.toString(), '9223372036854775806');
    for (const wrong of [
      '{',
      '[]',
      '{"by":1.5}',
      '{"by":"9223372036854775808"}',
      '{"by":1e17}',
      '{"by":1,"ttl":2}',
    ]) {
      t.same(errorOf(await incr(wrong)), [400, 'bad_request'], wrong);
    }
    await send('PUT', '/v1/key/http:n', { body: 'text' });
    t.same(errorOf(await incr()), [409, 'not_an_integer']);
  });

  t.test('mget: each key for itself', async (t) => {
    await send('PUT', '/v1/key/http:m1', { body: 'grün "1"\n' });
    await send('PUT', '/v1/key/http:m2', { body: Buffer.from([0xff, 0]) });
    const mget = async (body: object) => send('POST', '/v1/mget', { body: JSON.stringify(body) });
    const utf8 = await mget({ keys: ['http:m1', 'http:none', 'http:m2', 'http:m1'] });
    t.match(utf8.json(), {
      results: [
        { key: 'http:m1', found: true, value: 'grün "1"\n' },
        { key: 'http:none', found: false },
        { key: 'http:m2', found: true, value: '/wA=', encoding: 'base64' },
        { key: 'http:m1', found: true, value: 'grün "1"\n' },
      ],
    });
    t.equal(utf8.json<{ results: object[] }>().results.length, 4);
    const key = Buffer.from('http:m2').toString('base64');
    const base64 = await mget({ keys: [key], encoding: 'base64' });
    t.match(base64.json(), { results: [{ key, found: true, value: '/wA=' }] });
    const many = Array.from({ length: 10_000 }, (_, i) => `http:many:${i}`);
    t.equal((await mget({ keys: many })).json<{ results: object[] }>().results.length, 10_000);
    for (const wrong of [
      {},
      { keys: 'a' },
      { keys: [] },
      { keys: [1] },
      { keys: [''] },
      { keys: ['\ud800'] },
      { keys: ['a'], encoding: 'hex' },
      { keys: ['%%%%'], encoding: 'base64' },
      { keys: [...many, 'http:one more'] },
      { keys: ['a'], ttl: 1 },
    ]) {
      t.same(errorOf(await mget(wrong)), [400, 'bad_request'], JSON.stringify(wrong).slice(0, 60));
    }
  });

  const purge = (what: object) => send('POST', '/v1/purge', { body: JSON.stringify(what) });
  const found = async (...keys: string[]) => {
    const answer = await send('POST', '/v1/mget', { body: JSON.stringify({ keys }) });
    return answer.json<{ results: { found: boolean }[] }>().results.map((result) => result.found);
  };

  t.test('a purge of keys, wherever they are', async (t) => {
    const keys = Array.from({ length: 50 }, (_, i) => `http:purge:${i}`);
    for (const key of keys) await send('PUT', `/v1/key/${key}`, { body: 'x' });
    const answer = await purge({ keys: [...keys.slice(1), 'http:nothing'] });
    t.match(answer, { status: 204, body: Buffer.alloc(0) });
    t.same(await found(...keys), [true, ...keys.slice(1).map(() => false)]);
    t.equal((await purge({ keys: ['aHR0cDpwdXJnZTow'], encoding: 'base64' })).status, 204);
    t.same(await found(keys[0]), [false]);
  });

  t.test('what no purge is', async (t) => {
    for (const [what, message] of [
      [{}, /nothing to purge/],
      [{ keys: [], tags: [], prefixes: [] }, /nothing to purge/],
      [{ keys: 'a' }, /`keys` is not a list/],
      [{ tags: [1] }, /`tags\[0\]` is not/],
      [{ prefixes: ['a', ''] }, /`prefixes\[1\]` is not a non-empty string/],
      [{ tags: ['x'.repeat(513)] }, /1 to 512 bytes/],
      [{ tags: Array.from({ length: 1001 }, String) }, /`tags` is not a list of at most 1000 tags/],
      [
        { prefixes: Array.from({ length: 17 }, (_, i) => `http:${i}`) },
        /`prefixes` is not a list of at most 16/,
      ],
      [{ keys: ['%'], encoding: 'base64' }, /base64/],
      [{ keys: ['a'], encoding: 'latin1' }, /`encoding`/],
      [{ everything: true }, /unknown member "everything"; known: keys, tags, prefixes, encoding/],
    ] as const) {
      const answer = await purge(what);
      t.same(errorOf(answer), [400, 'bad_request'], JSON.stringify(what));
      t.match(answer.body.toString().replaceAll('\\"', '"'), message);
    }
    t.same(errorOf(await send('POST', '/v1/purge', { body: 'x' })), [400, 'bad_request']);
  });

  const put = (key: string, names: string | string[], headers = {}) =>
    send('PUT', `/v1/key/${key}`, { headers: { 'x-tags': names, ...headers }, body: 'x' });

  t.test('tags that make no sense', async (t) => {
    const many = Array.from({ length: 65 }, (_, i) => `t${i}`).join(',');
    for (const header of [many, `a,${'x'.repeat(513)}`])
      t.same(errorOf(await put('http:bad', header)), [400, 'bad_request']);
    t.same(await found('http:bad'), [false]);
    t.equal((await put('http:bare', ' , ,')).status, 201, 'an empty list is none');
  });

  if (!tags)
    t.test('without tags, it says so', async (t) => {
      for (const answer of [
        await put('http:a', 'a'),
        await purge({ tags: ['a'] }),
        await purge({ prefixes: ['a'] }),
      ]) {
        t.same(errorOf(answer), [501, 'not_implemented']);
        t.match(answer.body.toString(), /not supported by engine redis/);
      }
    });

  if (tags)
    t.test('purges by tag and by prefix', async (t) => {
      const keys = Array.from({ length: 30 }, (_, i) => `http:tag:${i}`);
      t.equal((await put(keys[0], 'red, grün ,blue', { 'x-ttl-seconds': '60' })).status, 201);
      t.equal((await put(keys[0], 'red')).status, 204, 'the next value has its own');
      for (const key of keys.slice(1, 20)) await put(key, ['red', 'blue']);
      await put(keys[20], Buffer.from('grün').toString('latin1'), { 'if-none-match': '*' });
      t.equal((await put(keys[20], 'red', { 'if-none-match': '*' })).status, 412);
      for (const key of keys.slice(21)) await send('PUT', `/v1/key/${key}`, { body: 'x' });
      t.equal((await purge({ tags: ['blue'] })).status, 204);
      t.same(await found(...keys), [true, ...Array(19).fill(false), ...Array(10).fill(true)]);
      t.equal((await purge({ tags: ['unknown', 'grün', 'red'] })).status, 204);
      t.same(await found(...keys), [...Array(21).fill(false), ...Array(9).fill(true)]);
      await send('PUT', '/v1/key/http:tab', { body: 'x' });
      t.equal((await purge({ prefixes: ['http:tag:2', 'http:nobody'] })).status, 204);
      t.same(await found(...keys, 'http:tab'), [...Array(30).fill(false), true]);
      t.equal((await put(keys[1], 'red')).status, 201, 'what comes after a purge stays');
      t.same(await found(keys[1]), [true]);
    });

  t.test('a header where it means nothing is not ignored', async (t) => {
    for (const [method, path, header, value] of [
      ['GET', '/v1/key/http:h', 'X-TTL-Seconds', '1'],
      ['DELETE', '/v1/key/http:h', 'X-Tags', 'a'],
      ['POST', '/v1/key/http:h/incr', 'X-Lease-Token', 'a'],
      ['POST', '/v1/mget', 'Idempotency-Key', 'a'],
      ['POST', '/v1/purge', 'If-Match', '*'],
    ]) {
      const answer = await send(method, path, { headers: { [header]: value } });
      t.same(answer.json(), { error: { code: 'bad_request', message: `${header} means nothing here` } });
    }
  });

  t.test('headers and parameters that make no sense', async (t) => {
    for (const [headers, message] of [
      [{ 'if-match': 'x' }, 'If-Match is not `*` or an ETag in double quotes'],
      [{ 'if-match': '"1", "2"' }, 'If-Match of a write names one ETag, or is `*`'],
      [{ 'if-none-match': '"1"' }, 'If-None-Match is not `*` (ETags are for reads)'],
      [{ 'if-match': '*', 'if-none-match': '*' }, 'If-Match and If-None-Match cannot both hold'],
      [{ 'x-soft-ttl-seconds': '-1' }, 'X-Soft-TTL-Seconds is not a whole number from 0 to 1000000000000'],
      [{ 'x-fencing-token': '-1' }, 'X-Fencing-Token is not a number of 64 bits'],
      [{ 'x-fencing-token': '18446744073709551616' }, 'X-Fencing-Token is not a number of 64 bits'],
      [{ 'x-fence-name': 'a' }, 'X-Fence-Name comes without X-Fencing-Token'],
      [{ 'idempotency-key': '' }, 'Idempotency-Key is not a text of 1 to 255 bytes'],
      [{ 'idempotency-key': 'x'.repeat(256) }, 'Idempotency-Key is not a text of 1 to 255 bytes'],
    ] as const) {
      const answer = await send('PUT', '/v1/key/http:headers', { headers, body: 'x' });
      t.same(answer.json(), { error: { code: 'bad_request', message } });
    }
    const fenced = { headers: { 'x-fencing-token': '1' } };
    t.same(errorOf(await send('PUT', `/v1/key/${'k'.repeat(513)}`, fenced)), [400, 'bad_request']);
    t.match((await send('GET', '/v1/key/a?lease=2')).json(), { error: { message: '?lease is not 0 or 1' } });
    t.equal((await send('GET', '/v1/key/http:headers')).status, 404);
  });

  t.test('unknown paths and methods', async (t) => {
    t.same(errorOf(await send('GET', '/v2/key/a')), [404, 'not_found']);
    t.same(errorOf(await send('GET', '/v1/key')), [404, 'not_found']);
    t.same(errorOf(await send('PURGE', '/v1/key/a')), [404, 'not_found']);
    for (const [method, path, allow] of [
      ['PATCH', '/v1/key/a', 'GET, HEAD, PUT, DELETE, OPTIONS'],
      ['POST', '/v1/key/a', 'GET, HEAD, PUT, DELETE, OPTIONS'],
      ['GET', '/v1/key/a/incr', 'POST, OPTIONS'],
      ['GET', '/v1/mget', 'POST, OPTIONS'],
      ['GET', '/v1/purge', 'POST, OPTIONS'],
      ['PUT', '/v1/openapi.json', 'GET, OPTIONS'],
    ]) {
      t.match(await send('OPTIONS', path), { status: 204, headers: { allow } });
      const answer = await send(method, path);
      t.same(errorOf(answer), [405, 'bad_request'], `${method} ${path}`);
      t.equal(answer.headers.allow, allow);
    }
  });

  t.test('curl', async (t) => {
    const url = `http://${addressOf()}/v1/key/http:curl`;
    const curl = async (...args: string[]) =>
      (await run('curl', ['-sS', ...args], { maxBuffer: 1e7 })).stdout;
    const big = 'y'.repeat(2_000_000);
    const file = `${t.testdir({ value: big })}/value`;
    // Above 1 MB curl asks with `Expect: 100-continue`.
    t.equal(await curl('-w', '%{http_code}', '-T', file, url), '201');
    t.equal((await curl(url)).length, big.length);
    t.match(await curl('-I', url), /^HTTP\/1.1 200 OK/);
    t.equal(await curl('-w', '%{http_code}', '-X', 'DELETE', url), '204');
  });
}
