import { writeFileSync } from 'node:fs';
import https from 'node:https';
import { join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { Authority } from '../../cli/certs/index.ts';
import { folder } from '../support/folder.ts';
import { MemcachedClient } from '../support/memcached-client.ts';
import { wakingClock } from '../support/patience.ts';
import { fakeNodes, proxyWith, upstreamsOf } from '../support/proxy-under-test.ts';
import { RespClient } from '../support/resp-client.ts';
import { packages } from './grpc-contract.ts';

/* Rates of client identities and of namespaces: the right error over each protocol, a counter, a line of log with the setting, and nobody else notices. */

const all = { httpPort: 'auto', memcachedPort: 'auto', adminPort: 'auto' };

async function proxyOf(t: Test, options: object, rest: object = {}) {
  const [node] = await fakeNodes(t, 1);
  const upstreams = upstreamsOf([{ leader: node }]);
  return {
    node,
    ...(await proxyWith(t, { upstreams, engine: 'redis', ...all, ...options }, rest, wakingClock(t))),
  };
}

const reached = async (admin: string, setting: string) => {
  const text = await (await fetch(`http://${admin}/metrics`)).text();
  return Number(
    text.split(`ringside_proxy_limit_reached_total{setting="${setting}"} `)[1]?.split('\n')[0] ?? 0,
  );
};

t.test('commands of one client identity', async (t) => {
  const users = [{ name: 'app', rules: 'on >secret ~* &* +@all' }];
  const test = await proxyOf(t, { limits: { maxCommandsPerSecond: 50 }, users });
  const guest = test.client();
  const app = test.client();
  await app.text('AUTH', 'app', 'secret');
  const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => guest.send('SET', `k${i}`, 'v')));
  const refused = answers
    .filter((answer) => answer instanceof Error)
    .map((answer) => (answer as Error).message);
  const passed = 200 - refused.length;
  t.ok(passed >= 40 && passed <= 150, `${passed} passed`);
  const setting = 'proxy.limits.maxCommandsPerSecond';
  t.equal(refused[0], `OVERLOADED client 127.0.0.1 sends more than 50 commands a second (${setting})`);
  t.equal(test.node.store.size, passed, 'what was refused was not executed');
  t.equal(await app.text('SET', 'app', '1'), 'OK', 'another user is another identity');
  const other = test.client();
  const both = await Promise.all(
    [guest, other].map((one) => Promise.all(Array.from({ length: 100 }, () => one.send('GET', 'a')))),
  );
  const late = both.flat().filter((answer) => answer instanceof Error).length;
  t.ok(late >= 50, `${late} of 200 refused: two connections of one host have one rate`);
  const { admin } = test.proxy.listeners;
  t.ok((await reached(admin, setting)) >= refused.length);
  const lines = test.log.filter((line) => line.setting === setting);
  t.match(lines, [{ level: 'warn', msg: 'a limit is reached', client: 'client 127.0.0.1' }]);
});

t.test('over memcached and HTTP the same client has the same rate', async (t) => {
  const test = await proxyOf(t, { limits: { maxCommandsPerSecond: 1 } });
  const { http, memcached } = test.proxy.listeners;
  const client = new MemcachedClient(t, memcached);
  const [first, ...rest] = await Promise.all(
    Array.from({ length: 5 }, () => fetch(`http://${http}/v1/key/a`)),
  );
  const all = [first, ...rest];
  const refused = all.filter(({ status }) => status === 429);
  t.ok(refused.length >= 2, all.map(({ status }) => status).join());
  t.match(await refused[0].json(), {
    error: {
      code: 'rate_limited',
      message: /^client 127\.0\.0\.1 sends more than 1 commands a second \(proxy\.limits/,
    },
  });
  client.socket.write('get a\r\nget a\r\nget a\r\n');
  while (!client.text.includes('SERVER_ERROR')) await new Promise((resolve) => setTimeout(resolve, 5));
  t.match(
    client.text,
    /SERVER_ERROR client 127\.0\.0\.1 sends more than 1 commands a second \(proxy\.limits\.maxCommandsPerSecond\)\r\n/,
  );
});

t.test('clients that show certificates have a rate for each name', async (t) => {
  const dir = folder(t, 'rates');
  const authority = await Authority.create({ days: 1 });
  const issue = (name: string) =>
    authority.issue(
      { name, uris: [`spiffe://rates/${name}`], dns: ['localhost'], ips: ['127.0.0.1'] },
      { days: 1 },
    );
  const pem = (name: string, text: string) => {
    writeFileSync(join(dir, name), text);
    return join(dir, name);
  };
  const own = await issue('proxy');
  const ca = authority.pem.cert;
  const test = await proxyOf(t, {
    limits: { maxCommandsPerSecond: 1 },
    grpcPort: 'auto',
    adminTls: 'off',
    clientTls: {
      ca: pem('ca', ca),
      cert: pem('cert', own.cert),
      key: pem('key', own.key),
      allowedNames: ['spiffe://rates/*'],
    },
  });
  const refusal = (name: string) =>
    `certificate spiffe://rates/${name} sends more than 1 commands a second (proxy.limits.maxCommandsPerSecond)`;
  const identityOf = async (name: string) => ({
    ...{ ca, ...(await issue(name)), checkServerIdentity: () => undefined },
  });

  const [one, two] = await Promise.all(
    ['one', 'two'].map(async (name) => new RespClient(test.resp, await identityOf(name))),
  );
  t.teardown(() => [one, two].map((client) => client.close()));
  const answers = await Promise.all(Array.from({ length: 20 }, () => one.send('GET', 'a')));
  t.match(answers.at(-1), { message: `OVERLOADED ${refusal('one')}` });
  t.equal(await two.send('GET', 'a'), null, 'another name is another identity');

  const { http, grpc } = test.proxy.listeners;
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1, ...(await identityOf('three')) });
  t.teardown(() => agent.destroy());
  const bodies = await Promise.all(
    Array.from({ length: 20 }, () => bodyOf(`https://${http}/v1/key/a`, agent)),
  );
  t.match(bodies.at(-1), { error: { code: 'rate_limited', message: refusal('three') } });

  const { key, cert } = await issue('four');
  const four = credentials.createSsl(Buffer.from(ca), Buffer.from(key), Buffer.from(cert));
  const cache = new packages.ringside.v1.Cache(grpc, four);
  t.teardown(() => cache.close());
  const details = await Promise.all(
    Array.from(
      { length: 20 },
      () =>
        new Promise<string>((resolve) =>
          cache.get({ key: Buffer.from('a') }, (error: { details: string } | null) =>
            resolve(error?.details ?? ''),
          ),
        ),
    ),
  );
  t.ok(details.includes(refusal('four')), details.join());
});

function bodyOf(url: string, agent: https.Agent): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const request = https.get(url, { agent }, async (response) => {
      let text = '';
      for await (const chunk of response) text += chunk;
      resolve(text === '' ? null : JSON.parse(text));
    });
    request.once('error', reject);
  });
}

t.test('reads and writes of one namespace', async (t) => {
  const namespaces = [
    { name: 'free', prefix: 'free:' },
    { name: 'busy', prefix: 'busy:', maxReadsPerSecond: 20, maxWritesPerSecond: 10 },
  ];
  const test = await proxyOf(t, {}, { namespaces });
  const c = test.client();
  const burst = async (...parts: string[]) => {
    const answers = await Promise.all(Array.from({ length: 100 }, () => c.send(...parts)));
    return answers.flatMap((answer) => (answer instanceof Error ? [answer.message] : []));
  };
  const repeat = (name: string, ...rest: string[]) =>
    Array.from({ length: 40 }, () => c.send(name, 'busy:a', ...rest));
  const writes = await burst('SET', 'busy:a', '1');
  t.ok(writes.length >= 60 && writes.length <= 90, `${writes.length} refused`);
  t.equal(
    writes[0],
    'OVERLOADED namespace busy has more than 10 writes a second (namespaces.1.maxWritesPerSecond)',
  );
  const reads = await burst('GET', 'busy:a');
  t.ok(reads.length >= 50 && reads.length <= 80, `${reads.length} refused`);
  t.equal(
    reads[0],
    'OVERLOADED namespace busy has more than 20 reads a second (namespaces.1.maxReadsPerSecond)',
  );
  t.same(await burst('SET', 'free:a', '1'), [], 'others do not notice');
  t.same(await burst('GET', 'free:a'), []);
  // Right behind others: on a busy machine the rate would allow one more by then.
  const several = await Promise.all([...repeat('GET'), c.send('MGET', 'free:a', 'busy:a')]);
  t.match(several.at(-1), { message: /^OVERLOADED namespace busy/ }, 'each key counts');
  const answers = await Promise.all([
    ...repeat('SET', '1'),
    ...[c.send('MULTI'), c.send('SET', 'busy:b', '1'), c.send('EXEC')],
  ]);
  t.match(answers.at(-2), { message: /^OVERLOADED / });
  t.match(answers.at(-1), { message: /^EXECABORT / }, 'a transaction is all or nothing');
  const { http, admin, memcached } = test.proxy.listeners;
  const codes = await Promise.all(Array.from({ length: 40 }, () => fetch(`http://${http}/v1/key/busy:a`)));
  t.ok(codes.some(({ status }) => status === 429));
  const mget = await fetch(`http://${http}/v1/mget`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ keys: [...Array(41).fill('busy:a'), 'free:a'] }),
  });
  t.match(JSON.stringify(await mget.json()), /rate_limited/, 'each key has its own result');
  const client = new MemcachedClient(t, memcached);
  t.match(
    await client.ask(`get${' busy:a'.repeat(41)}\r\n`),
    /^SERVER_ERROR namespace busy has more than 20 reads a second/,
  );
  t.ok((await reached(admin, 'namespaces.1.maxWritesPerSecond')) >= writes.length);
  t.ok((await reached(admin, 'namespaces.1.maxReadsPerSecond')) >= reads.length);
  const settings = test.log.filter(({ msg }) => msg === 'a limit is reached').map(({ setting }) => setting);
  t.same(settings, ['namespaces.1.maxWritesPerSecond', 'namespaces.1.maxReadsPerSecond'], 'a line for each');
});
