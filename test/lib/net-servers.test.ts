import { copyFile, mkdir, readFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import grpc from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { Agent, request } from 'undici';
import { makeCerts } from '../../cli/certs/index.ts';
import { RingsideError, silentLogger, systemRandom } from '../../lib/base/index.ts';
import { grpcChannelCredentials, listenGrpc, resubscribingStream } from '../../lib/net/grpc/index.ts';
import {
  createHttpServer,
  type HttpServer,
  type HttpServerOptions,
  type ListenOptions,
  loadTls,
  openSocket,
  type TlsMaterial,
} from '../../lib/net/index.ts';
import { captureLog, type LogLine } from '../support/capture-log.ts';
import { freePort } from '../support/ports.ts';
import { until } from '../support/until.ts';

const root = t.testdir();
const fleet = join(root, 'fleet');
const strangers = join(root, 'strangers');
const materials: TlsMaterial[] = [];
const text = {
  serialize: (value: string) => Buffer.from(value),
  deserialize: (bytes: Buffer) => String(bytes),
};

t.before(async () => {
  await makeCerts({ dir: fleet, identities: ['node/n1', 'node/n2', 'proxy/p1'] });
  await makeCerts({ dir: strangers, identities: ['node/n1', 'proxy/p1'] });
});
t.teardown(() => {
  for (const material of materials) material.close();
});

function material(dir: string, name: string, allowedNames: string[] = []): TlsMaterial {
  const files = {
    ca: join(dir, 'ca.crt'),
    cert: join(dir, `${name}.crt`),
    key: join(dir, `${name}.key`),
    allowedNames,
  };
  const made = loadTls(files, silentLogger, { reloadMs: 1_000_000 });
  materials.push(made);
  return made;
}

function listenOptions(change: Partial<HttpServerOptions>): HttpServerOptions {
  const where = { name: 'api', setting: 'proxy.httpPort', host: '127.0.0.1', port: 0 };
  return { ...where, maxConnections: 100, log: silentLogger, ...change };
}

async function httpServer(
  test: Test,
  change: Partial<HttpServerOptions> = {},
): Promise<{ server: HttpServer; lines: LogLine[]; finish: () => boolean }> {
  const { log, lines } = captureLog();
  let finish = () => false;
  const server = await createHttpServer(listenOptions({ log, ...change }), (app) => {
    app.get('/fine/:name', async ({ params }) => ({ length: (params as { name: string }).name.length }));
    app.post('/body', async ({ body }) => body);
    app.get('/overloaded', () => {
      throw new RingsideError('overloaded', 'proxy.limits.x is reached');
    });
    app.get('/defect', () => {
      throw new TypeError('a secret detail');
    });
    app.get(
      '/slow',
      () =>
        new Promise((resolve) => {
          finish = () => {
            resolve({ slow: true });
            return true;
          };
        }),
    );
  });
  test.teardown(() => server.close());
  return { server, lines, finish: () => finish() };
}

async function fetchJson(server: HttpServer, path: string, options: Parameters<typeof request>[1] = {}) {
  const { statusCode, body } = await request(`http://${server.address}${path}`, { ...options, reset: true });
  return [statusCode, await body.json()];
}

/** Sends raw bytes and reads until the server hangs up. */
async function raw(server: { port: number }, bytes: string): Promise<string> {
  const socket = await openSocket({ host: '127.0.0.1', port: server.port, timeoutMs: 5000 });
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk;
  });
  socket.write(bytes);
  await new Promise((resolve) => socket.once('close', resolve));
  return answer;
}

t.test('HTTP errors have one shape', async (t) => {
  const { server, lines } = await httpServer(t, { maxBodyBytes: 100 });
  const error = (code: string, message: string | RegExp) => ({ error: { code, message } });
  t.match(await fetchJson(server, `/fine/${'x'.repeat(5000)}`), [200, { length: 5000 }]);
  t.match(await fetchJson(server, '/overloaded'), [503, error('overloaded', 'proxy.limits.x is reached')]);
  t.match(await fetchJson(server, '/nowhere?a=1'), [404, error('not_found', 'there is no GET /nowhere')]);
  const post = (body: string) =>
    fetchJson(server, '/body', { method: 'POST', body, headers: { 'content-type': 'application/json' } });
  t.match(await post('{"a": 1}'), [200, { a: 1 }]);
  t.match(await post(`"${'x'.repeat(100)}"`), [413, error('too_large', /too large/)]);
  t.match(await post('{'), [400, error('bad_request', /JSON/)]);
  t.equal(lines.length, 0, 'mistakes of clients are no log lines');
  const [status, body] = await fetchJson(server, '/defect');
  t.match([status, body], [500, error('internal', /defect/)]);
  t.notMatch(JSON.stringify(body), /secret/);
  t.match(lines[0], { level: 'error', err: TypeError, url: '/defect' });
});

t.test('bad HTTP input ends its own connection only', async (t) => {
  const { server } = await httpServer(t, { headersTimeoutMs: 1500, requestTimeoutMs: 2000 });
  const cases: [what: string, bytes: string, answer: RegExp][] = [
    ['no HTTP', 'PING\r\n\r\n', /^HTTP\/1\.1 400 .*"code":"bad_request"/s],
    ['random bytes', '\x00\xff\x16\x03\x01', /^HTTP\/1\.1 400 /],
    ['too many headers', `GET /fine/x HTTP/1.1\r\n${'a: b\r\n'.repeat(20_000)}\r\n`, /^HTTP\/1\.1 431 /],
    ['headers that never end', 'GET /fine/x HTTP/1.1\r\nA: b\r\n', /^HTTP\/1\.1 408 /],
    [
      'a body that never ends',
      'POST /body HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nx',
      /^HTTP\/1\.1 408 /,
    ],
    ['nothing at all', '', /^(HTTP\/1\.1 408 |$)/],
  ];
  const answers = cases.map(([, bytes]) => raw(server, bytes));
  t.match(await fetchJson(server, '/fine/x'), [200, { length: 1 }]);
  for (const [at, [what, , expected]] of cases.entries()) t.match(await answers[at], expected, what);
  await until('all are gone', () => server.connections === 0);
});

t.test('HTTP over mutual TLS, with reload', async (t) => {
  const dir = join(root, 'https');
  await install(dir, 'node-n1');
  const own = material(dir, 'me', ['spiffe://ringside/proxy/*']);
  const { server, lines } = await httpServer(t, { tls: own });
  const agent = async (from: string, name: string | null) => {
    const pem = async (file: string) => readFile(join(from, file));
    const pair = name && { cert: await pem(`${name}.crt`), key: await pem(`${name}.key`) };
    const made = new Agent({ connect: { ca: await readFile(join(fleet, 'ca.crt')), ...pair } });
    t.teardown(() => made.close());
    return made;
  };
  const get = async (dispatcher: Agent) => {
    const { statusCode, body } = await request(`https://127.0.0.1:${server.port}/fine/abc`, { dispatcher });
    return [statusCode, await body.json()];
  };
  const proxy = await agent(fleet, 'proxy-p1');
  t.same(await get(proxy), [200, { length: 3 }]);
  const refused: [string, Agent][] = [
    ['no certificate', await agent(fleet, null)],
    ['unknown CA', await agent(strangers, 'proxy-p1')],
    ['name not allowed', await agent(fleet, 'node-n2')],
  ];
  for (const [reason, dispatcher] of refused) {
    await t.rejects(get(dispatcher), reason);
    t.match(
      lines.find((line) => line.reason === reason),
      { listener: 'api' },
    );
  }
  await install(dir, 'node-n2');
  t.ok(await own.reload());
  t.same(await get(proxy), [200, { length: 3 }], 'the open connection goes on');
  t.same(await get(await agent(fleet, 'proxy-p1')), [200, { length: 3 }]);
});

t.test('an HTTP server that closes lets requests under way finish', async (t) => {
  const { server, finish } = await httpServer(t);
  const agent = new Agent({ keepAliveTimeout: 60_000 });
  t.teardown(() => agent.close());
  const url = (path: string) => `http://${server.address}${path}`;
  await (await request(url('/fine/x'), { dispatcher: agent })).body.json();
  const slow = request(url('/slow'), { dispatcher: agent });
  await until('it is under way', () => server.connections === 1);
  const idle = await openSocket({ host: '127.0.0.1', port: server.port, timeoutMs: 5000 });
  idle.resume();
  const closing = server.close(60_000);
  await until('the answer can be given', finish);
  t.same(await (await slow).body.json(), { slow: true });
  idle.end();
  await closing;
  t.equal(server.connections, 0);
});

const echoService: grpc.ServiceDefinition = {
  unary: method('/test.Echo/Unary', false),
  stream: method('/test.Echo/Stream', true),
};

function method(path: string, stream: boolean): grpc.MethodDefinition<string, string> {
  return {
    path,
    requestStream: stream,
    responseStream: stream,
    requestSerialize: text.serialize,
    requestDeserialize: text.deserialize,
    responseSerialize: text.serialize,
    responseDeserialize: text.deserialize,
  };
}

interface Streams {
  calls: grpc.ServerDuplexStream<string, string>[];
}

async function grpcServer(test: Test, change: Partial<ListenOptions> = {}) {
  const { log, lines } = captureLog();
  const streams: Streams = { calls: [] };
  const server = new grpc.Server();
  server.addService(echoService, {
    unary: (call: grpc.ServerUnaryCall<string, string>, done: grpc.sendUnaryData<string>) => {
      if (call.request === 'slow') setTimeout(() => done(null, 'slow'), 50);
      else done(null, `${call.request}!`);
    },
    stream: (call: grpc.ServerDuplexStream<string, string>) => {
      streams.calls.push(call);
      call.on('error', () => {});
      call.on('data', (message: string) => {
        if (message !== 'mute') call.write(`${message}!`);
      });
      call.on('end', () => call.end());
    },
  });
  const listening = await listenGrpc(server, listenOptions({ log, ...change }));
  test.teardown(() => listening.close());
  return { listening, lines, streams };
}

function client(test: Test, address: string, tls?: TlsMaterial): grpc.Client {
  const made = new grpc.Client(address, grpcChannelCredentials(tls), { 'grpc.use_local_subchannel_pool': 1 });
  test.teardown(() => made.close());
  return made;
}

function unary(from: grpc.Client, message: string): Promise<string> {
  return new Promise((resolve, reject) => {
    from.makeUnaryRequest('/test.Echo/Unary', text.serialize, text.deserialize, message, (error, reply) =>
      error ? reject(error) : resolve(reply as string),
    );
  });
}

t.test('gRPC over mutual TLS checks both sides', async (t) => {
  const { listening, lines } = await grpcServer(t, {
    tls: material(fleet, 'node-n1', ['spiffe://ringside/proxy/*']),
  });
  t.equal(
    await unary(client(t, listening.address, material(fleet, 'proxy-p1', ['spiffe://ringside/node/*'])), 'a'),
    'a!',
  );
  const bare = { code: grpc.status.UNAVAILABLE };
  const refused: [string, TlsMaterial | undefined][] = [
    ['unknown CA', withAuthority(strangers, 'proxy-p1')],
    ['name not allowed', material(fleet, 'node-n2')],
    ['handshake failed', undefined],
  ];
  for (const [reason, tls] of refused) {
    await t.rejects(unary(client(t, listening.address, tls), 'a'), bare, reason);
    // A client that was refused may have tried again since.
    t.match(
      lines.find((line) => line.reason === reason),
      { listener: 'api' },
    );
  }
  const open = new grpc.Client(
    listening.address,
    grpc.credentials.createSsl(await readFile(join(fleet, 'ca.crt'))),
    {
      'grpc.ssl_target_name_override': 'localhost',
    },
  );
  t.teardown(() => open.close());
  await t.rejects(unary(open, 'a'), bare);
  t.ok(lines.some(({ reason }) => reason === 'no certificate'));
  await t.rejects(
    unary(
      client(t, listening.address, material(fleet, 'proxy-p1', ['spiffe://ringside/control-plane/*'])),
      'a',
    ),
    {
      code: grpc.status.UNAVAILABLE,
      details: /certificate is for spiffe:\/\/ringside\/node\/n1, localhost, which is not/,
    },
  );
});

t.test('gRPC uses replaced certificates for new connections, and open ones go on', async (t) => {
  const dir = join(root, 'grpcs');
  await install(dir, 'node-n1');
  const server = material(dir, 'me');
  const { listening } = await grpcServer(t, { tls: server });
  const forN1 = material(fleet, 'proxy-p1', ['spiffe://ringside/node/n1']);
  const forN2 = material(fleet, 'proxy-p1', ['spiffe://ringside/node/n2']);
  const old = client(t, listening.address, forN1);
  t.equal(await unary(old, 'a'), 'a!');
  await install(dir, 'node-n2');
  t.ok(await server.reload());
  t.equal(await unary(old, 'b'), 'b!');
  t.equal(await unary(client(t, listening.address, forN2), 'c'), 'c!');
  await t.rejects(unary(client(t, listening.address, forN1), 'd'), { code: grpc.status.UNAVAILABLE });

  const me = join(root, 'grpc-client');
  await install(me, 'node-n1');
  const own = material(me, 'me');
  const picky = await grpcServer(t, { tls: material(fleet, 'node-n2', ['spiffe://ringside/node/n2']) });
  await t.rejects(unary(client(t, picky.listening.address, own), 'e'), { code: grpc.status.UNAVAILABLE });
  await install(me, 'node-n2');
  await own.reload();
  t.equal(await unary(client(t, picky.listening.address, own), 'f'), 'f!');
});

t.test(
  'a gRPC server lets calls finish, bounds connections, and shrugs off what is not HTTP/2',
  async (t) => {
    const { listening, lines } = await grpcServer(t, { maxConnections: 3 });
    const one = client(t, listening.address);
    t.equal(await unary(one, 'a'), 'a!');
    await raw(listening, 'GET / HTTP/1.1\r\n\r\n');
    const idle = [1, 2, 3].map(() => net.connect(listening.port, '127.0.0.1').on('error', () => {}));
    await until('the limit is reached', () => lines.some((line) => line.reason === 'connection limit'));
    t.equal(await unary(one, 'b'), 'b!');
    for (const socket of idle) socket.destroy();
    const last = unary(one, 'slow');
    await unary(one, 'the slow call is on its way');
    await listening.close(60_000);
    t.equal(await last, 'slow');
    await t.rejects(unary(one, 'c'), { code: grpc.status.UNAVAILABLE });
  },
);

t.test('a gRPC connection that says nothing is closed, one that speaks stays', async (t) => {
  for (const secure of [false, true]) {
    const tls = secure ? material(fleet, 'node-n1') : undefined;
    const { listening } = await grpcServer(t, { tls, handshakeTimeoutMs: 2000 });
    const speaking = client(t, listening.address, secure ? material(fleet, 'proxy-p1') : undefined);
    t.equal(await unary(speaking, 'a'), 'a!');
    const options = { host: '127.0.0.1', port: listening.port, timeoutMs: 5000 };
    const mute = await openSocket({ ...options, tls: secure ? material(fleet, 'proxy-p1') : undefined });
    mute.resume();
    await new Promise((resolve) => mute.once('close', resolve));
    await until('one is left', () => listening.connections === 1);
    t.equal(await unary(speaking, 'b'), 'b!');
  }
});

t.test('a resubscribing stream comes back after an end, a fall of the server, and silence', async (t) => {
  const port = await freePort();
  let { listening, streams } = await grpcServer(t, { port });
  const { log, lines } = captureLog();
  const received: string[] = [];
  const downs: string[] = [];
  let disposed = 0;
  let opened = 0;
  const stream = resubscribingStream<string, string>({
    open: () => {
      if (++opened === 1) throw new Error('no address yet');
      const own = new grpc.Client(`127.0.0.1:${port}`, grpcChannelCredentials(), {
        'grpc.use_local_subchannel_pool': 1,
      });
      const call = own.makeBidiStreamRequest('/test.Echo/Stream', text.serialize, text.deserialize);
      return {
        stream: call,
        dispose: () => {
          disposed++;
          own.close();
        },
      };
    },
    onOpen: (send) => send(`hello ${opened}`),
    onMessage: (message) => received.push(message),
    onDown: (reason) => downs.push(reason),
    backoff: { initialMs: 5, maxMs: 20 },
    silenceTimeoutMs: 3000,
    random: systemRandom,
    log,
  });
  t.teardown(() => stream.close());
  t.equal(stream.send('too early'), false);
  await until('it is up', () => stream.up);
  t.same(received, ['hello 2!']);
  t.match(downs, ['no address yet']);
  t.ok(stream.send('x'));
  await until('the answer is here', () => received.includes('x!'));

  streams.calls[0].end();
  await until('it is up again', () => received.includes('hello 3!'));

  await listening.close();
  await until('it noticed', () => !stream.up);
  t.equal(stream.send('lost'), false);
  ({ listening, streams } = await grpcServer(t, { port }));
  await until('it is up again', () => stream.up);

  const before = opened;
  stream.send('mute');
  await until('silence was noticed', () => downs.includes('nothing arrived for 3000 ms'));
  await until('it is up again', () => stream.up);
  t.ok(opened > before);

  stream.close();
  t.equal(stream.send('closed'), false);
  await until('the call is gone', () => streams.calls.at(-1)?.cancelled);
  t.equal(disposed, opened - 1, 'every channel was closed');
  t.ok(lines.length < opened + 3, 'the same reason is not logged again and again');
});

/** A certificate of one authority that trusts the servers of the fleet. */
function withAuthority(dir: string, name: string): TlsMaterial {
  const files = { ca: join(fleet, 'ca.crt'), cert: join(dir, `${name}.crt`), key: join(dir, `${name}.key`) };
  const made = loadTls(files, silentLogger, { reloadMs: 1_000_000 });
  materials.push(made);
  return made;
}

async function install(dir: string, name: string): Promise<void> {
  await mkdir(dir, { recursive: true });
  await copyFile(join(fleet, 'ca.crt'), join(dir, 'ca.crt'));
  await copyFile(join(fleet, `${name}.crt`), join(dir, 'me.crt'));
  await copyFile(join(fleet, `${name}.key`), join(dir, 'me.key'));
}
