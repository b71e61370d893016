import type { Test } from 'tap';
import { Client, Pool } from 'undici';
import { type Answer, requester, type Witness } from './http-contract.ts';

/** Addresses of the HTTP listeners of two proxies over the same nodes. */
export type TwoAddresses = () => readonly [string, string];

type Send = ReturnType<typeof requester>;

const CALLERS = 20;

/** What only Ringside's nodes can do, as docs/http.md says it. Keys begin with `cache:`. */
export function httpCacheContract(t: Test, addressesOf: TwoAddresses, witness?: Witness): void {
  const clients: Pool[] = [];
  let send!: Send;
  let other!: Send;
  t.before(() => {
    clients.push(...addressesOf().map((address) => new Pool(`http://${address}`, { connections: 10 })));
    [send, other] = clients.map((client) => requester(client, witness));
  });
  t.teardown(() => Promise.all(clients.map((client) => client.close())));
  const errorOf = ({ status, json }: Answer) => [status, json<{ error: { code: string } }>().error.code];
  const path = (key: string) => `/v1/key/cache:${key}`;
  const put = (key: string, body: string, headers: object = {}, through = send) =>
    through('PUT', path(key), { headers, body });
  const read = (key: string, headers: object = {}) => send('GET', path(key), { headers });
  const etag = ({ headers }: Answer) => String(headers.etag);

  t.test('ETags are versions', async (t) => {
    const first = await put('v', 'one');
    t.match(first, { status: 201, headers: { etag: /^"[1-9]\d*"$/ } });
    const found = await read('v');
    t.equal(etag(found), etag(first));
    t.equal(etag(await send('HEAD', path('v'))), etag(first));
    const second = await put('v', 'two');
    t.equal(second.status, 204);
    const numbers = [first, second].map((answer) => BigInt(etag(answer).slice(1, -1)));
    t.ok(numbers[1] > numbers[0]);
    const sum = await send('POST', `${path('v:n')}/incr`);
    t.equal(etag(await read('v:n')), etag(sum));
  });

  t.test('conditions of reads', async (t) => {
    const now = etag(await put('read', 'x', { 'x-ttl-seconds': '100' }));
    for (const same of [now, `W/${now}`, `"a", ${now}`, '*']) {
      const unchanged = await read('read', { 'if-none-match': same });
      t.match(unchanged, { status: 304, headers: { etag: now, 'x-cache': 'HIT' } }, same);
      t.equal(unchanged.body.length, 0);
    }
    t.equal((await read('read', { 'if-none-match': '"1"' })).body.toString(), 'x');
    t.equal((await read('read', { 'if-match': now })).status, 200);
    for (const wrong of ['"1"', `W/${now}`])
      t.same(errorOf(await read('read', { 'if-match': wrong })), [412, 'precondition_failed']);
    t.same(errorOf(await read('none', { 'if-match': '*' })), [412, 'precondition_failed']);
    t.equal((await read('none', { 'if-none-match': '*' })).status, 404);
  });

  t.test('conditions of writes', async (t) => {
    t.same(errorOf(await put('w', 'x', { 'if-match': '*' })), [412, 'precondition_failed']);
    const first = etag(await put('w', 'x', { 'if-none-match': '*' }));
    const second = await put('w', 'y', { 'if-match': first });
    t.equal(second.status, 204);
    for (const wrong of [first, `W/${etag(second)}`, '"no version"', '"18446744073709551616"'])
      t.same(errorOf(await put('w', 'z', { 'if-match': wrong })), [412, 'precondition_failed'], wrong);
    t.equal((await put('w', 'z', { 'if-match': '*' })).status, 204);
    const headers = { 'if-match': first };
    t.same(errorOf(await send('DELETE', path('w'), { headers })), [412, 'precondition_failed']);
    const now = { 'if-match': etag(await read('w')) };
    t.equal((await send('DELETE', path('w'), { headers: now })).status, 204);
    t.same(errorOf(await send('DELETE', path('w'), { headers: { 'if-match': '*' } })), [
      412,
      'precondition_failed',
    ]);
    const add = (match: string) => send('POST', `${path('w:n')}/incr`, { headers: { 'if-match': match } });
    t.same(errorOf(await add('*')), [412, 'precondition_failed']);
    const one = await put('w:n', '1');
    t.match((await add(etag(one))).json(), { value: '2' });
    t.same(errorOf(await add(etag(one))), [412, 'precondition_failed']);
    t.equal((await read('w:n')).body.toString(), '2');
  });

  t.test('soft lifetimes', async (t) => {
    await put('soft', 'x', { 'x-soft-ttl-seconds': '100', 'x-ttl-seconds': '200' });
    const fresh = await read('soft');
    t.equal(fresh.headers['x-cache'], 'HIT');
    const left = Number(fresh.headers['x-soft-ttl-seconds']);
    t.ok(left > 90 && left <= 100, `remaining ${left}`);
    await put('soft', 'y', { 'x-soft-ttl-seconds': '0' });
    t.match(await read('soft'), { status: 200, headers: { 'x-cache': 'STALE', 'x-soft-ttl-seconds': '0' } });
    const body = JSON.stringify({ keys: ['cache:soft', 'cache:none'] });
    t.match((await send('POST', '/v1/mget', { body })).json(), {
      results: [{ found: true, value: 'y', stale: true, version: /^[1-9]\d*$/ }, { found: false }],
    });
  });

  const ask = (key: string, through = send) => through('GET', `${path(key)}?lease=1`);
  const tokensOf = (answers: readonly Answer[]) =>
    answers.flatMap(({ headers }) => headers['x-lease-token'] ?? []).map(String);

  t.test('of many who miss a key, one fills it', async (t) => {
    const misses = await Promise.all(
      Array.from({ length: CALLERS }, (_, i) => ask('lease', i % 2 === 0 ? send : other)),
    );
    t.ok(misses.every(({ status, headers }) => status === 404 && headers['x-cache'] === 'MISS'));
    const [token, ...more] = tokensOf(misses);
    t.same(more, []);
    t.ok(misses.every(({ headers }) => Number(headers['x-lease-milliseconds']) > 5000));
    t.notOk((await read('lease')).headers['x-lease-milliseconds'], 'who does not ask is told nothing');
    t.same(errorOf(await put('lease', 'x', { 'x-lease-token': 'another' })), [409, 'lease_void']);
    t.equal((await put('lease', 'filled', { 'x-lease-token': token }, other)).status, 201);
    t.same(errorOf(await put('lease', 'again', { 'x-lease-token': token })), [409, 'lease_void']);
    const hit = await ask('lease');
    t.match(hit, { status: 200, body: Buffer.from('filled') });
    t.notOk(hit.headers['x-lease-milliseconds']);
    const [next] = tokensOf([await ask('lease:2')]);
    await put('lease:2', 'newer');
    t.same(errorOf(await put('lease:2', 'older', { 'x-lease-token': next })), [409, 'lease_void']);
    t.equal((await read('lease:2')).body.toString(), 'newer');
  });

  t.test('of many who find it stale, one refreshes it', async (t) => {
    await put('stale', 'old', { 'x-soft-ttl-seconds': '0' });
    const reads = await Promise.all(Array.from({ length: CALLERS }, () => ask('stale')));
    t.ok(reads.every(({ status, headers }) => status === 200 && headers['x-cache'] === 'STALE'));
    t.equal(tokensOf(reads).length, 1);
    t.equal((await put('stale', 'new', { 'x-lease-token': tokensOf(reads)[0] })).status, 204);
    t.match(await read('stale'), { headers: { 'x-cache': 'HIT' }, body: Buffer.from('new') });
  });

  t.test('fences', async (t) => {
    const fenced = (token: string, name?: string) => ({
      'x-fencing-token': token,
      ...(name !== undefined && { 'x-fence-name': name }),
    });
    t.equal((await put('fence', 'a', fenced('7'))).status, 201);
    t.same(errorOf(await put('fence', 'b', fenced('6'), other)), [409, 'fenced']);
    t.equal((await put('fence', 'c', fenced('7'), other)).status, 204);
    t.equal((await put('%7Bf%7D:2', 'd', fenced('1'))).status, 201, 'the fence is the key unless named');
    t.equal((await put('%7Bf%7D:2', 'd', fenced('9', 'job grün'))).status, 204);
    t.same(errorOf(await put('%7Bf%7D:3', 'd', fenced('8', 'job grün'))), [409, 'fenced']);
    t.same(errorOf(await send('DELETE', path('fence'), { headers: fenced('6') })), [409, 'fenced']);
    const add = (token: string) => send('POST', `${path('fence:n')}/incr`, { headers: fenced(token) });
    t.equal((await add('18446744073709551615')).status, 200);
    t.same(errorOf(await add('18446744073709551614')), [409, 'fenced']);
    t.equal((await read('fence')).body.toString(), 'c');
  });

  const key = (text: string) => ({ 'idempotency-key': text });

  t.test('a repeated write answers as the first did', async (t) => {
    const first = await put('idem', 'x', { ...key('k1'), 'x-ttl-seconds': '50' });
    t.equal(first.status, 201);
    await put('idem', 'written since');
    const again = await put('idem', 'x', { ...key('k1'), 'x-ttl-seconds': '50' }, other);
    t.same([again.status, etag(again)], [201, etag(first)]);
    t.equal((await read('idem')).body.toString(), 'written since');
    for (const [body, headers] of [
      ['y', { 'x-ttl-seconds': '50' }],
      ['x', { 'x-ttl-seconds': '51' }],
      ['x', {}],
    ] as const)
      t.same(errorOf(await put('idem', body, { ...key('k1'), ...headers })), [422, 'idempotency_key_reused']);
    t.same(errorOf(await send('DELETE', path('idem'), { headers: key('k1') })), [
      422,
      'idempotency_key_reused',
    ]);
    t.equal((await put('idem:2', 'y', key('k1'))).status, 201, 'another key of the cache');
    const big = 'b'.repeat(3_000_000);
    t.equal((await put('idem:big', big, key('k'))).status, 201);
    t.equal((await put('idem:big', big, key('k'), other)).status, 201);
    t.same(errorOf(await put('idem:big', `${big}b`, key('k'))), [422, 'idempotency_key_reused']);
    const refused = await put('idem', 'z', { ...key('k2'), 'if-none-match': '*' });
    await send('DELETE', path('idem'));
    const still = await put('idem', 'z', { ...key('k2'), 'if-none-match': '*' });
    t.same([still.status, still.body], [412, refused.body], 'also when it was refused');
    const gone = () => send('DELETE', path('idem:2'), { headers: key('k3') });
    t.same([(await gone()).status, (await gone()).status], [204, 204]);
  });

  t.test('duplicates at once run once', async (t) => {
    const add = (i: number) =>
      (i % 2 === 0 ? send : other)('POST', `${path('idem:n')}/incr`, {
        headers: key('once'),
        body: '{"by":"3"}',
      });
    const sums = await Promise.all(Array.from({ length: CALLERS }, (_, i) => add(i)));
    t.same(new Set(sums.map(({ status, body }) => `${status} ${body}`)), new Set(['200 {"value":"3"}']));
    t.equal(new Set(sums.map(etag)).size, 1);
    t.equal((await read('idem:n')).body.toString(), '3');
  });
}

/** What an engine that is Redis lacks is said, and never ignored. */
export function plainEngineContract(t: Test, addressOf: () => string, witness?: Witness): void {
  t.test('what engine redis lacks', async (t) => {
    const client = new Client(`http://${addressOf()}`);
    t.teardown(() => client.close());
    const send = requester(client, witness);
    await send('PUT', '/v1/key/plain', { body: 'x' });
    const found = await send('GET', '/v1/key/plain');
    t.notOk(found.headers.etag);
    const refusals: [string, string, object][] = [
      ['GET', '/v1/key/plain?lease=1', {}],
      ['GET', '/v1/key/plain', { 'if-none-match': '"1"' }],
      ['GET', '/v1/key/plain', { 'if-match': '*', 'if-none-match': '"1"' }],
      ['DELETE', '/v1/key/plain', { 'if-match': '"1"' }],
      ['DELETE', '/v1/key/plain', { 'if-match': '*' }],
      ['POST', '/v1/key/plain/incr', { 'idempotency-key': 'a' }],
      ...['x-soft-ttl-seconds', 'x-fencing-token', 'x-lease-token', 'idempotency-key', 'x-tags'].map(
        (name): [string, string, object] => ['PUT', '/v1/key/plain', { [name]: '1' }],
      ),
      ['PUT', '/v1/key/plain', { 'if-match': '"1"' }],
    ];
    for (const [method, path, headers] of refusals) {
      const answer = await send(method, path, { headers });
      t.equal(answer.status, 501, `${method} ${JSON.stringify(headers)}`);
      t.match(answer.json(), {
        error: { code: 'not_implemented', message: /not supported by engine redis$/ },
      });
    }
    t.equal((await send('PUT', '/v1/key/plain', { headers: { 'if-match': '*' }, body: 'y' })).status, 204);
    t.equal((await send('PUT', '/v1/key/plain:2', { headers: { 'if-match': '*' } })).status, 412);
    t.equal((await send('GET', '/v1/key/plain', { headers: { 'if-none-match': '*' } })).status, 304);
    t.equal((await send('GET', '/v1/key/plain')).body.toString(), 'y');
  });
}
