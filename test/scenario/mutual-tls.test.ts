import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import tls from 'node:tls';
import t from 'tap';
import { Authority } from '../../cli/certs/index.ts';
import { calm, DevCluster, ringside } from '../support/dev-cluster.ts';
import { RespClient } from '../support/resp-client.ts';
import { until } from '../support/until.ts';
import { Load } from './load.ts';

/* `ringside dev --tls`: every link is mutual TLS, and who does not belong is refused, with the reason in the log. */

const cluster = await DevCluster.start('--tls', '--shards', '1', '--followers', '1', ...calm(3000));
t.teardown(() => cluster.stop());
const ready = await cluster.whole(1, 1);
const { leader, followers } = ready.shards[0];

const certs = join(cluster.dir, 'certs');
const file = (name: string) => readFileSync(join(certs, name), 'utf8');
const ca = file('ca.crt');
const member = { ca, ...cluster.clientIdentity() };
const fleet = await Authority.load({ cert: ca, key: file('ca.key') });
const foreign = await Authority.create({ days: 1 });
const leaf = (uri: string) => ({ name: 'intruder', uris: [uri], dns: ['localhost'], ips: ['127.0.0.1'] });
const intruders = {
  'no certificate': {},
  'unknown CA': await foreign.issue(leaf('spiffe://ringside/client/dev'), { days: 1 }),
  'name not allowed': await fleet.issue(leaf('spiffe://elsewhere/client/dev'), { days: 1 }),
};

const listeners: Record<string, string> = {
  'proxy RESP': cluster.at(7379),
  'proxy HTTP': cluster.at(7380),
  'proxy gRPC': cluster.at(7381),
  'proxy memcached': cluster.at(7311),
  'node RESP': leader!.address,
  'control plane HTTP': cluster.at(7400),
  'control plane gRPC': cluster.at(7401),
};

/** What comes back over TLS on `hello` before the other side ends the connection; `refused` when nothing does. */
async function answer(address: string, identity: tls.SecureContextOptions, hello: string): Promise<string> {
  const [host, port] = address.split(':');
  const socket = tls.connect({
    ...{ host, port: Number(port), ca, ...identity },
    ...{ checkServerIdentity: () => undefined, ALPNProtocols: ['h2', 'http/1.1'] },
  });
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1');
    socket.end();
  });
  socket.on('error', () => {});
  socket.write(hello);
  await new Promise<void>((done) => socket.once('close', () => done()));
  return received || 'refused';
}

t.test('who belongs is served through every protocol', async (t) => {
  const client = new RespClient(cluster.at(7379), { ...member, checkServerIdentity: () => undefined });
  t.equal(await client.text('SET', 'k', 'v'), 'OK');
  t.equal(await client.text('GET', 'k'), 'v');
  client.close();
  const head = 'GET /v1/key/k HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
  t.match(await answer(cluster.at(7380), member, head), /^HTTP\/1.1 200 .*/);
  const status = await ringside(
    ...['ctl', 'status', '--json', '--control-plane', `https://${cluster.at(7400)}`],
    ...['--cacert', join(certs, 'ca.crt'), '--cert', join(certs, 'client-dev.crt')],
    ...['--key', join(certs, 'client-dev.key')],
  );
  t.equal(JSON.parse(status).shards.length, 1, 'ctl');
});

t.test('plain text is not spoken', async (t) => {
  for (const [name, address] of Object.entries(listeners)) {
    const client = new RespClient(address);
    await t.rejects(client.send('PING'), name);
  }
});

for (const [reason, identity] of Object.entries(intruders)) {
  t.test(`refused everywhere: ${reason}`, async (t) => {
    for (const [name, address] of Object.entries(listeners)) {
      const hello = name.endsWith('RESP') ? 'PING\r\n' : 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n';
      t.equal(await answer(address, identity, hello), 'refused', name);
    }
    await until(`the log names the listener and the reason "${reason}"`, () =>
      cluster.process.stderr().includes(`connection refused: ${reason}`),
    );
  });
}

t.test('a leader killed under load: the fleet heals over mutual TLS', async (t) => {
  const load = new Load(cluster.at(7379), 20, 'ok', { ...member, checkServerIdentity: () => undefined });
  load.start(4);
  const started = performance.now();
  await until('every key was written', () => load.allWrittenSince(started));
  const killedAt = performance.now();
  process.kill(leader!.pid, 'SIGKILL');
  await until('every key is written again', () => load.allWrittenSince(killedAt));
  await load.stop();
  t.strictSame([...load.errors.reads], [], 'no read failed');
  const now = (await cluster.status()).shards[0];
  t.equal(now.leader?.id, followers[0].id, 'the follower leads');
});
