import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { anyCommands } from '../support/any-writes.ts';
import { infoField, lastingDifferences, level } from '../support/data-set.ts';
import { folder } from '../support/folder.ts';
import { RawClient } from '../support/raw-client.ts';
import { freePort, hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { type Ringside, startRingside } from '../support/ringside.ts';
import { ScriptedLeader } from '../support/scripted-leader.ts';
import { until } from '../support/until.ts';

/* Nodes without a control plane that end, orderly or not, and come back from their file: they and their followers go on in the stream where they can. */

const random = seededRandom(Number(process.env.SEED ?? 20261121));
const SAVES_AT_END = ['--save', '3600 1'];
const BATCH = 40;

/** A node that keeps its port and its folder from one process to the next. */
class Lasting {
  readonly port: number;
  readonly dir: string;
  readonly #args: readonly string[];
  #process: Ringside | null = null;
  #clients: RespClient[] = [];

  private constructor(t: Test, port: number, args: readonly string[]) {
    this.port = port;
    this.dir = folder(t, 'restart');
    this.#args = args;
    t.teardown(() => this.end('SIGKILL'));
  }

  static async start(t: Test, ...args: string[]): Promise<Lasting> {
    const node = new Lasting(t, await freePort(), args);
    await node.start();
    return node;
  }

  async start(...args: string[]): Promise<void> {
    const where = ['--port', String(this.port), '--admin-port', 'off', '--dir', this.dir];
    const debug = ['--enable-debug-command', 'yes'];
    this.#process = await startRingside(['node', '--standalone', ...where, ...debug, ...this.#args, ...args]);
    await until('it has loaded', async () => (await this.info('loading')) === '0');
  }

  async end(signal: NodeJS.Signals): Promise<string> {
    for (const client of this.#clients.splice(0)) client.close();
    this.#process?.kill(signal);
    return (await this.#process?.ended) ?? '';
  }

  /** How it ends when it is told to by a command. */
  get ended(): Promise<string> {
    return this.#process!.ended;
  }

  get client(): RespClient {
    if (this.#clients.length === 0) this.#clients.push(new RespClient(this.address));
    return this.#clients[0];
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  get path(): string {
    return join(this.dir, 'dump.rdb');
  }

  async info(field: string): Promise<string | undefined> {
    return infoField(this.client, field);
  }

  /** Changes values of every type, in all databases. */
  async write(batches: number): Promise<void> {
    const raw = new RawClient(this.address);
    try {
      for (let i = 0; i < batches; i++) await raw.run(anyCommands(random, BATCH));
    } finally {
      raw.close();
    }
  }

  /** Writes for as long as it is there. */
  async writeToTheEnd(): Promise<void> {
    const raw = new RawClient(this.address);
    let isOver = false;
    const ended = this.ended.then(() => {
      isOver = true;
    });
    while (!isOver) await Promise.race([raw.run(anyCommands(random, BATCH)), ended]);
    raw.close();
  }
}

async function version(client: RespClient, key: string): Promise<bigint> {
  return BigInt((await client.text('RS.SET', key, 'value'))!);
}

const following = (leader: { port: number }) => ['--replicaof', `127.0.0.1 ${leader.port}`];

t.test('a leader that ends leaves a file from which its followers go on', async (t) => {
  const leader = await Lasting.start(t, ...SAVES_AT_END);
  await leader.write(5);
  const follower = await Lasting.start(t, ...following(leader));
  for (const way of ['SIGTERM', 'SHUTDOWN'] as const) {
    await level(leader.client, follower.client);
    await leader.client.send('SELECT', '0');
    const before = await version(leader.client, 'counted');
    const name = await leader.info('master_replid');
    const writing = leader.writeToTheEnd();
    if (way === 'SIGTERM') t.equal(await leader.end('SIGTERM'), 'code 0');
    else {
      leader.client.send('SHUTDOWN').catch(() => {});
      t.equal(await leader.ended, 'code 0');
      await leader.end('SIGKILL');
    }
    await writing;
    const offset = Number(await follower.info('master_repl_offset'));
    await leader.start();
    await level(leader.client, follower.client);
    t.equal(await leader.info('sync_full'), '0', `${way}: no full sync`);
    t.equal(await leader.info('sync_partial_ok'), '1', `${way}: the follower went on`);
    t.equal(await leader.info('master_replid2'), name, 'the stream has another name now, and a second one');
    t.equal(await leader.info('second_repl_offset'), String(offset + 1));
    await leader.write(3);
    t.same(await lastingDifferences(leader.client, follower.client), [], 'and the stream goes on');
    await leader.client.send('SELECT', '0');
    t.ok((await version(leader.client, 'counted')) > before, 'versions went on');
  }
  t.equal(await follower.info('sync_full'), '0');
});

t.test('a leader that is killed comes back as its file has it', async (t) => {
  const leader = await Lasting.start(t, ...SAVES_AT_END);
  const [ahead, level_] = await Promise.all([1, 2].map(() => Lasting.start(t, ...following(leader))));
  await leader.client.send('SET', 'saved', 'yes');
  await level(leader.client, level_.client);
  await leader.client.send('RS.SET', 'locked', 'first', 'FENCE', 'lock', '40');
  await level(leader.client, level_.client);
  await level_.end('SIGTERM');
  await leader.client.send('SAVE');
  let highest = await version(leader.client, 'unsaved');
  for (let i = 0; i < 100; i++) highest = await version(leader.client, 'unsaved');
  await leader.client.send('RS.SET', 'locked', 'second', 'FENCE', 'lock', '41');
  await level(leader.client, ahead.client);
  t.equal(await leader.end('SIGKILL'), 'SIGKILL');
  await leader.start();
  t.equal(await leader.client.text('GET', 'saved'), 'yes');
  t.equal(await leader.client.send('GET', 'unsaved'), null);
  t.ok((await version(leader.client, 'unsaved')) > highest, 'a version that was given is not given again');
  t.match(await leader.client.send('RS.SET', 'locked', 'late', 'FENCE', 'lock', '40'), {
    message: 'FENCED token 40 is older than 41, which this fence has seen',
  });
  t.same(await lastingDifferences(leader.client, ahead.client), [], 'who knew more begins anew');
  t.equal(await leader.info('sync_full'), '1');
  await level_.start();
  t.same(await lastingDifferences(leader.client, level_.client), []);
});

t.test('a follower that was away goes on from the backlog', async (t) => {
  const leader = await Lasting.start(t);
  await leader.write(5);
  const follower = await Lasting.start(t, ...SAVES_AT_END, ...following(leader));
  await level(leader.client, follower.client);
  let synced = Number(await leader.info('sync_partial_ok'));
  for (const way of ['SIGTERM', 'SIGKILL'] as const) {
    await leader.write(2);
    if (way === 'SIGKILL') t.equal(await follower.client.text('SAVE'), 'OK');
    await leader.write(1);
    await follower.end(way);
    await leader.write(3);
    const writing = leader.write(6);
    await follower.start();
    await writing;
    t.same(await lastingDifferences(leader.client, follower.client), [], way);
    t.equal(await leader.info('sync_partial_ok'), String(++synced), `${way}: from where its file is`);
  }
  t.equal(await leader.info('sync_full'), '1', 'its first');

  await follower.client.send('SAVE');
  await follower.end('SIGKILL');
  await leader.client.send('SELECT', '0');
  await leader.client.send('SET', 'long', 'x'.repeat(3 << 20));
  await leader.client.send('SET', 'longer', 'x'.repeat(3 << 20));
  await leader.client.send('CONFIG', 'RESETSTAT');
  await follower.start();
  t.same(await lastingDifferences(leader.client, follower.client), []);
  await leader.client.send('SELECT', '0');
  const before = await version(leader.client, 'own');
  await level(leader.client, follower.client);
  await follower.client.send('SAVE');
  await follower.end('SIGKILL');
  await follower.start('--replicaof', 'no one');
  t.equal((await follower.client.text('GET', 'long'))!.length, 3 << 20, 'it leads with what it has');
  t.ok((await version(follower.client, 'own')) > before);
});

t.test(
  'a follower of redis-server, and redis-server as follower, go on',
  { skip: !hasRedisServer && NO_REDIS },
  async (t) => {
    const redis = await startRedis();
    t.teardown(() => redis.stop());
    const theirs = new RespClient(redis.address);
    t.teardown(() => theirs.close());
    const [, port] = redis.address.split(':');
    await theirs.send('SET', 'first', '1');
    const node = await Lasting.start(t, ...SAVES_AT_END, '--replicaof', `127.0.0.1 ${port}`);
    await until('the node follows', async () => (await node.info('master_link_status')) === 'up');
    await theirs.send('SELECT', '3');
    await theirs.send('SET', 'second', '2');
    await level(theirs, node.client);
    await node.end('SIGTERM');
    await theirs.send('SET', 'third', '3');
    await node.start();
    await level(theirs, node.client);
    t.equal(await infoField(theirs, 'sync_full'), '1');
    t.equal(await infoField(theirs, 'sync_partial_ok'), '1', 'the node went on with redis-server');
    await node.client.send('SELECT', '3');
    t.equal(await node.client.text('GET', 'third'), '3', 'in the right database');

    const leader = await Lasting.start(t, ...SAVES_AT_END);
    await leader.write(2);
    await theirs.send('REPLICAOF', '127.0.0.1', String(leader.port));
    await until('redis-server follows', async () => (await infoField(theirs, 'master_link_status')) === 'up');
    await leader.client.send('SELECT', '5');
    await leader.client.send('SET', 'before', 'x');
    await leader.end('SIGTERM');
    await leader.start();
    await until('it follows again', async () => (await infoField(theirs, 'master_link_status')) === 'up');
    t.equal(await leader.info('sync_full'), '0');
    t.equal(await leader.info('sync_partial_ok'), '1', 'redis-server went on with the node');
    await leader.client.send('SELECT', '6');
    await leader.client.send('SET', 'after', 'y');
    await theirs.send('SELECT', '6');
    await until('the stream goes on', async () => (await theirs.text('GET', 'after')) === 'y');
  },
);

t.test('what of a full sync has come is not saved', async (t) => {
  const node = await Lasting.start(t, ...SAVES_AT_END);
  await node.client.send('SET', 'whole', 'yes');
  await node.client.send('SAVE');
  const [bytes, { mtimeMs }] = [readFileSync(node.path), statSync(node.path)];
  const leader = await ScriptedLeader.start(t);
  await node.client.send('REPLICAOF', '127.0.0.1', String(leader.port));
  (await leader.next()).beginFullSync('f'.repeat(40), 1000, Buffer.from('REDIS0010'));
  await until('half a snapshot is there', async () => (await node.info('loading')) === '1');
  t.match(await node.client.send('SAVE'), { message: /^LOADING / });
  t.match(await node.client.send('BGSAVE'), { message: /^LOADING / });
  t.equal(await node.end('SIGTERM'), 'code 0');
  t.ok(readFileSync(node.path).equals(bytes));
  t.equal(statSync(node.path).mtimeMs, mtimeMs);
});

t.test('with an append-only file a node goes on where it was killed', async (t) => {
  const appending = ['--appendonly', 'yes', '--appendfsync', 'always'];
  const leader = await Lasting.start(t, ...appending);
  await leader.write(5);
  const follower = await Lasting.start(t, ...appending, ...following(leader));
  await level(leader.client, follower.client);
  let highest = await version(leader.client, 'counted');
  for (const [killed, other] of [
    [leader, follower],
    [follower, leader],
  ]) {
    await leader.client.send('CONFIG', 'RESETSTAT');
    const writing = killed === leader ? leader.writeToTheEnd() : leader.write(20);
    await until('it is written to', async () => Number(await leader.info('total_commands_processed')) > 300);
    await killed.end('SIGKILL');
    await writing;
    const had = Number(await other.info('master_repl_offset'));
    await killed.start();
    await level(leader.client, follower.client);
    // What a leader has sent to followers may not have come to its file.
    const end = Number(await leader.info('second_repl_offset')) - 1;
    const isAhead = killed === leader && had > end;
    const who =
      killed === leader ? `the leader killed at ${end}, its follower at ${had}` : 'the follower killed';
    t.equal(await leader.info('sync_full'), isAhead ? '1' : '0', who);
    t.equal(await leader.info('sync_partial_ok'), isAhead ? '0' : '1', who);
    t.same(await lastingDifferences(leader.client, follower.client), []);
    const next = await version(leader.client, 'counted');
    t.ok(next > highest, 'versions go on');
    highest = next;
  }
});
