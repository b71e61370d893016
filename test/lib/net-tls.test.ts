import { copyFile, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import t, { type Test } from 'tap';
import { Authority, makeCerts } from '../../cli/certs/index.ts';
import { silentLogger } from '../../lib/base/index.ts';
import { createMetrics } from '../../lib/metrics/index.ts';
import {
  connectSocket,
  createServer,
  type ListeningServer,
  type ListenOptions,
  loadTls,
  openSocket,
  type Peer,
  type TlsMaterial,
} from '../../lib/net/index.ts';
import { captureLog, type LogLine } from '../support/capture-log.ts';
import { until } from '../support/until.ts';

const root = t.testdir();
const fleet = join(root, 'fleet');
const strangers = join(root, 'strangers');
const materials: TlsMaterial[] = [];

t.before(async () => {
  await makeCerts({ dir: fleet, identities: ['node/n1', 'node/n2', 'proxy/p1', 'proxy/p2'] });
  await makeCerts({ dir: strangers, identities: ['node/n1', 'proxy/p1'] });
});
t.teardown(() => {
  for (const material of materials) material.close();
});

/** Material that never polls by itself. */
function material(dir: string, name: string, allowedNames: string[] = [], log = silentLogger): TlsMaterial {
  const files = {
    ca: join(dir, 'ca.crt'),
    cert: join(dir, `${name}.crt`),
    key: join(dir, `${name}.key`),
    allowedNames,
  };
  const made = loadTls(files, log, { reloadMs: 1_000_000 });
  materials.push(made);
  return made;
}

interface Echo {
  server: ListeningServer;
  lines: LogLine[];
  peers: Peer[];
  /** Bytes that reached the application. */
  received: string[];
}

async function echo(test: Test, options: Partial<ListenOptions> = {}): Promise<Echo> {
  const { log, lines } = captureLog();
  const peers: Peer[] = [];
  const received: string[] = [];
  const server = await createServer(
    { name: 'resp', setting: 'node.port', host: '127.0.0.1', port: 0, maxConnections: 100, log, ...options },
    (socket, peer) => {
      peers.push(peer);
      socket.on('data', (chunk) => {
        received.push(String(chunk));
        socket.write(chunk);
      });
    },
  );
  test.teardown(() => server.close());
  return { server, lines, peers, received };
}

function dial(server: ListeningServer, withTls?: TlsMaterial): Promise<net.Socket> {
  return openSocket({ host: '127.0.0.1', port: server.port, tls: withTls, timeoutMs: 5000 });
}

async function ask(socket: net.Socket, text: string): Promise<string> {
  socket.write(text);
  return String(await new Promise((resolve) => socket.once('data', resolve)));
}

/** Connects by hand, sends at once, and resolves when the server has hung up. */
async function knock(server: ListeningServer, options: tls.ConnectionOptions): Promise<void> {
  const socket = tls.connect({ host: '127.0.0.1', port: server.port, rejectUnauthorized: false, ...options });
  socket.on('error', () => {});
  socket.on('secureConnect', () => socket.write('SET a 1\r\n'));
  socket.on('session', (session) => sessions.push(session));
  socket.resume();
  await new Promise((resolve) => socket.once('close', resolve));
}
const sessions: Buffer[] = [];

async function pemOf(dir: string, name: string): Promise<{ cert: Buffer; key: Buffer }> {
  return { cert: await readFile(join(dir, `${name}.crt`)), key: await readFile(join(dir, `${name}.key`)) };
}

t.test('both sides show a certificate with an allowed name', async (t) => {
  const { server, peers } = await echo(t, { tls: material(fleet, 'node-n1', ['spiffe://ringside/proxy/*']) });
  const socket = await dial(server, material(fleet, 'proxy-p1', ['spiffe://ringside/node/n1']));
  t.equal(await ask(socket, 'hello'), 'hello');
  t.same(peers[0].names, ['spiffe://ringside/proxy/p1', 'localhost']);
  t.equal(peers[0].address, `127.0.0.1:${socket.localPort}`);
  socket.end();
  await until('the connection is forgotten', () => server.connections === 0);
});

t.test('a connection over the limit is refused before its handshake, and counted', async (t) => {
  let refused = 0;
  const { server, lines, peers } = await echo(t, {
    tls: material(fleet, 'node-n1', ['spiffe://ringside/proxy/*']),
    maxConnections: 1,
    lastWords: '-OVERLOADED too many\r\n',
    onRefused: () => refused++,
  });
  const own = material(fleet, 'proxy-p1', ['spiffe://ringside/node/n1']);
  const socket = await dial(server, own);
  await t.rejects(dial(server, own));
  t.equal(refused, 1);
  t.match(lines, [{ reason: 'connection limit' }]);
  t.equal(await ask(socket, 'still here'), 'still here');
  t.equal(peers.length, 1);
  socket.end();
});

t.test(
  'a refused client is named in the log with the reason, and none of its bytes is processed',
  async (t) => {
    const { server, lines, peers, received } = await echo(t, {
      tls: material(fleet, 'node-n1', ['spiffe://ringside/proxy/*']),
    });
    const past = { days: 1, nowMs: Date.parse('2020-01-01') };
    const authority = await Authority.load(await textsOf(fleet, 'ca'));
    const forged = await Authority.create({ days: 1 }, authority.name);
    const leaf = { name: 'p9', uris: ['spiffe://ringside/proxy/p9'], dns: [], ips: [] };
    const cases: [reason: string, names: string[], options: tls.ConnectionOptions][] = [
      ['no certificate', [], {}],
      ['unknown CA', ['spiffe://ringside/proxy/p1', 'localhost'], await pemOf(strangers, 'proxy-p1')],
      ['unknown CA', ['spiffe://ringside/proxy/p9'], await forged.issue(leaf, { days: 1 })],
      ['certificate expired', ['spiffe://ringside/proxy/p9'], await authority.issue(leaf, past)],
      ['name not allowed', ['spiffe://ringside/node/n1', 'localhost'], await pemOf(fleet, 'node-n1')],
      ['no certificate', [], { maxVersion: 'TLSv1.2' }],
      [
        'name not allowed',
        ['spiffe://ringside/node/n1', 'localhost'],
        { ...(await pemOf(fleet, 'node-n1')), maxVersion: 'TLSv1.2' },
      ],
    ];
    for (const [reason, names, options] of cases) {
      lines.length = 0;
      await knock(server, options);
      const line = await until(`a refusal is logged: ${reason}`, () => lines[0]);
      t.match(line, { level: 'warn', listener: 'resp', reason, names, peer: /^127\.0\.0\.1:\d+$/ }, reason);
      t.equal(line.msg, `connection refused: ${reason}`);
      t.equal(line.fingerprint === '', reason === 'no certificate', 'the certificate is identified');
    }
    t.same(peers, [], 'no refused connection reached the application');
    t.same(received, []);
    await until('all are forgotten', () => server.connections === 0);
  },
);

t.test('a session cannot be resumed, so that every connection shows its certificate', async (t) => {
  const { server, lines } = await echo(t, { tls: material(fleet, 'node-n1') });
  sessions.length = 0;
  await knock(server, {});
  for (const session of sessions.slice()) await knock(server, { session });
  await until('each attempt was refused', () => lines.length === sessions.length + 1 || sessions.length > 5);
  t.ok(lines.every((line) => line.reason === 'no certificate'));
});

t.test(
  'what is no TLS handshake is refused, what stalls in it too, and a bare probe is not worth a line',
  async (t) => {
    const { server, lines, peers } = await echo(t, {
      tls: material(fleet, 'node-n1'),
      handshakeTimeoutMs: 2000,
    });
    const plain = await dial(server);
    plain.write('PING\r\n');
    await new Promise((resolve) => plain.once('close', resolve));
    t.match(await until('it is logged', () => lines[0]), { reason: 'handshake failed', detail: /^ERR_SSL_/ });

    const slow = await dial(server);
    slow.write(Buffer.from([0x16, 0x03]));
    await new Promise((resolve) => slow.once('close', resolve));
    t.match(await until('it is logged', () => lines[1]), { reason: 'handshake timeout' });

    const probe = await dial(server);
    probe.end();
    await until('all are forgotten', () => server.connections === 0);
    t.equal(lines.length, 2);
    t.same(peers, []);
  },
);

t.test('a client refuses a server of another authority, or with a name that is not allowed', async (t) => {
  const { server, peers } = await echo(t, { tls: material(fleet, 'node-n1') });
  const wrongName = material(fleet, 'proxy-p1', [
    'spiffe://ringside/node/n2',
    'spiffe://ringside/control-plane/*',
  ]);
  await t.rejects(dial(server, wrongName), {
    code: 'ERR_TLS_NAME_NOT_ALLOWED',
    message: "the server's certificate is for spiffe://ringside/node/n1, localhost, which is not allowed",
  });
  await t.rejects(dial(server, material(strangers, 'proxy-p1')), {
    code: /SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO/,
  });
  await until('nobody is left', () => server.connections === 0);
  t.equal(peers.length, 0);
});

t.test('a client gives up on a server that does not answer in time', async (t) => {
  const mute = net.createServer((socket) => socket.resume());
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
  const { port } = mute.address() as net.AddressInfo;
  const options = { host: '127.0.0.1', port, tls: material(fleet, 'proxy-p1'), timeoutMs: 30 };
  await t.rejects(openSocket(options), {
    code: 'timeout',
    message: `no connection to 127.0.0.1:${port} within 30 ms`,
  });
  const socket = connectSocket(options, () => t.fail('it cannot be connected'));
  await new Promise((resolve) => socket.once('close', resolve));
  await new Promise((resolve) => mute.close(resolve));
  await t.rejects(openSocket({ host: '127.0.0.1', port, timeoutMs: 5000 }), { code: 'ECONNREFUSED' });
});

t.test('new connections use a replaced certificate, old ones live on', async (t) => {
  const dir = join(root, 'replaced');
  await install(dir, fleet, 'node-n1');
  const own = material(dir, 'me', []);
  const { server } = await echo(t, { tls: own });
  const client = material(fleet, 'proxy-p1');
  const before = (await dial(server, client)) as tls.TLSSocket;
  t.equal(subject(before), 'node-n1');

  t.equal(await own.reload(), false, 'nothing changed');
  await install(dir, fleet, 'node-n2');
  t.equal(await own.reload(), true);
  const after = (await dial(server, client)) as tls.TLSSocket;
  t.equal(subject(after), 'node-n2');
  t.equal(await ask(before, 'still here'), 'still here');

  const { server: other, peers } = await echo(t, { tls: material(fleet, 'node-n1') });
  await ask(await dial(other, own), 'hello');
  t.equal(peers[0].names[0], 'spiffe://ringside/node/n2', 'as a client too');
});

t.test('a replaced authority shuts out the certificates of the former one', async (t) => {
  const dir = join(root, 'authority');
  await install(dir, fleet, 'node-n1');
  const own = material(dir, 'me');
  const { server, lines, peers } = await echo(t, { tls: own });
  await ask(await dial(server, material(fleet, 'proxy-p1')), 'in');
  await install(dir, strangers, 'node-n1');
  await own.reload();
  await knock(server, await pemOf(fleet, 'proxy-p1'));
  t.match(await until('it is refused', () => lines[0]), { reason: 'unknown CA' });
  await ask(await dial(server, material(strangers, 'proxy-p1')), 'in');
  t.equal(peers.length, 2);
});

t.test('files are watched; a broken set keeps the former one and is logged once', async (t) => {
  const dir = join(root, 'watched');
  await install(dir, fleet, 'node-n1');
  const { log, lines } = captureLog();
  const files = { ca: join(dir, 'ca.crt'), cert: join(dir, 'me.crt'), key: join(dir, 'me.key') };
  const metrics = createMetrics();
  const own = loadTls(files, log, { reloadMs: 5, metrics });
  t.teardown(() => own.close());
  const { server } = await echo(t, { tls: own });
  const client = material(fleet, 'proxy-p1');

  // Renamed into place: a half written file would be one more problem.
  const replace = async (path: string, from: string) => {
    await copyFile(from, `${path}.new`);
    await rename(`${path}.new`, path);
  };
  await writeFile(join(dir, 'garbage'), 'garbage');
  await replace(files.cert, join(dir, 'garbage'));
  await until('the problem is logged', () => lines.length > 0);
  t.match(lines[0], { level: 'error', reason: new RegExp(`^tls\\.cert ${files.cert} cannot be used`) });
  t.equal(await own.reload(), false);
  t.equal(await own.reload(), false);
  await replace(files.cert, join(fleet, 'node-n2.crt'));
  await until('the other problem is logged', () => lines.length > 1);
  t.match(lines[1].reason, /is not the key of/);
  const socket = (await dial(server, client)) as tls.TLSSocket;
  t.equal(subject(socket), 'node-n1');
  socket.destroy();

  await replace(files.key, join(fleet, 'node-n2.key'));
  await until('the pair is whole', () => own.certificate.subject === 'CN=node-n2');
  t.match(lines[2], { level: 'info', msg: 'certificate reloaded' });
  t.equal(lines.length, 3);
  const next = (await dial(server, client)) as tls.TLSSocket;
  t.equal(subject(next), 'node-n2');
  next.destroy();
  const values = metrics
    .snapshot()
    .flatMap(({ samples }) => samples.map(({ labels, value }) => [labels, value]));
  t.match(values, [
    [{ setting: 'tls' }, own.certificate.validToDate.getTime() / 1000],
    [{ setting: 'tls', result: 'ok' }, 1],
    [{ setting: 'tls', result: 'not usable' }, 2],
  ]);
});

t.test('files that cannot be used at the start are one clear sentence', async (t) => {
  const dir = join(root, 'unusable');
  await install(dir, fleet, 'node-n1');
  const load = (change: object) => () =>
    loadTls(
      { ca: join(dir, 'ca.crt'), cert: join(dir, 'me.crt'), key: join(dir, 'me.key'), ...change },
      silentLogger,
      { setting: 'proxy.clientTls' },
    );
  t.throws(load({ ca: '/nowhere/ca.crt' }), {
    code: 'config_invalid',
    message: /^proxy\.clientTls\.ca \/nowhere\/ca\.crt cannot be used: ENOENT/,
  });
  t.throws(load({ key: join(dir, 'me.crt') }), {
    code: 'config_invalid',
    message: /^proxy\.clientTls\.key /,
  });
  t.throws(load({ key: join(fleet, 'node-n2.key') }), {
    code: 'config_invalid',
    message: /is not the key of/,
  });
  const authority = await Authority.load(await textsOf(fleet, 'ca'));
  const old = await authority.issue({ name: 'old', uris: [], dns: ['old'], ips: [] }, { days: 1, nowMs: 0 });
  await writeFile(join(dir, 'me.crt'), old.cert);
  await writeFile(join(dir, 'me.key'), old.key);
  t.throws(load({}), { code: 'config_invalid', message: /expired on Jan {2}2 .* 1970/ });
});

async function install(dir: string, from: string, name: string): Promise<void> {
  await mkdir(dir, { recursive: true });
  await copyFile(join(from, 'ca.crt'), join(dir, 'ca.crt'));
  await copyFile(join(from, `${name}.crt`), join(dir, 'me.crt'));
  await copyFile(join(from, `${name}.key`), join(dir, 'me.key'));
}

async function textsOf(dir: string, name: string): Promise<{ cert: string; key: string }> {
  const { cert, key } = await pemOf(dir, name);
  return { cert: String(cert), key: String(key) };
}

function subject(socket: tls.TLSSocket): string {
  return String(socket.getPeerCertificate().subject.CN);
}
