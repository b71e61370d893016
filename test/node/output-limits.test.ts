import t, { type Test } from 'tap';
import { RespClient } from '../support/resp-client.ts';
import { type Ringside, startStandaloneNode } from '../support/ringside.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

/* Who does not read is closed at the limit of its class, and nobody else notices. */

const MESSAGE = 'x'.repeat(64 * 1024);

function connect(t: Test, address: string): RespClient {
  const client = new RespClient(address);
  t.teardown(() => client.close());
  return client;
}

/** A connection that has sent this and reads nothing any more. */
async function silent(t: Test, node: Ringside, ...command: string[]): Promise<RespClient> {
  const client = connect(t, node.ready.resp);
  await client.send(...command);
  client.socket.pause();
  return client;
}

async function field(client: RespClient, name: string): Promise<string | undefined> {
  return new RegExp(`^${name}:(.*)\r$`, 'm').exec((await client.text('INFO', 'everything'))!)?.[1];
}

/** Clients of a type. */
const count = async (client: RespClient, type: string) =>
  (await client.text('CLIENT', 'LIST', 'TYPE', type))!.split('\n').length - 1;

t.test('limits by class: at the start, and as CONFIG SET says', async (t) => {
  const flags = ['--client-output-buffer-limit', 'pubsub 4mb 0 0', '--min-replicas-max-lag', '7'];
  const node = await startStandaloneNode(t, ...flags, '--set', 'node.replication.maxOutputBytes=9mb');
  const client = connect(t, node.ready.resp);
  const mib = 1024 * 1024;
  const shown = async () => (await client.send('CONFIG', 'GET', 'client-output-buffer-limit'))?.toString();
  const setting = 'client-output-buffer-limit';
  t.equal(await shown(), `${setting},normal 0 0 0 slave ${9 * mib} ${64 * mib} 60 pubsub ${4 * mib} 0 0`);
  await client.text('CONFIG', 'SET', setting, 'replica 5mb 1mb 3 normal 0 0 0');
  t.equal(await shown(), `${setting},normal 0 0 0 slave ${5 * mib} ${mib} 3 pubsub ${4 * mib} 0 0`);
  t.equal((await client.send('CONFIG', 'GET', 'min-slaves-max-lag'))?.toString(), 'min-slaves-max-lag,7');
});

t.test('a subscriber that does not read goes at its hard limit; others get every message', async (t) => {
  const node = await startStandaloneNode(t, '--client-output-buffer-limit', 'pubsub 4mb 0 0');
  const [publisher, reader] = [connect(t, node.ready.resp), connect(t, node.ready.resp)];
  let received = 0;
  await reader.send('SUBSCRIBE', 'channel');
  reader.socket.on('data', (chunk: Buffer) => {
    received += chunk.length;
  });
  await silent(t, node, 'SUBSCRIBE', 'channel');
  t.equal(await count(publisher, 'pubsub'), 2);
  let published = 0;
  // What the kernel takes for the silent one comes before the limit.
  await until('the silent one is gone', async () => {
    for (let i = 0; i < 16; i++) await publisher.send('PUBLISH', 'channel', MESSAGE);
    published += 16;
    return (await count(publisher, 'pubsub')) === 1;
  });
  t.equal(await field(publisher, 'client_output_buffer_limit_disconnections'), '1');
  const wanted =
    published * (MESSAGE.length + '*3\r\n$7\r\nmessage\r\n$7\r\nchannel\r\n$65536\r\n\r\n'.length);
  await until('the other one has every message', async () => received === wanted);
  t.equal(await publisher.text('PUBLISH', 'channel', 'more'), '1');
});

t.test('MONITOR counts as a client like any other', async (t) => {
  const node = await startStandaloneNode(t, '--client-output-buffer-limit', 'normal 4mb 0 0 pubsub 0 0 0');
  const client = connect(t, node.ready.resp);
  const monitor = await silent(t, node, 'MONITOR');
  await until('the silent one is gone', async () => {
    for (let i = 0; i < 16; i++) await client.send('SET', 'key', MESSAGE);
    return (await count(client, 'normal')) === 1;
  });
  t.equal(await field(client, 'client_output_buffer_limit_disconnections'), '1');
  monitor.close();
});

t.test('the soft limit acts when nothing happens any more', async (t) => {
  const node = await startStandaloneNode(t);
  const client = connect(t, node.ready.resp);
  await client.text('SET', 'big', 'x'.repeat(40_000_000));
  const slow = connect(t, node.ready.resp);
  await slow.send('PING');
  slow.socket.pause();
  slow.send('GET', 'big').catch(() => {});
  await until('the reply waits', async () => Number(await field(client, 'mem_clients_normal')) > 8_000_000);
  await client.text('CONFIG', 'SET', 'client-output-buffer-limit', 'normal 0 1mb 1');
  await until('the silent one is gone', async () => (await count(client, 'normal')) === 1);
});

t.test('a follower that does not keep up goes at the limit of replicas, and comes back', async (t) => {
  const leader = await startStandaloneNode(t, '--set', 'node.replication.timeoutMs=60000');
  const link = await TcpProxy.start(leader.ready.resp);
  t.teardown(() => link.stop());
  const follower = await startStandaloneNode(t, '--replicaof', `127.0.0.1 ${link.port}`);
  const [client, reader] = [connect(t, leader.ready.resp), connect(t, follower.ready.resp)];
  await until('it follows', async () => (await field(reader, 'master_link_status')) === 'up');
  await client.text('CONFIG', 'SET', 'client-output-buffer-limit', 'replica 3mb 0 0');
  // A limit below the size of the backlog is that size.
  await client.text('CONFIG', 'SET', 'repl-backlog-size', '8mb');
  link.stall();
  await until('the follower is gone', async () => {
    for (let i = 0; i < 16; i++) await client.send('SET', `key${i}`, MESSAGE);
    return (await field(client, 'connected_slaves')) === '0';
  });
  t.match(
    leader.stdout() + leader.stderr(),
    /wait for this follower: more than .*client-output-buffer-limit replica/,
  );
  link.restore();
  await client.text('SET', 'last', 'one');
  await until('it has caught up', async () => (await reader.text('GET', 'last')) === 'one');
  t.equal((await reader.text('GET', 'key15'))?.length, MESSAGE.length);
});

t.test('min-replicas-to-write: writes need followers that are heard of', async (t) => {
  const leader = await startStandaloneNode(t, '--min-replicas-to-write', '1', '--min-replicas-max-lag', '1');
  const client = connect(t, leader.ready.resp);
  const refusal = { message: 'NOREPLICAS Not enough good replicas to write.' };
  t.match(await client.send('SET', 'a', '1'), refusal, 'nobody follows');
  t.equal(await client.send('GET', 'a'), null, 'it was not executed, and reads go on');
  t.equal(await field(client, 'min_slaves_good_slaves'), '0');
  const follower = await startStandaloneNode(t, '--replicaof', leader.ready.resp.replace(':', ' '));
  await until('the follower counts', async () => (await client.send('SET', 'a', '1'))?.toString() === 'OK');
  await until('INFO says so', async () => (await field(client, 'min_slaves_good_slaves')) === '1');
  follower.kill('SIGSTOP');
  await until('its silence is noticed', async () => (await client.send('SET', 'a', '2')) instanceof Error);
  t.match(await client.send('SET', 'a', '2'), refusal);
  t.equal(await field(client, 'connected_slaves'), '1', 'though it is still connected');
  await client.send('MULTI');
  t.match(await client.send('INCR', 'a'), refusal);
  t.match(await client.send('EXEC'), { message: /^EXECABORT/ });
  follower.kill('SIGCONT');
  await until('it is heard of again', async () => (await client.send('SET', 'a', '3'))?.toString() === 'OK');
  await client.text('CONFIG', 'SET', 'min-replicas-to-write', '2');
  t.match(await client.send('SET', 'a', '4'), refusal, 'two are needed');
  await client.text('CONFIG', 'SET', 'min-replicas-to-write', '0');
  t.equal(await client.text('SET', 'a', '5'), 'OK');
});
