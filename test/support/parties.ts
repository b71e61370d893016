import type { Test } from 'tap';
import type { Random } from '../../lib/base/index.ts';
import { pick } from '../node/differential/base.ts';
import { anyCommands } from './any-writes.ts';
import { infoField } from './data-set.ts';
import { RawClient } from './raw-client.ts';
import { contentOf } from './redis-content.ts';
import { startRedis } from './redis-server.ts';
import { RespClient } from './resp-client.ts';
import { startStandaloneNode } from './ringside.ts';
import { until } from './until.ts';

/* Leaders and followers, nodes and real redis-servers alike, what is written to them, and whether they hold the same in the end. */

const BATCH = 40;
const DEBUG = ['--enable-debug-command', 'yes'];

/** Keys that everything is written to. */
const KEYS = ['a', 'b', 'c', 'k1', 'k2'];
const WAITING_POPS: readonly ((one: string, other: string) => string[])[] = [
  (one, other) => ['BLPOP', one, other, '0.02'],
  (one, other) => ['BRPOP', one, other, '0.02'],
  (one, other) => ['BLMOVE', one, other, 'LEFT', 'RIGHT', '0.02'],
  (one, other) => ['BLMPOP', '0.02', '2', one, other, 'RIGHT', 'COUNT', '3'],
  (one, other) => ['BZPOPMIN', one, other, '0.02'],
  (one, other) => ['BZMPOP', '0.02', '2', one, other, 'MAX', 'COUNT', '3'],
];

/** A server of a test. */
export interface Party {
  readonly address: string;
  readonly client: RespClient;
  readonly pid: number;
}

function party(t: Test, address: string, pid: number): Party {
  const client = new RespClient(address);
  t.teardown(() => client.close());
  return { address, client, pid };
}

/** A redis-server for as long as the test runs. */
export async function redis(t: Test, ...args: string[]): Promise<Party> {
  const server = await startRedis([...DEBUG, ...args]);
  t.teardown(() => server.stop());
  return party(t, server.address, server.pid);
}

/** A standalone node for as long as the test runs. */
export async function node(t: Test, ...args: string[]): Promise<Party> {
  const running = await startStandaloneNode(t, ...DEBUG, ...args);
  return party(t, running.ready.resp, running.pid);
}

/** Random writes of every type that Redis has too, in a connection of their own. */
export async function write(t: Test, { address }: Party, random: Random, count: number): Promise<void> {
  const raw = new RawClient(address);
  t.teardown(() => raw.close());
  for (let done = 0; done < count; done += BATCH) {
    await raw.run(anyCommands(random, BATCH).filter(([name]) => !/^RS\./i.test(String(name))));
  }
}

/** Pops that wait, on behalf of clients of their own, until the function returned is called. */
export function popMeanwhile(t: Test, { address }: Party, random: Random): () => Promise<unknown> {
  let isOver = false;
  const popping = WAITING_POPS.map(async (commandOf) => {
    const client = new RespClient(address);
    t.teardown(() => client.close());
    while (!isOver) await client.send(...commandOf(pick(random, KEYS), pick(random, KEYS)));
  });
  return () => {
    isOver = true;
    return Promise.all(popping);
  };
}

/** Resolves once the follower's link is so. */
export const linkIs = ({ client }: Party, status: 'up' | 'down', timeoutMs?: number) =>
  until(`the link is ${status}`, async () => (await infoField(client, 'master_link_status')) === status, {
    timeoutMs,
  });

/** Waits until both are level, and checks that they hold the same in the first databases. */
export async function same(
  t: Test,
  leader: Party,
  follower: Party,
  what: string,
  databases?: number,
): Promise<void> {
  await until(`${what}: both are level`, async () => {
    const [ours, theirs] = await Promise.all(
      [leader, follower].map(({ client }) => infoField(client, 'master_repl_offset')),
    );
    return ours === theirs && (await infoField(follower.client, 'master_link_status')) === 'up';
  });
  // What is about to expire is given its time to.
  let different = ['they could not be compared'];
  await until(`${what}: the data is the same`, async () => {
    const [ours, theirs] = await Promise.all(
      [leader, follower].map(({ client }) => contentOf(client, databases)),
    );
    different = [...new Set([...ours.keys(), ...theirs.keys()])]
      .filter((key) => ours.get(key) !== theirs.get(key))
      .map((key) => `${key}: ${ours.get(key)} there, ${theirs.get(key)} here`);
    return different.length === 0;
  }).catch(() => {});
  t.same(different.slice(0, 5), [], what);
}
