import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { makeCerts } from '../../cli/certs/index.ts';
import { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';
import { until } from '../support/until.ts';

/* With TLS a socket says a turn later what the kernel has taken: replies still leave in order, once, and none is lost behind a slow reader. */

const dir = join(t.testdir(), 'certs');
const made = await makeCerts({ dir, identities: ['node/a', 'client/b'] });
const [server, own] = made.certs;
const settings = { ca: made.ca, cert: server.cert, key: server.key };
const node = await startStandaloneNode(
  t,
  ...Object.entries(settings).flatMap(([name, file]) => ['--set', `tls.${name}=${file}`]),
);
const identity = { ca: readFileSync(made.ca), cert: readFileSync(own.cert), key: readFileSync(own.key) };

function connect(): RespClient {
  const client = new RespClient(node.ready.resp, { ...identity, checkServerIdentity: () => undefined });
  t.teardown(() => client.close());
  return client;
}

t.test('many small replies, one turn after the other', async (t) => {
  const client = connect();
  for (let round = 0; round < 200; round++) {
    const counts = await Promise.all(Array.from({ length: 50 }, () => client.send('INCR', 'small')));
    t.same(
      counts,
      counts.map((_, i) => round * 50 + i + 1),
    );
  }
});

t.test('a reader that stops: what waits is counted, and comes in order when it reads on', async (t) => {
  const [client, other] = [connect(), connect()];
  const sizes = [10, 1000, 60_000, 200_000, 3_000_000];
  for (const size of sizes) await client.text('SET', `k${size}`, String(size).padEnd(size, '.'));
  client.socket.pause();
  const asked = Array.from({ length: 40 }, (_, i) => sizes[i % sizes.length]);
  const replies = asked.map((size) => client.text('GET', `k${size}`));
  await until('its replies wait', async () => {
    const lines = (await other.text('CLIENT', 'LIST'))!.split('\n');
    return lines.some((line) => Number(/omem=(\d+)/.exec(line)?.[1]) > 1_000_000);
  });
  t.equal(await other.text('GET', 'k10'), '10'.padEnd(10, '.'), 'nobody else waits');
  client.socket.resume();
  const texts = await Promise.all(replies);
  t.same(
    texts.map((text) => [text!.length, Number.parseInt(text!, 10)]),
    asked.map((size) => [size, size]),
  );
  await until('nothing waits any more', async () => {
    const lines = (await other.text('CLIENT', 'LIST'))!.trim().split('\n');
    return lines.every((line) => Number(/omem=(\d+)/.exec(line)?.[1]) === 0);
  });
});
