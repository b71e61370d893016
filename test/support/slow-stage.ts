import type { Test } from 'tap';
import type { FakeNode, Received } from './fake-node.ts';
import { fakeNodes, type ProxyUnderTest, proxyWith, upstreamsOf } from './proxy-under-test.ts';
import type { RespClient } from './resp-client.ts';
import { routeOf } from './spread.ts';
import { until } from './until.ts';

/** More reads than it takes to know how long a node usually takes. */
export const READS = 150;
/** Longer than it takes until that is worked out anew. */
export const LOOK_MS = 150;
/** What is not held is answered by then, however busy the machine is. */
const PATIENCE_MS = 250;
/** What is held, and may be sent twice, is sent twice by then. */
export const SENT_BY_MS = PATIENCE_MS + LOOK_MS;

/** A namespace whose reads are hedged. */
export const hedged = { name: 'near', prefix: 'n:', stalenessMs: 3_600_000, hedgedReads: true };

const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`;
const array = (elements: readonly string[]) => `*${elements.length}\r\n${elements.join('')}`;
/** By the name of the command: what it says of each key. */
const MULTI_GETS: Readonly<Record<string, (value: string) => string>> = {
  MGET: bulk,
  'RS.MCGET': bulk,
  'RS.MGET': (value) => array([bulk(value), bulk('7'), ':-1\r\n', bulk('hit')]),
};

/** A node that answers everything in its order, and says how far it has come; while it is held, its answers wait. */
export class SlowNode {
  readonly node: FakeNode;
  readonly values = new Map<string, string>();
  offset = 100;
  isHeld = false;
  readonly #role: 'master' | 'slave';
  #late: string[] = [];

  constructor(node: FakeNode, role: 'master' | 'slave') {
    this.node = node;
    this.#role = role;
    node.refuse = (command) => {
      const answer = this.#answerTo(command);
      if (!this.isHeld) return answer;
      this.#late.push(answer);
      return 'silent';
    };
  }

  /** Says everything that was held. */
  release(): void {
    this.isHeld = false;
    this.node.say(this.#late.splice(0).join(''));
  }

  /** The commands that it has got of this name, by their first argument. */
  asked(name: string): string[] {
    return this.node.received.filter((one) => one.name === name).map(({ args }) => args[0]);
  }

  #answerTo({ name, args }: Received): string {
    if (name === 'INFO') return bulk(this.#info());
    const element = MULTI_GETS[name];
    if (element !== undefined) return array(args.map((key) => element(this.#valueOf(key))));
    if (name !== 'SET') return bulk(this.#valueOf(args[0]));
    this.values.set(args[0], args[1]);
    return '+OK\r\n';
  }

  #valueOf(key: string): string {
    return this.values.get(key) ?? `${this.#role} ${key}`;
  }

  #info(): string {
    const offset = this.#role === 'master' ? 'master_repl_offset' : 'slave_repl_offset';
    return `role:${this.#role}\r\nmaster_replid:abc\r\n${offset}:${this.offset}\r\n`;
  }
}

/** A leader and its follower. */
export interface SlowShard {
  readonly leader: SlowNode;
  readonly follower: SlowNode;
  /** A hash tag: keys that contain it are here. */
  readonly tag: string;
}

/** A proxy before shards that can be held. */
export interface SlowStage extends ProxyUnderTest {
  readonly shards: readonly SlowShard[];
  /** A client that has just read `n:usual` and a tag, of each shard. */
  readonly usual: RespClient;
  /** A metric of the proxy. */
  metric(name: string): Promise<number>;
}

/** A proxy that knows how fast its leaders usually are, and how far they have come; then the first leader is held. */
export async function slowStage(
  t: Test,
  count: number,
  options: { readonly resilience?: object } & object = {},
  rest: object = { namespaces: [hedged] },
): Promise<SlowStage> {
  const nodes = await fakeNodes(t, 2 * count);
  const pairs = Array.from({ length: count }, (_, i) => ({
    leader: new SlowNode(nodes[2 * i], 'master'),
    follower: new SlowNode(nodes[2 * i + 1], 'slave'),
  }));
  const upstreams = upstreamsOf(
    pairs.map(({ leader, follower }) => ({ leader: leader.node, followers: [follower.node] })),
  );
  const resilience = { ...options.resilience, hedge: { minimumMs: PATIENCE_MS } };
  const test = await proxyWith(t, { upstreams, adminPort: 'auto', ...options, resilience }, rest);
  const usual = test.client();
  for (const { follower } of pairs)
    await until('the follower is connected', () =>
      follower.node.received.some(({ name }) => name === 'PING'),
    );
  const shards = await Promise.all(
    pairs.map(async (pair, i) => ({ ...pair, tag: await tagOf(usual, `s${i}`) })),
  );
  // Reads that are never sent twice, however busy the machine is.
  const scanAll = () => Promise.all(shards.map(({ tag }) => usual.send('HSCAN', `n:usual${tag}`, '0')));
  for (let i = 0; i < READS; i++) await scanAll();
  await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  await scanAll();
  shards[0].leader.isHeld = true;
  const metric = async (name: string) => {
    const text = await (await fetch(`http://${test.proxy.listeners.admin}/metrics`)).text();
    const lines = text
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  };
  return { ...test, shards, usual, metric };
}

/** Tries names until one is of this shard. */
async function tagOf(client: RespClient, shard: string): Promise<string> {
  for (let n = 0; ; n++) {
    const tag = `{${n}}`;
    if ((await routeOf(client, tag)).get('shard') === shard) return tag;
  }
}

/** Reads sent to a follower as well, those that it answered, and the multi-gets among both. */
export const SENT = 'ringside_proxy_upstream_hedges_total';
export const WON = 'ringside_proxy_upstream_hedges_won_total';
export const MULTI_GETS_SENT = 'ringside_proxy_upstream_multiget_hedges_total';
export const MULTI_GETS_WON = 'ringside_proxy_upstream_multiget_hedges_won_total';
