import t from 'tap';
import { type Random, seededRandom } from '../../lib/base/index.ts';
import type { RespValue } from '../../lib/codec/resp/index.ts';
import type { RespClient } from '../support/resp-client.ts';
import { inFrontOf, routeOf, spreading, startFollowers, startNodesWith } from '../support/spread.ts';

/*
 * With a near cache and bounded load in one namespace, and values that change between short ones, which are kept, and long ones, which are read in several
 * places: no connection ever sees an older value after a newer one, and each reads its own writes.
 */

const isLong = process.env.RINGSIDE_LONG === '1';
const READS = isLong ? 1_000_000 : 24_000;
const READERS = 8;
/** One of so many commands is none of the usual reads. */
const RARITY = 200;
const KEY = 'n:a';
const PATIENT = { operationTimeoutMs: 20_000, readTimeoutMs: 5000 };

const ownOf = (reader: number) => `n:own${reader}`;
const numberOf = (reply: RespValue) => Number.parseInt(String(Array.isArray(reply) ? reply[0] : reply), 10);

/** A value with this number, too long to be kept more often than not. */
function textOf(number: number, random: Random): string {
  return `${number} `.padEnd(random.int(3) > 0 ? 17_000 : 10, '.');
}

/** Sets the key past the proxy until told to stop; how often. */
async function writeElsewhere(node: RespClient, isOver: () => boolean): Promise<number> {
  const random = seededRandom(5);
  let writes = 0;
  while (!isOver()) {
    await node.send('SET', KEY, textOf(++writes, random));
    // Now and then long enough for the value to be kept, or spread, for a while.
    await new Promise((resolve) => setTimeout(resolve, random.int(random.int(4) > 0 ? 30 : 100)));
  }
  return writes;
}

/** What one connection saw, and what it must never see, in words. */
class Reader {
  readonly wrong: string[] = [];
  reads = 0;
  readonly #client: RespClient;
  readonly #own: string;
  readonly #newest = new Map<string, number>();
  #written = 0;

  constructor(client: RespClient, index: number) {
    this.#client = client;
    this.#own = ownOf(index);
  }

  /** Reads with `depth` commands under way, and sets its own key now and then. */
  async run(reads: number, depth: number, random: Random): Promise<void> {
    for (let left = reads; left > 0; left -= depth)
      await Promise.all(Array.from({ length: Math.min(depth, left) }, () => this.#act(random)));
  }

  #act(random: Random): Promise<void> {
    const at = random.int(10);
    const key = at > 2 ? KEY : at > 1 ? this.#own : ownOf(random.int(READERS));
    const way = random.int(RARITY);
    if (way === 0) return this.#write(random);
    const parts = way === 1 ? ['GETRANGE', key, 0, -1] : way === 2 ? ['MGET', key, 'n:none'] : ['GET', key];
    return this.#client.send(...parts).then((reply) => this.#take(key, String(parts[0]), reply));
  }

  #write(random: Random): Promise<void> {
    const number = ++this.#written;
    return this.#client.send('SET', this.#own, textOf(number, random)).then(() => {
      this.#newest.set(this.#own, number);
    });
  }

  #take(key: string, command: string, reply: RespValue): void {
    this.reads++;
    const number = numberOf(reply);
    const before = this.#newest.get(key) ?? 0;
    const isRight = key === this.#own ? number === before : number >= before;
    if (!isRight) this.wrong.push(`${key}: ${command} ${number} after ${before}`);
    else this.#newest.set(key, number);
  }
}

for (const mode of ['followers', 'overflow'])
  t.test(mode, async (t) => {
    const leaders = await startNodesWith(t, 2);
    const followers = await startFollowers(t, leaders, mode === 'followers' ? 1 : 0);
    const { namespaces, nearCache, ...rest } = spreading(mode, { copyTtlMs: 200 });
    // A leader that is slow must not be passed over: what a follower says in its place may be anything.
    const strict = namespaces.map((one) => ({ ...one, readFallback: 'off' }));
    const kept = { ...nearCache, mode: 'always', maxBytes: '1mb', minTtlMs: 50, maxTtlMs: 1000 };
    const all = { namespaces: strict, nearCache: kept, ...rest };
    const { resp, client, proxy, nodes } = await inFrontOf(t, leaders, followers, all, PATIENT);
    const random = seededRandom(11);
    const setter = client();
    for (let i = 0; i < READERS; i++) await setter.send('SET', ownOf(i), textOf(0, random));
    const route = await routeOf(setter, KEY);
    const owner = nodes[leaders.findIndex(({ ready }) => ready.resp === route.get('node'))];
    await owner.send('SET', KEY, textOf(0, random));
    let isOver = false;
    const writing = writeElsewhere(owner, () => isOver);
    const readers = Array.from({ length: READERS }, (_, i) => new Reader(client(), i));
    await Promise.all(readers.map((reader, i) => reader.run(READS / READERS, 1 + i * 4, random)));
    isOver = true;
    t.ok((await writing) > 20, 'values change meanwhile');
    t.same(readers.flatMap(({ wrong }) => wrong).slice(0, 5), []);
    const balance = await proxy.admin.figures.balance();
    const [near] = await proxy.admin.figures.near();
    t.comment(resp, JSON.stringify(balance), JSON.stringify(near));
    t.ok(near.hits > READS / 50, 'much is answered from memory');
    t.ok(balance.overflowReads + balance.followerReads > READS / 100, 'much is read elsewhere');
  });
