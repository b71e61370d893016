import t, { type Test } from 'tap';
import { type Random, seededRandom } from '../../lib/base/index.ts';
import type { RespValue } from '../../lib/codec/resp/index.ts';
import { infoField, level } from '../support/data-set.ts';
import { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

/*
 * `ack: replica` between two processes whose link stalls, and whose follower dies: replies wait and keep the order of their commands, a
 * transaction is acknowledged as one, and what nobody acknowledged is said to be unknown, never done and never failed.
 */

const seed = Number(process.env.SEED ?? 20261121);
const UNKNOWN = { code: 'UNKNOWN', message: /^UNKNOWN write outcome unknown: / };

async function startPair(t: Test, ackTimeoutMs: number) {
  const leader = await startStandaloneNode(
    t,
    ...['--ack', 'replica', '--set', `node.ackTimeoutMs=${ackTimeoutMs}`],
    // A stalled link is not a dead one here.
    ...['--set', 'node.replication.timeoutMs=60000'],
  );
  const link = await TcpProxy.start(leader.ready.resp);
  const follower = await startStandaloneNode(t, '--replicaof', `127.0.0.1 ${link.port}`);
  const connect = (address = leader.ready.resp) => {
    const client = new RespClient(address);
    t.teardown(() => client.close());
    return client;
  };
  t.teardown(() => link.stop());
  const client = connect();
  await until('the follower counts', async () => (await client.send('SET', 'ready', '1')) === 'OK');
  return { link, follower, connect, client };
}

/** A connection whose replies can be foretold: it alone writes to its counter and its list. */
class Counting {
  readonly #client: RespClient;
  readonly #name: string;
  #count = 0;
  /** What came back, what should have, in the order of the commands. */
  readonly replies: Promise<[got: string, wanted: string]>[] = [];

  constructor(client: RespClient, name: string) {
    this.#client = client;
    this.#name = name;
  }

  #expect(wanted: RespValue, ...parts: (string | number)[]): void {
    const pair = this.#client.send(...parts).then((got): [string, string] => [String(got), String(wanted)]);
    this.replies.push(pair);
  }

  act(random: Random): void {
    const name = this.#name;
    const steps = [
      () => this.#expect(++this.#count, 'INCR', name),
      () => this.#expect(this.#count === 0 ? null : this.#count, 'GET', name),
      () => this.#expect(`${name}${this.#count}`, 'ECHO', `${name}${this.#count}`),
      () => this.#expect(0, 'DEL', `${name}:nothing`),
      () => this.#transaction(),
    ];
    steps[random.int(steps.length)]();
  }

  #transaction(): void {
    const name = this.#name;
    this.#expect('OK', 'MULTI');
    this.#expect('QUEUED', 'INCR', name);
    this.#expect('QUEUED', 'HSET', `${name}:h`, this.#count, 'x');
    this.#expect('QUEUED', 'INCR', name);
    this.#count += 2;
    this.#expect([this.#count - 1, 1, this.#count], 'EXEC');
  }
}

t.test(`replies of connections that wait keep their order, seed ${seed}`, async (t) => {
  const random = seededRandom(seed);
  const { link, connect } = await startPair(t, 60_000);
  const clients = ['a', 'b', 'c'].map((name) => new Counting(connect(), name));
  const observer = connect();
  for (let round = 0; round < 20; round++) {
    link.stall();
    for (let i = 0; i < 60; i++) clients[random.int(clients.length)].act(random);
    // The nodes have time to do wrong while the link stands still.
    for (let i = random.int(4); i > 0; i--) await observer.send('PING');
    link.restore();
    if (random.int(2) === 0) await Promise.all(clients.flatMap(({ replies }) => replies));
  }
  const pairs = await Promise.all(clients.flatMap(({ replies }) => replies));
  t.same(
    pairs.filter(([got, wanted]) => got !== wanted).slice(0, 5),
    [],
    `${pairs.length} replies, each the one of its command`,
  );
  t.equal(await infoField(observer, 'unknown_writes'), '0');
});

t.test('EXEC waits for the follower, with all that is behind it', async (t) => {
  const { link, connect, client, follower } = await startPair(t, 60_000);
  const observer = connect();
  const waiter = connect();
  const popped = waiter.send('BLPOP', 'queue', 0);
  await until('it waits', async () => (await infoField(observer, 'blocked_clients')) === '1');
  link.stall();
  const arrived: string[] = [];
  const commands = [
    ['ECHO', 'before'],
    ['MULTI'],
    ['RPUSH', 'queue', 'x', 'y'],
    ['EXEC'],
    ['ECHO', 'behind'],
    ['MULTI'],
    ['GET', 'nothing'],
    ['EXEC'],
  ];
  const replies = commands.map((command) =>
    client.send(...command).then((reply) => {
      arrived.push(String(command));
      return String(reply);
    }),
  );
  void popped.then(() => arrived.push('BLPOP'));
  await until('it is executed', async () => (await observer.send('LLEN', 'queue')) === 1);
  const early = arrived.filter((name) => !/^ECHO,before|^MULTI|^RPUSH/.test(name));
  t.same(early, [], 'nothing from EXEC on has left');
  link.restore();
  t.same(await Promise.all(replies), ['before', 'OK', 'QUEUED', '2', 'behind', 'OK', 'QUEUED', '']);
  t.equal(String(await popped), 'queue,x', 'who was served by it has waited as well');
  t.same(
    arrived.filter((name) => name !== 'BLPOP'),
    commands.map(String),
    'in order',
  );
  const copy = connect(follower.ready.resp);
  await level(client, copy);
  t.equal(String(await copy.send('LRANGE', 'queue', 0, -1)), 'y');
});

t.test('a follower killed in the middle', async (t) => {
  const { link, connect, client, follower } = await startPair(t, 500);
  const waiter = connect();
  const popped = waiter.send('BLPOP', 'queue', 0);
  const observer = connect();
  await until('it waits', async () => (await infoField(observer, 'blocked_clients')) === '1');
  link.stall();
  const commands = [
    ['SET', 'plain', '1'],
    ['MULTI'],
    ['INCR', 'counter'],
    ['RPUSH', 'queue', 'x'],
    ['EXEC'],
    ['GET', 'plain'],
    ['MULTI'],
    ['GET', 'counter'],
    ['EXEC'],
    ['INCR', 'counter'],
  ];
  const replies = Promise.all(commands.map((command) => client.send(...command)));
  await until('it is executed', async () => String(await observer.send('GET', 'counter')) === '2');
  follower.kill('SIGKILL');
  await follower.ended;
  link.cut();
  const got = await replies;
  for (const i of [0, 4, 9]) t.match(got[i], UNKNOWN, String(commands[i]));
  for (const [i, wanted] of [
    [1, 'OK'],
    [3, 'QUEUED'],
    [5, '1'],
    [7, 'QUEUED'],
    [8, '1'],
  ] as const) {
    t.equal(String(got[i]), wanted, String(commands[i]));
  }
  t.match(await popped, UNKNOWN, 'who was served by it');
  t.equal(await infoField(observer, 'unknown_writes'), '4');

  const [, queued, refused] = await Promise.all(
    [['MULTI'], ['INCR', 'counter'], ['EXEC']].map((command) => client.send(...command)),
  );
  t.match(queued, { message: /^NOREPLICAS / }, 'nobody to acknowledge: not executed');
  t.match(refused, { message: /^EXECABORT / });
  t.equal(String(await client.send('GET', 'counter')), '2');
});
