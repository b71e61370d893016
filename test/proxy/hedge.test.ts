import t, { type Test } from 'tap';
import type { FakeNode, Received } from '../support/fake-node.ts';
import { fakeNodes, type ProxyUnderTest, proxyWith, upstreamsOf } from '../support/proxy-under-test.ts';
import type { RespClient } from '../support/resp-client.ts';
import { until } from '../support/until.ts';

/* Reads of a leader that is slow are sent to a follower too: whose answer counts, what comes too late, and what is never sent twice. */

const namespaces = [{ name: 'near', prefix: 'n:', stalenessMs: 3_600_000, hedgedReads: true }];
/** More reads than it takes to know how long a node usually takes. */
const READS = 150;
/** Longer than it takes until that is worked out anew. */
const LOOK_MS = 150;

/** A node that answers everything in its order, and says how far it has come; while it is held, its answers wait. */
class SlowNode {
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
    if (name !== 'SET') return bulk(this.values.get(args[0]) ?? `${this.#role} ${args[0]}`);
    this.values.set(args[0], args[1]);
    return '+OK\r\n';
  }

  #info(): string {
    const offset = this.#role === 'master' ? 'master_repl_offset' : 'slave_repl_offset';
    return `role:${this.#role}\r\nmaster_replid:abc\r\n${offset}:${this.offset}\r\n`;
  }
}

const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`;

interface Stage extends ProxyUnderTest {
  readonly leader: SlowNode;
  readonly follower: SlowNode;
  /** A client that has just read `n:usual`. */
  readonly usual: RespClient;
  /** A metric of the proxy. */
  metric(name: string): Promise<number>;
}

/** A proxy that knows how fast the leader usually is, and how far it has come; then the leader is held. */
async function stage(t: Test, options: object = {}, rest: object = { namespaces }): Promise<Stage> {
  const [one, other] = await fakeNodes(t, 2);
  const [leader, follower] = [new SlowNode(one, 'master'), new SlowNode(other, 'slave')];
  const upstreams = upstreamsOf([{ leader: one, followers: [other] }]);
  const test = await proxyWith(t, { upstreams, adminPort: 'auto', ...options }, rest);
  const usual = test.client();
  await until('the follower is connected', () => other.received.some(({ name }) => name === 'PING'));
  // Reads that are never sent twice, however busy the machine is.
  for (let i = 0; i < READS; i++) await usual.send('HSCAN', 'n:usual', '0');
  await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  await usual.send('HSCAN', 'n:usual', '0');
  leader.isHeld = true;
  const metric = async (name: string) => {
    const text = await (await fetch(`http://${test.proxy.listeners.admin}/metrics`)).text();
    const lines = text
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  };
  return { ...test, leader, follower, usual, metric };
}

const SENT = 'ringside_proxy_upstream_hedges_total';
const WON = 'ringside_proxy_upstream_hedges_won_total';

t.test('a slow leader: the follower answers, and what the leader says later goes to nobody', async (t) => {
  const { leader, follower, client, metric, proxy } = await stage(t);
  const [c, d] = [client(), client()];
  t.equal(await c.text('GET', 'n:a'), 'slave n:a');
  t.same(follower.asked('GET'), ['n:a']);
  t.same(follower.asked('INFO'), ['replication']);
  const write = d.text('SET', 'n:b', 'new');
  const elsewhere = d.text('GET', 'p:c');
  t.equal(await c.text('GET', 'n:d'), 'slave n:d');
  const behind = d.text('GET', 'p:e');
  await until('the leader has everything', () => leader.asked('GET').includes('p:e'));
  leader.release();
  t.equal(await write, 'OK');
  t.equal(await elsewhere, 'master p:c');
  t.equal(await behind, 'master p:e');
  for (const key of ['p:f', 'p:g', 'p:h']) t.equal(await c.text('GET', key), `master ${key}`);
  t.same(follower.asked('GET'), ['n:a', 'n:d'], 'what the namespace does not want is not sent twice');
  t.same(follower.asked('SET'), []);
  t.equal(await metric(SENT), 2);
  t.equal(await metric(WON), 2);
  t.equal(await metric('ringside_proxy_possibly_stale_reads_total'), 2);
  const clusters = await fetch(`http://${proxy.listeners.admin}/clusters?format=json`);
  const { shards } = (await clusters.json()) as {
    shards: { nodes: { hedges: number; hedgesWon: number }[] }[];
  };
  t.match(shards[0].nodes, [
    { hedges: 2, hedgesWon: 2 },
    { hedges: 0, hedgesWon: 0 },
  ]);
});

t.test('the leader answers first after all: what the follower says later goes to nobody', async (t) => {
  const { leader, follower, client, metric } = await stage(t);
  follower.isHeld = true;
  const c = client();
  const read = c.text('GET', 'n:a');
  await until('the follower is asked', () => follower.asked('GET').includes('n:a'));
  leader.release();
  t.equal(await read, 'master n:a');
  follower.release();
  leader.isHeld = true;
  t.equal(await c.text('GET', 'n:b'), 'slave n:b', 'its own answer');
  t.equal(await metric(SENT), 2);
  t.equal(await metric(WON), 1);
  leader.release();
});

t.test('a follower that is behind, or follows another stream, does not answer', async (t) => {
  const { leader, follower, client, metric } = await stage(t);
  follower.offset = 99;
  const read = client().text('GET', 'n:a');
  await until('the follower is asked', () => follower.asked('GET').includes('n:a'));
  // Behind the follower's answer on the same connection.
  follower.offset = 100;
  t.equal(await client().text('GET', 'n:b'), 'slave n:b');
  leader.release();
  t.equal(await read, 'master n:a');
  t.equal(await metric(SENT), 2);
  t.equal(await metric(WON), 1);
});

t.test('what a client has just read, or has under way, is not read elsewhere for it', async (t) => {
  const { leader, follower, client, usual } = await stage(t);
  const [c, d] = [client(), client()];
  const held = [
    usual.send('GET', 'n:usual'),
    c.send('SET', 'n:own', '1'),
    c.send('GET', 'n:own'),
    d.send('GET', 'n:two'),
    d.send('GET', 'n:two'),
  ];
  const isHere = () => ['n:usual', 'n:own', 'n:two'].every((key) => leader.asked('GET').includes(key));
  await until('the leader has them', isHere);
  t.equal(await client().text('GET', 'n:later'), 'slave n:later', 'looked at behind those');
  t.same(follower.asked('GET'), ['n:later']);
  t.equal(await client().text('GET', 'n:usual'), 'slave n:usual', 'another client knows nothing of it');
  leader.release();
  t.same((await Promise.all(held)).map(String), [
    'master n:usual',
    'OK',
    '1',
    'master n:two',
    'master n:two',
  ]);
});

t.test('beyond the budget of retries nothing is sent twice', async (t) => {
  const resilience = { retries: { ratio: 0, minimumPerSecond: 0 } };
  const { leader, follower, client, metric } = await stage(t, { resilience });
  const read = client().text('GET', 'n:a');
  await until('a retry is refused', () => metric('ringside_proxy_retries_refused_total'));
  leader.release();
  t.equal(await read, 'master n:a');
  t.same(follower.asked('GET'), []);
  t.equal(await metric(SENT), 0);
});

t.test('writes, several keys, and scans are never sent twice', async (t) => {
  const { leader, follower, client } = await stage(t);
  const never = [
    ['SET', 'n:a', '1'],
    ['INCRBY', 'n:b', '1'],
    ['MGET', 'n:c', 'n:d'],
    ['HSCAN', 'n:e', '0'],
  ];
  const c = client();
  const answers = never.map((parts) => c.send(...parts));
  await until('the leader has them', () => leader.asked('HSCAN').includes('n:e'));
  t.equal(await client().text('GET', 'n:later'), 'slave n:later');
  t.same(
    follower.node.names.filter((name) => name !== 'INFO'),
    ['GET'],
  );
  leader.release();
  await Promise.all(answers);
  t.same(follower.asked('GET'), ['n:later']);
});

t.test('a follower that is gone is not asked', async (t) => {
  const { leader, follower, client, metric } = await stage(t);
  await follower.node.stop();
  await until('the proxy knows', () => metric('ringside_proxy_upstream_suspect'));
  const read = client().text('GET', 'n:a');
  await until('the leader has it', () => leader.asked('GET').includes('n:a'));
  await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  leader.release();
  t.equal(await read, 'master n:a');
  t.equal(await metric(SENT), 0);
});

t.test('off: nobody is asked for anything more', async (t) => {
  const off = namespaces.map((one) => ({ ...one, hedgedReads: false }));
  const { leader, follower, client, metric } = await stage(t, {}, { namespaces: off });
  const read = client().text('GET', 'n:a');
  await until('the leader has it', () => leader.asked('GET').includes('n:a'));
  await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  leader.release();
  t.equal(await read, 'master n:a');
  t.same(follower.node.names, []);
  t.same(leader.asked('INFO'), []);
  t.equal(await metric(SENT), 0);
});
