import t, { type Test } from 'tap';
import { request } from 'undici';
import { type Random, seededRandom } from '../../lib/base/index.ts';
import type { RespValue } from '../../lib/codec/resp/index.ts';
import { MemcachedClient } from '../support/memcached-client.ts';
import { startMuteRelay } from '../support/mute-relay.ts';
import { type ProxyUnderTest, proxyWith } from '../support/proxy-under-test.ts';
import { RespClient } from '../support/resp-client.ts';
import { HOT, heatUp, readMostlyHot, routeOf, spreading, startNodesWith } from '../support/spread.ts';
import { until } from '../support/until.ts';

/* A warm-up beside a near cache and bounded load, with real nodes on both sides: neither hides what the old cluster has, nor shows it where it is outdated. */

interface Stage extends ProxyUnderTest {
  /** Of the nodes of the new cluster. */
  readonly addresses: readonly string[];
  /** The nodes of the new cluster, and that of the old one. */
  readonly cold: readonly RespClient[];
  readonly old: RespClient;
}

interface StageOptions {
  readonly shards?: number;
  readonly warmUp?: object;
  readonly proxy?: object;
  /** The nodes of the new cluster tell nothing unasked. */
  readonly isMute?: boolean;
}

const namespaces = [{ name: 'near', prefix: 'n:', stalenessMs: 60_000 }];
const kept = { nearCache: { mode: 'always', minTtlMs: 60_000, maxTtlMs: 60_000 }, namespaces };

async function setUp(
  t: Test,
  rest: object,
  { shards = 1, warmUp = {}, proxy = {}, isMute = false }: StageOptions = {},
) {
  const [oldNode, ...nodes] = await startNodesWith(t, shards + 1);
  const addresses = nodes.map(({ ready }) => ready.resp);
  const shown = isMute ? await Promise.all(addresses.map((one) => startMuteRelay(t, one))) : addresses;
  const upstreams = shown.map((leader, i) => ({ name: `s${i}`, leader }));
  const from = [{ name: 'old', leader: oldNode.ready.resp }];
  const options = { upstreams, adminPort: 'auto', warmUp: { from, timeoutMs: 15_000, ...warmUp }, ...proxy };
  const under = await proxyWith(t, options, rest);
  const [old, ...cold] = [oldNode.ready.resp, ...addresses].map((address) => new RespClient(address));
  t.teardown(() => {
    for (const one of [old, ...cold]) one.close();
  });
  return { ...under, addresses, cold, old } satisfies Stage;
}

const countsOf = async ({ proxy }: Stage) => (await proxy.admin.figures.warmUp())!.counts;
const stateOf = async (client: RespClient, key: string) => (await routeOf(client, key)).get('l1');

t.test(
  'a read that finds nothing goes to the old cluster, and later ones are answered from memory',
  async (t) => {
    const stage = await setUp(t, kept, { proxy: { httpPort: 'auto', memcachedPort: 'auto' } });
    const { old, cold, proxy } = stage;
    const clients = Array.from({ length: 8 }, () => stage.client());
    const [c] = clients;
    for (let i = 0; i < 50; i++) {
      const key = `n:${i}`;
      await old.send('SET', key, `old ${i}`);
      const answers = await Promise.all(
        clients.flatMap((one) => [one.text('GET', key), one.text('GET', key)]),
      );
      t.same(new Set(answers), new Set([`old ${i}`]), 'all who ask at once');
    }
    await until('they are kept', async () => {
      await c.send('GET', 'n:0');
      return (await stateOf(c, 'n:0')) === 'value';
    });
    t.equal(await cold[0].text('GET', 'n:0'), 'old 0', 'it was put in');
    await old.send('SET', 'n:0', 'changed there');
    const [before] = await proxy.admin.figures.near();
    for (const one of clients) t.equal(await one.text('GET', 'n:0'), 'old 0');
    const [after] = await proxy.admin.figures.near();
    t.equal(after.hits, before.hits + clients.length);
    const counts = await countsOf(stage);
    t.match(counts, { failures: 0, queueFull: 0, unstored: 0 });
    t.ok(counts.warmed >= 50 && counts.hits > 0, 'a fetch that found its value is a hit');

    await old.send('MSET', 'n:m1', 'a', 'n:m2', 'b');
    t.same(await c.send('MGET', 'n:m1', 'n:0', 'n:no', 'n:m2'), ['a', 'old 0', null, 'b'].map(bufferOf));
    await old.send('RS.SET', 'n:f', 'flagged', 'FLAGS', 5);
    const m = new MemcachedClient(t, proxy.listeners.memcached);
    t.equal(await m.ask('get n:f n:0\r\n'), 'VALUE n:f 5 7\r\nflagged\r\nVALUE n:0 0 5\r\nold 0\r\nEND\r\n');
    await old.send('RS.SET', 'n:meta', 'data', 'FLAGS', 9);
    t.equal(await m.ask('mg n:meta v f\r\n'), 'VA 4 f9\r\ndata\r\n');
    await old.send('SET', 'n:h', 'over HTTP', 'PX', 50_000);
    const { headers, body } = await request(`http://${proxy.listeners.http}/v1/key/n:h`);
    t.equal(await body.text(), 'over HTTP');
    t.ok(Number(headers['x-ttl-seconds']) > 10);
    await old.send('HSET', 'n:hash', 'field', 'value');
    t.equal(await c.text('HGET', 'n:hash', 'field'), 'value');
  },
);

const bufferOf = (text: string | null) => (text === null ? null : Buffer.from(text));

t.test('that nothing is there is not kept while the old cluster may have it', async (t) => {
  const stage = await setUp(t, kept);
  const c = stage.client();
  for (let i = 0; i < 20; i++) t.equal(await c.text('GET', 'n:later'), null);
  t.equal(await stateOf(c, 'n:later'), 'absent');
  await stage.old.send('SET', 'n:later', 'there');
  t.equal(await c.text('GET', 'n:later'), 'there');
  for (let i = 0; i < 20; i++) {
    await c.send('SET', 'n:mine', 'new');
    await stage.old.send('SET', 'n:mine', 'old');
    t.equal(await c.text('GET', 'n:mine'), 'new');
    await c.send('DEL', 'n:mine');
    t.equal(await c.text('GET', 'n:mine'), null, 'what was deleted does not come back');
  }
  await stage.proxy.admin.figures.stopWarmUp();
  await until('it is kept once the warm-up is over', async () => {
    t.equal(await c.text('GET', 'n:none'), null);
    return (await stateOf(c, 'n:none')) === 'miss';
  });
});

t.test('what is kept beside a warm-up is not older than the namespace allows', async (t) => {
  const stalenessMs = 600;
  const bounded = { ...kept, namespaces: [{ ...namespaces[0], stalenessMs }] };
  const stage = await setUp(t, bounded, { isMute: true });
  const c = stage.client();
  await stage.old.send('SET', 'n:k', 'old');
  await until('it is kept', async () => {
    t.equal(await c.text('GET', 'n:k'), 'old');
    return (await stateOf(c, 'n:k')) === 'value';
  });
  await stage.cold[0].send('SET', 'n:k', 'new');
  const changedMs = performance.now();
  let old = 0;
  const late: string[] = [];
  for (let sentMs = changedMs; sentMs < changedMs + 2 * stalenessMs; sentMs = performance.now()) {
    const value = await c.text('GET', 'n:k');
    if (value === 'old') old++;
    if (sentMs > changedMs + stalenessMs && value !== 'new')
      late.push(`${value} after ${sentMs - changedMs} ms`);
  }
  t.ok(old > 0, 'the change is not told');
  t.same(late.slice(0, 5), []);
});

t.test('reads of keys that are spread find what the old cluster has, too', async (t) => {
  const stage = await setUp(t, spreading('overflow'), { shards: 4 });
  await readsThrough(t, stage, 'value');
});

t.test('so do those of keys that are too long to be kept', async (t) => {
  const rest = spreading('overflow');
  const nearCache = { ...rest.nearCache, ...kept.nearCache, maxBytes: '1mb' };
  const stage = await setUp(t, { ...rest, nearCache }, { shards: 4 });
  await readsThrough(t, stage, 'value'.padEnd(17_000, '.'));
  const [near] = await stage.proxy.admin.figures.near();
  t.ok(near.fills > 20, 'each time the node told');
});

/** Reads of a spread key that goes away in the new cluster again and again. */
async function readsThrough(t: Test, stage: Stage, value: string): Promise<void> {
  const clients = Array.from({ length: 8 }, () => stage.client());
  await stage.old.send('SET', HOT, value);
  const { figures } = stage.proxy.admin;
  await heatUp(clients, 'overflow');
  const node = stage.cold[await ownerAt(stage)];
  for (let i = 0; i < 30; i++) {
    await node.send('DEL', HOT);
    // It throws when one finds nothing.
    await readMostlyHot(clients, 20);
  }
  t.equal(await clients[0].text('GET', HOT), value);
  const balance = await figures.balance();
  t.comment(JSON.stringify(balance), JSON.stringify(await countsOf(stage)));
  t.ok(balance.overflowReads > 100, 'much is read elsewhere');
  t.ok((await countsOf(stage)).warmed > 20, 'and the old cluster is asked each time');
}

/** Which node has the hot key. */
async function ownerAt({ cold }: Stage): Promise<number> {
  const counts = await Promise.all(cold.map((node) => node.send('EXISTS', HOT)));
  return counts.indexOf(1);
}

const READERS = 8;
const READS = process.env.RINGSIDE_LONG === '1' ? 400_000 : 30_000;
const KEYS = 400;

const keyOf = (at: number) => `n:k${at}`;
const ownOf = (reader: number) => `n:own${reader}`;

/** One connection, and what it must never see, in words. */
class Reader {
  readonly wrong: string[] = [];
  readonly #client: RespClient;
  readonly #own: string;
  readonly #newest = new Map<string, number>();
  /** Of its own key; null: deleted. */
  #value: string | null = '0';
  #writes = 0;

  constructor(client: RespClient, index: number) {
    this.#client = client;
    this.#own = ownOf(index);
  }

  /** Reads with `depth` commands under way, and sets or deletes its own key now and then. */
  async run(reads: number, depth: number, random: Random): Promise<void> {
    for (let left = reads; left > 0; left -= depth)
      await Promise.all(Array.from({ length: Math.min(depth, left) }, () => this.#act(random)));
  }

  #act(random: Random): Promise<void> {
    const way = random.int(100);
    if (way === 0) return this.#write(random);
    // Each in the same number of steps, so that they are taken in the order of the replies.
    if (way < 10) return this.#client.send('GET', this.#own).then((reply) => this.#takeOwn(reply));
    // Some are read often, and one all the time.
    const key = keyOf(random.int(2) === 0 ? 0 : random.int(1 + random.int(KEYS)));
    const parts = way === 10 ? ['MGET', key, 'n:none'] : way === 11 ? ['GETRANGE', key, 0, -1] : ['GET', key];
    return this.#client.send(...parts).then((reply) => this.#take(key, String(parts[0]), reply));
  }

  #write(random: Random): Promise<void> {
    const value = random.int(3) > 0 ? String(++this.#writes) : null;
    const parts = value === null ? ['DEL', this.#own] : ['SET', this.#own, value];
    return this.#client.send(...parts).then(() => {
      this.#value = value;
    });
  }

  #takeOwn(reply: RespValue): void {
    const value = reply === null ? null : String(reply);
    if (value !== this.#value) this.wrong.push(`${this.#own}: ${value} instead of ${this.#value}`);
  }

  #take(key: string, command: string, reply: RespValue): void {
    const text = Array.isArray(reply) ? reply[0] : reply;
    // Keys that are taken over as they are, are not beyond the rate.
    if (command === 'GETRANGE' && String(text) === '') return;
    const number = Number.parseInt(String(text), 10);
    const before = this.#newest.get(key) ?? 0;
    if (number >= before) this.#newest.set(key, number);
    else this.wrong.push(`${key}: ${command} ${text === null ? 'nothing' : number} after ${before}`);
  }
}

/** Values with this number, of so many characters. */
const textOf = (number: number, length: number) => `${number} `.padEnd(length, '.');

/** Sets keys of the new cluster through another proxy until told to stop. */
async function writeElsewhere(other: RespClient, length: number, isOver: () => boolean): Promise<number> {
  const random = seededRandom(5);
  let writes = 0;
  while (!isOver()) {
    await other.send('SET', keyOf(random.int(1 + random.int(KEYS))), textOf(++writes, length));
    await new Promise((resolve) => setTimeout(resolve, random.int(5)));
  }
  return writes;
}

/** How many reads were answered from memory, and by nodes that are not the key's leader. */
async function otherAnswers({ proxy }: Stage): Promise<{ kept: number; elsewhere: number }> {
  const { overflowReads } = await proxy.admin.figures.balance();
  const near = await proxy.admin.figures.near();
  return { kept: near[0]?.hits ?? 0, elsewhere: overflowReads };
}

const spread = spreading('overflow', { copyTtlMs: 200 });
const combinations: [
  name: string,
  rest: object,
  length: number,
  least: { kept: number; elsewhere: number },
][] = [
  ['a near cache', kept, 2, { kept: READS / 20, elsewhere: 0 }],
  ['bounded load', spread, 2, { kept: 0, elsewhere: 100 }],
  [
    'both, of long values',
    { ...spread, nearCache: { ...spread.nearCache, ...kept.nearCache, maxBytes: '1mb' } },
    17_000,
    { kept: 0, elsewhere: 100 },
  ],
];

for (const [name, rest, length, least] of combinations)
  t.test(`nobody sees an older value after a newer one, nor an outdated one: ${name}`, async (t) => {
    // So slow that many keys are read in the old cluster again and again.
    const stage = await setUp(t, rest, { shards: 2, warmUp: { ratePerSecond: 50 } });
    for (let i = 0; i < KEYS; i++) await stage.old.send('SET', keyOf(i), textOf(0, length));
    const setter = stage.client();
    for (let i = 0; i < READERS; i++) {
      await stage.old.send('SET', ownOf(i), 'outdated');
      await setter.send('SET', ownOf(i), '0');
    }
    const upstreams = stage.addresses.map((leader, i) => ({ name: `s${i}`, leader }));
    const other = (await proxyWith(t, { upstreams })).client();
    const random = seededRandom(11);
    const readers = Array.from({ length: READERS }, (_, i) => new Reader(stage.client(), i));
    let isOver = false;
    const writing = writeElsewhere(other, length, () => isOver);
    await Promise.all(readers.map((reader, i) => reader.run(READS / READERS, 1 + i * 4, random)));
    isOver = true;
    t.ok((await writing) > 20, 'values change meanwhile');
    t.same(readers.flatMap(({ wrong }) => wrong).slice(0, 5), []);
    const counts = await countsOf(stage);
    const answers = await otherAnswers(stage);
    t.comment(JSON.stringify(counts), JSON.stringify(answers));
    t.ok(counts.warmed > 100 && counts.overRate > 0, 'much comes from the old cluster');
    t.ok(answers.kept >= least.kept && answers.elsewhere >= least.elsewhere, 'and much from elsewhere');
  });
