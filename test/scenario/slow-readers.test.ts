import t, { type Test } from 'tap';
import { encodeCommand, ReplyFramer } from '../../lib/codec/resp/index.ts';
import { infoField, lastingDifferences } from '../support/data-set.ts';
import { calm, DevCluster } from '../support/dev-cluster.ts';
import { RespClient } from '../support/resp-client.ts';
import { until } from '../support/until.ts';
import { Load } from './load.ts';

/*
 * A cluster of real processes in which listeners of every kind stop reading, on a leader and on its follower: they are closed, with a reason
 * in the log; who reads, writes, or follows does not notice.
 */

const LIMIT = 'normal 2mb 0 0 pubsub 2mb 0 0';
const PIECE = 'x'.repeat(20_000);
const KEYS = 20;
const WORKERS = 4;

/** What listeners ask for; each hears of every change and message below. */
const listening: Readonly<Record<string, readonly (string | number)[][]>> = {
  subscriber: [['SUBSCRIBE', 'news']],
  pattern: [['PSUBSCRIBE', 'n*']],
  'keyspace events': [['PSUBSCRIBE', '__key*__:*']],
  monitor: [['MONITOR']],
  tracking: [
    ['HELLO', 3],
    ['CLIENT', 'TRACKING', 'ON', 'BCAST'],
  ],
};

/** A connection whose messages a test counts, or that reads nothing. */
class Listener {
  readonly client: RespClient;
  readonly messages: string[] = [];

  constructor(t: Test, address: string, commands: readonly (string | number)[][]) {
    this.client = new RespClient(address);
    t.teardown(() => this.client.close());
    const framer = new ReplyFramer();
    this.client.socket.removeAllListeners('data');
    this.client.socket.on('data', (chunk: Buffer) => {
      framer.push(chunk);
      while (framer.next()) {
        this.messages.push(framer.buffer.latin1Slice(framer.frameStart, framer.frameEnd));
      }
    });
    this.client.socket.write(Buffer.concat(commands.map((command) => encodeCommand(...command))));
  }

  get isClosed(): boolean {
    return this.client.socket.closed;
  }
}

t.test('who does not read is closed, and nobody else notices', async (t) => {
  const cluster = await DevCluster.start(
    ...['--shards', '1', '--followers', '1', '--ack', 'replica'],
    ...['--set', `node.limits.clientOutputBuffer=${LIMIT}`, '--set', 'node.enableDebugCommand=yes'],
    ...calm(),
  );
  t.teardown(() => cluster.stop());
  const before = (await cluster.whole(1, 1)).shards[0];
  const addresses = [before.leader!.address, before.followers[0].address];
  const [leader, follower] = addresses.map((address) => {
    const client = new RespClient(address);
    t.teardown(() => client.close());
    return client;
  });
  const nodes = [leader, follower];
  for (const client of nodes) await client.text('CONFIG', 'SET', 'notify-keyspace-events', 'KEA');
  const fullSyncs = await infoField(leader, 'sync_full');
  const load = new Load(cluster.at(7379), KEYS);
  load.start(WORKERS);
  t.teardown(() => load.stop());

  const fast = new Listener(t, addresses[0], listening.subscriber);
  const watching = new Listener(t, addresses[0], listening.monitor);
  // A follower tells of changes of collections only.
  const kinds = [Object.keys(listening), Object.keys(listening).filter((name) => name !== 'keyspace events')];
  const silent = addresses.flatMap((address, i) =>
    kinds[i].map((name) => ({ name, listener: new Listener(t, address, listening[name]) })),
  );
  const asked = (listener: Listener, replies: number) =>
    until('it listens', () => listener.messages.length >= replies);
  await Promise.all(silent.map(({ name, listener }) => asked(listener, listening[name].length)));
  await Promise.all([fast, watching].map((listener) => asked(listener, 1)));
  for (const { listener } of silent) listener.client.socket.pause();

  let published = 0;
  const disconnections = async (client: RespClient) =>
    Number(await infoField(client, 'client_output_buffer_limit_disconnections'));
  // Keyspace events and invalidations are short: long names of keys make them long.
  await until('all silent ones are closed', async () => {
    for (let i = 0; i < 25; i++) {
      const message = `${++published} ${PIECE}`;
      const writes = [leader.send('SET', `${PIECE}${i % 3}`, 'v'), leader.send('PUBLISH', 'news', message)];
      await Promise.all([...writes, follower.send('PUBLISH', 'news', message)]);
    }
    const closed = await Promise.all(nodes.map(disconnections));
    return closed.every((count, i) => count === kinds[i].length);
  });
  for (const { listener } of silent) listener.client.socket.resume();
  await until('each of them finds out', () => silent.every(({ listener }) => listener.isClosed));

  await until('the one who reads has every message', () => fast.messages.length > published);
  t.same(
    fast.messages.slice(1).map((message) => Number(/\r\n(\d+) x/.exec(message)?.[1])),
    Array.from({ length: published }, (_, i) => i + 1),
    `${published} messages, in order`,
  );
  t.notOk(watching.isClosed, 'MONITOR goes on for the one who reads');
  t.ok(watching.messages.length > published);
  await load.stop();
  t.same(
    [...load.errors.reads, ...load.errors.writes],
    [],
    `${load.writes} writes and ${load.reads} reads went well`,
  );
  t.same(await load.lost(cluster.at(7379)), []);
  const reasons =
    (cluster.process.stdout() + cluster.process.stderr()).match(/connection closed: [^\n]*/g) ?? [];
  t.ok(
    reasons.filter((line) => line.includes('client-output-buffer-limit')).length >= silent.length,
    `the log says why, ${silent.length} times at least`,
  );
  const after = (await cluster.status()).shards[0];
  t.same([after.leader?.id, after.epoch], [before.leader!.id, before.epoch], 'the leader leads on');
  t.equal(await infoField(leader, 'sync_full'), fullSyncs, 'the follower followed all the time');
  t.same(await lastingDifferences(leader, follower), []);
});
