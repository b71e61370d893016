import net from 'node:net';
import { credentials } from '@grpc/grpc-js';
import t from 'tap';
import { Pool } from 'undici';
import { fakeNodes, type ProxyUnderTest, proxyWith, upstreamsOf } from '../support/proxy-under-test.ts';
import type { RespClient } from '../support/resp-client.ts';
import { until } from '../support/until.ts';
import { caller, packages } from './grpc-contract.ts';

/* Each limit is reached: the right error, a counter and a line of log that name the setting, and nothing else is affected. (Queues and retries: resilience.test.ts; rates: rates.test.ts.) */

const options = {
  adminPort: 'auto',
  httpPort: 'auto',
  grpcPort: 'auto',
};

interface Case {
  readonly setting: string;
  /** Where connections are one too many; resp unless given. */
  readonly listener?: string;
  readonly limits: object;
  readonly error: RegExp;
  /** Goes over the limit; the error. */
  reach(test: ProxyUnderTest, silent: (name: string) => void): Promise<unknown>;
}

/** Sends a command that is not answered. */
const hang = (client: RespClient, ...parts: string[]) => void client.send(...parts).catch(() => {});

/** What a connection is sent until it is closed, having sent `question`. */
async function toldBy(address: string, question: string): Promise<string> {
  const [host, port] = address.split(':');
  const socket = net.connect(Number(port), host);
  socket.write(question);
  let text = '';
  for await (const chunk of socket) text += chunk;
  return text;
}

const cases: readonly Case[] = [
  {
    setting: 'proxy.limits.maxConnections',
    limits: { maxConnections: 2 },
    error: /^OVERLOADED max number of clients reached \(setting proxy\.limits\.maxConnections\)$/,
    async reach(test) {
      await test.client().text('PING');
      const surplus = test.client();
      return new Promise((resolve) => {
        surplus.readFrames((buffer, start, end) =>
          resolve(new Error(buffer.latin1Slice(start + 1, end - 2))),
        );
      });
    },
  },
  {
    setting: 'proxy.limits.maxConnections',
    listener: 'http',
    limits: { maxConnections: 2 },
    error:
      /^HTTP\/1\.1 503 .*\r\nConnection: close\r\n\r\n\{"error":\{"code":"overloaded","message":".*\(setting proxy\.limits\.maxConnections\)"\}\}$/s,
    async reach(test) {
      const { http } = test.proxy.listeners;
      const pools = [0, 1].map(() => new Pool(`http://${http}`, { connections: 1 }));
      const get = async (pool: Pool) => {
        const { statusCode, body } = await pool.request({ method: 'GET', path: '/v1/key/%7Bd%7D' });
        if (statusCode !== 200) throw new Error(await body.text());
        await body.dump();
      };
      for (const pool of pools) await get(pool);
      const told = await toldBy(http, 'GET /v1/key/a HTTP/1.1\r\nHost: a\r\n\r\n');
      for (const pool of pools) {
        await get(pool);
        await pool.destroy();
      }
      return new Error(told);
    },
  },
  {
    setting: 'proxy.limits.maxConnections',
    listener: 'grpc',
    limits: { maxConnections: 2 },
    error: /^14 UNAVAILABLE: /,
    async reach(test) {
      const { grpc: address } = test.proxy.listeners;
      const clients = Array.from(
        { length: 3 },
        () =>
          new packages.ringside.v1.Cache(address, credentials.createInsecure(), {
            'grpc.use_local_subchannel_pool': 1,
          }),
      );
      const [first, second, surplus] = clients.map(caller);
      const key = Buffer.from('{d}');
      await first('get', { key });
      await second('get', { key });
      const error = await surplus('get', { key }).catch((reason) => reason);
      await first('get', { key });
      await second('get', { key });
      for (const client of clients) client.close();
      return error;
    },
  },
  {
    setting: 'proxy.limits.maxInFlightPerShard',
    limits: { maxInFlightPerShard: 3 },
    error: /^OVERLOADED shard s1 has 3 commands in flight \(proxy\.limits\.maxInFlightPerShard\)$/,
    async reach(test, silent) {
      silent('GET');
      for (let i = 0; i < 3; i++) hang(test.client(), 'GET', '{b}');
      let error: unknown;
      await until('one is refused', async () => {
        const asking = test.client();
        error = await Promise.race([
          asking.send('EXISTS', '{b}'),
          new Promise((done) => setTimeout(done, 500)),
        ]);
        return error instanceof Error;
      });
      return error;
    },
  },
  {
    setting: 'proxy.limits.maxPrivateConnectionsPerNode',
    limits: { maxPrivateConnectionsPerNode: 1 },
    error: /^OVERLOADED .*\(proxy\.limits\.maxPrivateConnectionsPerNode\)$/,
    async reach(test, silent) {
      silent('BLPOP');
      const first = test.client();
      hang(first, 'BLPOP', '{b}', '0');
      let error: unknown;
      await until('one is refused', async () => {
        error = await Promise.race([
          test.client().send('BLPOP', '{b}', '0'),
          new Promise((done) => setTimeout(done, 500)),
        ]);
        return error instanceof Error;
      });
      return error;
    },
  },
  {
    setting: 'proxy.limits.maxDatabaseLinksPerNode',
    limits: { maxDatabaseLinksPerNode: 1 },
    error:
      /^OVERLOADED shard s1: 1 connections for databases other than 0 are in use \(proxy\.limits\.maxDatabaseLinksPerNode\)$/,
    async reach(test, silent) {
      silent('GET');
      const first = test.client();
      await first.text('SELECT', '1');
      hang(first, 'GET', '{b}');
      const second = test.client();
      await second.text('SELECT', '2');
      let error: unknown;
      await until('one is refused', async () => {
        error = await Promise.race([
          second.send('EXISTS', '{b}'),
          new Promise((done) => setTimeout(done, 500)),
        ]);
        return error instanceof Error;
      });
      return error;
    },
  },
  {
    setting: 'proxy.limits.maxWaitsPerNode',
    limits: { maxWaitsPerNode: 1 },
    error: /^OVERLOADED .*proxy\.limits\.maxWaitsPerNode/,
    async reach(test, silent) {
      silent('WAIT');
      // One is under way, ten wait for it, and the next is one too many.
      const clients = Array.from({ length: 20 }, () => test.client());
      for (const client of clients) await client.text('SET', '{b}', 'b');
      return Promise.race(
        clients.map(
          (client) => new Promise((refused) => client.send('WAIT', '1', '0').then(refused, () => {})),
        ),
      );
    },
  },
  {
    setting: 'proxy.limits.maxApiBytes',
    limits: { maxApiBytes: '1mb', maxHttpBodyBytes: '1mb' },
    error: /proxy\.limits\.maxApiBytes \(1048576 bytes\)/,
    async reach(test, silent) {
      silent('SET');
      const url = `http://${test.proxy.listeners.http}/v1/key/%7Bb%7D`;
      const put = () => fetch(url, { method: 'PUT', body: 'x'.repeat(700_000) });
      const texts = [put(), put()].map(async (answer) => (await answer).text());
      return new Error(await Promise.race(texts));
    },
  },
  {
    setting: 'proxy.limits.maxSubscriptions',
    limits: { maxSubscriptions: 2 },
    error: /^OVERLOADED 2 subscriptions are in use \(proxy\.limits\.maxSubscriptions\)$/,
    async reach(test) {
      return test.client().send('SUBSCRIBE', 'a', 'b', 'c');
    },
  },
];

for (const { setting, listener, limits, error, reach } of cases) {
  t.test(listener === undefined ? setting : `${setting} of ${listener}`, async (t) => {
    const nodes = await fakeNodes(t, 2);
    const upstreams = upstreamsOf(nodes.map((leader) => ({ leader })));
    const test = await proxyWith(t, { upstreams, engine: 'redis', ...options, limits });
    const other = test.client();
    // One key of each shard.
    await other.text('SET', '{d}', 'd');
    await other.text('SET', '{b}', 'b');
    const stuck = nodes.find(({ store }) => store.has('{b}'))!;
    t.notOk(stuck.store.has('{d}'), 'they are on two shards');
    let silent = '';
    stuck.refuse = ({ name }) => (name === silent ? 'silent' : undefined);
    const answer = await reach(test, (name) => {
      silent = name;
    });
    t.match((answer as Error).message, error);
    const metrics = await (await fetch(`http://${test.proxy.listeners.admin}/metrics`)).text();
    t.match(metrics, new RegExp(`^ringside_proxy_limit_reached_total\\{setting="${setting}"\\} [1-9]`, 'm'));
    t.match(
      test.log.filter((line) => line.setting === setting),
      [{ level: 'warn', msg: 'a limit is reached', ...(listener !== undefined && { listener }) }],
    );
    if (setting === 'proxy.limits.maxConnections') {
      const labels = `listener="${listener ?? 'resp'}",reason="connection limit"`;
      t.match(metrics, new RegExp(`^ringside_net_refused_total\\{${labels}\\} [1-9]`, 'm'));
      t.match(await other.text('INFO', 'stats'), /^rejected_connections:[1-9]/m);
    }
    t.equal(await other.text('GET', '{d}'), 'd', 'who was there before does not notice');
  });
}
