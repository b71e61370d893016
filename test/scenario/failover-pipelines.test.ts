import t, { type Test } from 'tap';
import { calm, DevCluster, type NodeStatus, ringside } from '../support/dev-cluster.ts';
import { RespClient } from '../support/resp-client.ts';
import { until } from '../support/until.ts';
import { PipelinedLoad } from './pipelined-load.ts';

/*
 * A cluster of real processes under all the load its proxy takes, in pipelines, with `ack: replica`: leaders are killed, and leadership is handed
 * over by an operator. No read fails, no acknowledged write is lost, no reply is out of order, and scans that began before see every key.
 * The long form has two shards and goes on for many rounds, with whoever died started again.
 */

const isLong = process.env.RINGSIDE_LONG === '1';
const ROUNDS = isLong ? 20 : 1;
const SHARDS = isLong ? 2 : 1;
const FOLLOWERS = 2;
const STATIC_KEYS = 2000;
const PIPELINES = 20;

/** What may become of writes: those that a leader had are of unknown outcome, those that were refused or waited too long were not executed. */
const HONEST =
  /^(UNKNOWN write outcome unknown: |CLUSTERDOWN .*nothing was sent$|NOREPLICAS |READONLY |STALERING )/;

/** A SCAN or SSCAN that can be left and taken up again. */
class Scan {
  readonly seen = new Set<string>();
  readonly #client: RespClient;
  readonly #command: readonly string[];
  #cursor = '0';
  isDone = false;

  constructor(client: RespClient, ...command: string[]) {
    this.#client = client;
    this.#command = command;
  }

  /** Goes on until it has seen `count` of what there is, or everything. */
  async until(count: number): Promise<void> {
    while (!this.isDone && this.seen.size < count) {
      const reply = await this.#client.send(...this.#command, this.#cursor, 'COUNT', 10);
      if (reply instanceof Error) throw reply;
      const [cursor, found] = reply as [Buffer, Buffer[]];
      for (const name of found) if (/^static/.test(String(name))) this.seen.add(String(name));
      this.#cursor = String(cursor);
      this.isDone = this.#cursor === '0';
    }
  }
}

const cluster = await DevCluster.start(
  ...['--shards', `${SHARDS}`, '--followers', `${FOLLOWERS}`, '--ack', 'replica', '--restart'],
  ...calm(3000),
);
t.teardown(() => cluster.stop());
await cluster.whole(SHARDS, FOLLOWERS);
const client = new RespClient(cluster.at(7379));
t.teardown(() => client.close());
const members = Array.from({ length: STATIC_KEYS }, (_, i) => `static:${i}`);
await until('there is something to scan', async () => {
  await Promise.all(members.map((member) => client.text('SET', member, 'x')));
  return await client.text('SADD', 'members', ...members);
});
const ctl = (...args: string[]) =>
  ringside('ctl', ...args, '--json', '--control-plane', `http://${cluster.at(7400)}`);
/** The shard of `members`, to which everything happens. */
const { shard: name } = JSON.parse(await ctl('route', 'members')) as { shard: string };
const load = new PipelinedLoad(cluster.at(7379), { followers: FOLLOWERS });
await load.start();
t.teardown(() => load.stop());

async function leaderOf(): Promise<NodeStatus> {
  const { shards } = await cluster.status();
  return shards.find((shard) => shard.name === name)!.leader!;
}

/** Lets `happen` replace the leader amid scans and pipelines. */
async function undergo(t: Test, happen: (leader: NodeStatus) => Promise<unknown>): Promise<void> {
  load.errors.reads.clear();
  load.errors.writes.clear();
  const scans = [0.25, 0.5, 0.75].flatMap((part) =>
    [['SCAN'], ['SSCAN', 'members']].map((command) => ({ part, scan: new Scan(client, ...command) })),
  );
  for (const { part, scan } of scans) await scan.until(part * STATIC_KEYS);
  const leader = await leaderOf();
  const began = performance.now();
  await happen(leader);
  await until('another leads', async () => (await leaderOf())?.id !== leader.id);
  t.comment(`another leads after ${Math.round(performance.now() - began)} ms`);
  const { pipelines } = load;
  await until('pipelines go on', () => load.pipelines > pipelines + PIPELINES);
  for (const { scan } of scans) await scan.until(Number.POSITIVE_INFINITY);
  t.same([...load.errors.reads], [], 'no read failed');
  t.same(load.disorders, [], 'every reply is that of its command');
  t.same(
    scans.map(({ scan }) => STATIC_KEYS - scan.seen.size),
    scans.map(() => 0),
    'scans that began before it see every key',
  );
  const texts = [...load.errors.writes.keys()];
  t.same(
    texts.filter((text) => !HONEST.test(text)),
    [],
    'writes that failed say what became of them',
  );
  t.same(await load.lost(cluster.at(7379)), [], 'nothing acknowledged is lost');
  t.comment(`${load.commands} commands so far; write errors ${JSON.stringify([...load.errors.writes])}`);
}

for (let round = 1; round <= ROUNDS; round++) {
  t.test(`round ${round}: handed over`, async (t) => {
    await undergo(t, () => ctl('failover', name));
    await cluster.whole(SHARDS, FOLLOWERS);
  });
  t.test(`round ${round}: killed`, async (t) => {
    await undergo(t, async ({ pid }) => process.kill(pid, 'SIGKILL'));
    if (round < ROUNDS) await cluster.whole(SHARDS, FOLLOWERS);
  });
}
