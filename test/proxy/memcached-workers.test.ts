import { promisify } from 'node:util';
import Memcached from 'memcached';
import t, { type Test } from 'tap';
import { type MemcachedStack, memcachedNodes, memcachedProxy } from '../support/memcached-stack.ts';
import { proxyWith } from '../support/proxy-under-test.ts';
import { until } from '../support/until.ts';

/* Several threads that listen for memcached on one port: to clients they are one server. */

/** So many that both threads have some of them, but for one time in two thousand. */
const CLIENTS = 12;

const nodes = await memcachedNodes(t, 2);
const stackOf = (t: Test, options: object = {}) => memcachedProxy(t, nodes, { workers: 2, ...options });
const stack = await stackOf(t);
const crowdOf = (stack: MemcachedStack) => Array.from({ length: CLIENTS }, () => stack.client());

/** The rows of `stats`, by name. */
function rowsOf(text: string): Record<string, string> {
  return Object.fromEntries(
    text
      .split('\r\n')
      .filter((line) => line.startsWith('STAT '))
      .map((line) => line.slice(5).split(' ') as [string, string]),
  );
}

t.test('every client sees the same data and the same totals', async (t) => {
  const crowd = crowdOf(stack);
  await Promise.all(crowd.map((client, i) => client.ask(`set k:${i} ${i} 0 2\r\nv${i % 10}\r\n`)));
  for (const [i, client] of crowd.entries()) {
    const other = (i + 5) % CLIENTS;
    t.equal(
      await client.ask(`get k:${other}\r\n`),
      `VALUE k:${other} ${other} 2\r\nv${other % 10}\r\nEND\r\n`,
    );
  }
  for (const client of crowd) {
    const rows = rowsOf(await client.ask('stats\r\n'));
    t.match(rows, {
      threads: '2',
      max_connections: '20000',
      curr_connections: `${CLIENTS}`,
      total_connections: `${CLIENTS}`,
      rejected_connections: '0',
      cmd_set: `${CLIENTS}`,
      cmd_get: `${CLIENTS}`,
      get_hits: `${CLIENTS}`,
      curr_items: `${CLIENTS}`,
    });
  }
  const clients = Object.entries(rowsOf(await crowd[3].ask('stats conns\r\n')));
  const ports = crowd.map(({ socket }) => `tcp:127.0.0.1:${socket.localPort}`);
  t.same(
    clients
      .filter(([name]) => name.endsWith(':addr'))
      .map(([, address]) => address)
      .toSorted(),
    ports.toSorted(),
  );
  t.equal(rowsOf(await crowd[0].ask('stats settings\r\n')).num_threads, '2');
  t.equal(await crowd[1].ask('stats reset\r\n'), 'RESET\r\n');
  for (const client of crowd)
    t.match(rowsOf(await client.ask('stats\r\n')), { cmd_set: '0', curr_items: `${CLIENTS}` });
  crowd[0].socket.destroy();
  await until(
    'one is gone',
    async () => rowsOf(await crowd[1].ask('stats\r\n')).curr_connections === `${CLIENTS - 1}`,
  );
});

t.test('answers keep their order around what all threads are asked', async (t) => {
  for (const client of crowdOf(stack).slice(0, 4)) {
    const text = await client.ask(
      'set a 0 0 1\r\n1\r\nstats reset\r\nget a\r\nflush_all 1000\r\nflush_all\r\nget a\r\n',
    );
    t.equal(text, 'STORED\r\nRESET\r\nVALUE a 0 1\r\n1\r\nEND\r\nOK\r\nOK\r\nEND\r\n');
  }
});

t.test('one delayed flush is pending at most, whoever asks', async (t) => {
  const crowd = crowdOf(stack);
  await crowd[0].ask('set a 0 0 1\r\n1\r\n');
  for (const client of crowd) t.equal(await client.ask('flush_all 4\r\n'), 'OK\r\n');
  t.equal(await crowd[0].ask('flush_all 3600\r\n'), 'OK\r\n');
  await new Promise((resolve) => setTimeout(resolve, 4500));
  t.match(await crowd[1].ask('get a\r\n'), /^VALUE a/, 'the one asked for last counts');
  t.equal(await crowd[2].ask('flush_all 1 noreply\r\n'), '');
  await until('it is flushed', async () => (await crowd[3].ask('get a\r\n')) === 'END\r\n');
  await crowd[4].ask('set a 0 0 1\r\n1\r\nflush_all 1\r\n');
  await crowd[5].ask('flush_all\r\nset a 0 0 1\r\n2\r\n');
  await new Promise((resolve) => setTimeout(resolve, 1200));
  t.match(await crowd[6].ask('get a\r\n'), /^VALUE a 0 1\r\n2/, 'a flush now ends the one to come');
});

t.test('npm memcached, with many connections', async (t) => {
  const client = new Memcached(stack.address, { retries: 0, timeout: 10_000, poolSize: CLIENTS });
  t.teardown(() => client.end());
  const set = promisify<string, string, number, boolean>(client.set.bind(client));
  const get = promisify<string, string>(client.get.bind(client) as never);
  const names = Array.from({ length: CLIENTS }, (_, i) => `js:${i}`);
  for (let round = 0; round < 10; round++) {
    const values = names.map((name) => `${round} of ${name}`);
    await Promise.all(names.map((name, i) => set(name, values[i], 100)));
    t.same(await Promise.all(names.map((name) => get(name))), values);
  }
});

t.test('a password holds in every thread, and changes in all of them', async (t) => {
  const stack = await stackOf(t, { requirePass: 'secret' });
  const logIn = async (client: ReturnType<typeof stack.client>, password: string) => {
    const value = `default ${password}`;
    client.socket.write(`set auth 0 0 ${value.length}\r\n${value}\r\n`);
    await until('it is answered', () => client.text.endsWith('\r\n'));
    return client.text;
  };
  for (const client of crowdOf(stack)) {
    client.socket.write('get a\r\n');
    await until('it is refused', () => client.text === 'CLIENT_ERROR unauthenticated\r\n');
  }
  for (const client of crowdOf(stack)) t.equal(await logIn(client, 'secret'), 'STORED\r\n');
  const admin = stack.under.client();
  await admin.text('AUTH', 'secret');
  await admin.text('CONFIG', 'SET', 'requirepass', 'other');
  for (const client of crowdOf(stack))
    t.equal(await logIn(client, 'secret'), 'CLIENT_ERROR authentication failure\r\n');
  for (const client of crowdOf(stack)) t.equal(await logIn(client, 'other'), 'STORED\r\n');
});

t.test('without RESP; the port is one process’s', async (t) => {
  const stack = await stackOf(t, { respPort: 'off' });
  t.same(Object.keys(stack.under.proxy.listeners), ['memcached']);
  t.equal(await stack.client().ask('set a 0 0 1\r\n1\r\n'), 'STORED\r\n');
  const memcachedPort = Number(stack.address.split(':')[1]);
  const upstreams = [{ name: 's0', leader: stack.nodes[0], followers: [] }];
  for (const workers of [1, 2])
    await t.rejects(proxyWith(t, { upstreams, workers, memcachedPort }), {
      code: 'port_in_use',
      message: /proxy\.memcachedPort/,
    });
  t.equal(await stack.client().ask('get a\r\n'), 'VALUE a 0 1\r\n1\r\nEND\r\n');
  const last = stack.client();
  t.match(await last.ask('version\r\n'), /^VERSION/);
  await stack.under.proxy.close();
  await until('clients are let go', () => last.isClosed);
});
