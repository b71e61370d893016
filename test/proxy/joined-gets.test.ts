import t from 'tap';
import { infoField } from '../support/data-set.ts';
import type { FakeNode } from '../support/fake-node.ts';
import { fakeNodes, proxyWith, upstreamsOf } from '../support/proxy-under-test.ts';
import { RespClient } from '../support/resp-client.ts';
import { startNodesWith } from '../support/spread.ts';
import { until } from '../support/until.ts';

/*
 * GETs that leave for a node together go as one MGET; nobody can tell by the replies. Those that come of a client alone are put together as they come (runs), those behind something
 * else, or of several clients, as they leave.
 */

const WRONG_TYPE = 'WRONGTYPE Operation against a key holding the wrong kind of value';
const keysOf = (count: number, name = 'get') => Array.from({ length: count }, (_, i) => `${name}:${i}`);

/** Sends commands in one piece; what is answered, as text. */
async function sendAll(client: RespClient, ...commands: readonly string[][]): Promise<(string | null)[]> {
  client.socket.cork();
  const replies = commands.map((command) => client.send(...command).catch((error) => error));
  client.socket.uncork();
  return (await Promise.all(replies)).map(textOf);
}

function textOf(reply: unknown): string | null {
  return reply === null ? null : reply instanceof Error ? reply.message : String(reply);
}

type GetAll = (client: RespClient, keys: readonly string[]) => Promise<(string | null)[]>;

const gets = (keys: readonly string[]) => keys.map((key) => ['GET', key]);
const getAll: GetAll = (client, keys) => sendAll(client, ...gets(keys));
const WAYS: Record<string, GetAll> = {
  'in a run': getAll,
  'behind another command': async (client, keys) =>
    (await sendAll(client, ['ECHO', 'x'], ...gets(keys))).slice(1),
};

/** How often a node has run a command. */
async function calls(node: RespClient, name: string): Promise<number> {
  const stats = await infoField(node, `cmdstat_${name}`);
  return Number(/calls=(\d+)/.exec(stats ?? '')?.[1] ?? 0);
}

/** A client of a proxy before one fake node that has these keys. */
async function clientBefore(
  t: Parameters<typeof fakeNodes>[0],
  keys: readonly string[],
  options: object = {},
) {
  const [node] = await fakeNodes(t, 1);
  for (const key of keys) node.store.set(key, Buffer.from(`of ${key}`));
  const under = await proxyWith(t, { upstreams: upstreamsOf([{ leader: node }]), ...options });
  const client = under.client();
  await client.text('PING');
  return { node, under, client };
}

/** The proxy takes what has reached it before. */
async function roundTrips(client: RespClient): Promise<void> {
  for (let i = 0; i < 20; i++) await client.text('PING');
}

/** Refuses GETs of a key that is no string, as nodes do. */
const withHash = (node: FakeNode, key: string) => {
  node.refuse = ({ name, args }) => (name === 'GET' && args[0] === key ? `-${WRONG_TYPE}\r\n` : undefined);
};

for (const shards of [1, 3]) {
  for (const protocol of ['2', '3']) {
    for (const [way, getAll] of Object.entries(WAYS))
      t.test(`GETs go together (${shards} shards, RESP${protocol}, ${way})`, async (t) => {
        const nodes = await startNodesWith(t, shards);
        const upstreams = nodes.map(({ ready }, i) => ({ name: `s${i}`, leader: ready.resp }));
        const under = await proxyWith(t, { upstreams, adminPort: 'auto' });
        const clients = [under.client(), under.client(), under.client()];
        const direct = nodes.map(({ ready }) => new RespClient(ready.resp));
        t.teardown(() => direct.map((one) => one.close()));
        for (const client of clients) await client.send('HELLO', protocol);
        const keys = keysOf(60);
        for (const key of keys) await clients[0].text('SET', key, `of ${key}`);
        await clients[0].send('HSET', 'a hash', 'f', 'v');
        const asked = ['missing', ...keys, 'a hash', ...keys.slice(0, 3)];
        const expected = [
          null,
          ...keys.map((key) => `of ${key}`),
          WRONG_TYPE,
          ...keys.slice(0, 3).map((key) => `of ${key}`),
        ];
        for (let i = 0; i < 5; i++) {
          const found = await Promise.all(clients.map((client) => getAll(client, asked)));
          for (const one of found) t.same(one, expected);
        }
        for (const node of direct) t.ok((await calls(node, 'mget')) > 0, 'they came together');
        const metrics = await (await fetch(`http://${under.proxy.listeners.admin}/metrics`)).text();
        t.match(
          metrics,
          new RegExp(`command_seconds_count\\{listener="resp",command="get"\\} ${15 * asked.length}\n`),
          'they count as what they are',
        );
        t.notMatch(metrics, 'command="mget"');
      });
  }
}

t.test('clients that send one GET at a time have theirs joined', async (t) => {
  const keys = keysOf(30);
  const { node, under } = await clientBefore(t, keys);
  const clients = keys.map(() => under.client());
  await Promise.all(clients.map((client) => client.text('PING')));
  const ask = () => Promise.all(clients.map((client, i) => client.text('GET', keys[i])));
  await until('some come together', async () => {
    t.same(
      await ask(),
      keys.map((key) => `of ${key}`),
    );
    return node.names.includes('MGET');
  });
});

for (const [way, getAll] of Object.entries(WAYS)) {
  t.test(`few GETs go as they are, and a missing key is asked for once (${way})`, async (t) => {
    const { node, client } = await clientBefore(t, ['b']);
    t.same(await getAll(client, ['a', 'b', 'c']), [null, 'of b', null]);
    t.same(node.names, ['GET', 'GET', 'GET']);
  });
}

t.test('what comes behind a GET in the same piece does not change what it finds', async (t) => {
  const { node, client } = await clientBefore(t, ['b', 'c', 'd']);
  const written = await sendAll(
    client,
    ...['a', 'b', 'c', 'd'].map((key) => ['GET', key]),
    ['SET', 'a', 'new'],
    ['GET', 'a'],
  );
  t.same(written, [null, 'of b', 'of c', 'of d', 'OK', 'new']);
  t.notOk(node.names.includes('MGET'), 'nothing goes together ahead of a write');
});

for (const [way, getAll] of Object.entries(WAYS)) {
  t.test(`what comes behind joined GETs waits until they are answered (${way})`, async (t) => {
    const { node, under, client } = await clientBefore(t, ['b', 'c', 'd']);
    node.refuse = ({ name }) => (name === 'MGET' ? 'silent' : undefined);
    const reading = getAll(client, ['a', 'b', 'c', 'd']);
    await until('they are under way', () => node.names.includes('MGET'));
    const later = [client.send('SET', 'a', 'new'), client.send('GET', 'a')];
    const echo = client.text('ECHO', 'x');
    await roundTrips(under.client());
    t.same(node.names, ['MGET'], 'nothing else was sent');
    node.refuse = () => undefined;
    node.say('*4\r\n$-1\r\n$4\r\nof b\r\n$4\r\nof c\r\n$4\r\nof d\r\n');
    t.same(await reading, [null, 'of b', 'of c', 'of d']);
    t.same((await Promise.all(later)).map(String), ['OK', 'new']);
    t.equal(await echo, 'x');
    t.same(
      node.names,
      ['MGET', 'GET', 'SET', 'GET'],
      'the missing one is asked for before anything is written',
    );
  });
}

for (const [way, getAll] of Object.entries(WAYS)) {
  t.test(`a long value that is written behind joined GETs waits as well (${way})`, async (t) => {
    const { node, under, client } = await clientBefore(t, ['b', 'c', 'd']);
    const long = 'x'.repeat(400_000);
    node.refuse = ({ name }) => (name === 'MGET' ? 'silent' : undefined);
    const reading = getAll(client, ['a', 'b', 'c', 'd']);
    await until('they are under way', () => node.names.includes('MGET'));
    const writing = client.text('SET', 'a', long);
    await roundTrips(under.client());
    t.same(node.names, ['MGET']);
    node.refuse = () => undefined;
    node.say('*4\r\n$-1\r\n$4\r\nof b\r\n$4\r\nof c\r\n$4\r\nof d\r\n');
    t.same(await reading, [null, 'of b', 'of c', 'of d']);
    t.equal(await writing, 'OK');
    t.equal(await client.text('GET', 'a'), long);
    t.same(node.names.slice(0, 3), ['MGET', 'GET', 'SET']);
  });
}

for (const [way, getAll] of Object.entries(WAYS)) {
  t.test(
    `a value that came after an MGET had none is not older than what was answered behind it (${way})`,
    async (t) => {
      const { node, client } = await clientBefore(t, ['b', 'c', 'd']);
      node.refuse = ({ name, args }) => {
        // Somebody writes between the two.
        if (name === 'GET' && args[0] === 'a') node.store.set('a', Buffer.from('x'.repeat(300_000)));
        return undefined;
      };
      t.same(await getAll(client, ['a', 'b', 'c', 'd']), [null, 'of b', 'of c', 'of d']);
      t.equal(String(await client.text('GET', 'a')).length, 300_000);
    },
  );
}

for (const [way, getAll] of Object.entries(WAYS)) {
  t.test(`a key that is no string has its error (${way})`, async (t) => {
    const { node, client } = await clientBefore(t, ['b', 'c', 'd']);
    withHash(node, 'a');
    t.same(await getAll(client, ['a', 'b', 'c', 'd']), [WRONG_TYPE, 'of b', 'of c', 'of d']);
    t.same(node.names, ['MGET', 'GET']);
  });
}

for (const [way, getAll] of Object.entries(WAYS)) {
  t.test(`a node that does not allow MGET is asked by GETs (${way})`, async (t) => {
    const keys = keysOf(8);
    const { node, client } = await clientBefore(t, keys);
    node.refuse = ({ name }) =>
      name === 'MGET' ? "-NOPERM this user has no permissions to run the 'mget' command\r\n" : undefined;
    const expected = keys.map((key) => `of ${key}`);
    for (let i = 0; i < 3; i++) t.same(await getAll(client, keys), expected);
    // A run, and then what leaves together.
    const tries = getAll === WAYS['in a run'] ? 2 : 1;
    t.equal(node.names.filter((name) => name === 'MGET').length, tries, 'it is not tried again and again');
    node.refuse = () => undefined;
    node.cut();
    await until('the next connection is tried again', async () => {
      t.same(await getAll(client, keys), expected);
      return node.names.filter((name) => name === 'MGET').length > tries;
    });
  });
}

for (const [way, getAll] of Object.entries(WAYS)) {
  t.test(`what is wrong with the node is said of each (${way})`, async (t) => {
    const keys = keysOf(5);
    const { node, client } = await clientBefore(t, keys);
    node.refuse = () => '-BUSY Redis is busy running a script.\r\n';
    const error = 'BUSY Redis is busy running a script.';
    t.same(
      await getAll(client, keys),
      keys.map(() => error),
    );
    // Those of a run may belong elsewhere by now.
    const again = getAll === WAYS['in a run'] ? keys.map(() => 'GET') : [];
    t.same(node.names, ['MGET', ...again]);
    node.refuse = () => undefined;
    t.same(
      await getAll(client, keys),
      keys.map((key) => `of ${key}`),
    );
  });
}

t.test('a run that fails for a reason of its own is asked for one by one', async (t) => {
  const [odd, other] = await fakeNodes(t, 2);
  const keys = keysOf(20);
  for (const key of keys) for (const node of [odd, other]) node.store.set(key, Buffer.from(`of ${key}`));
  const under = await proxyWith(t, { upstreams: upstreamsOf([{ leader: odd }, { leader: other }]) });
  const client = under.client();
  let hash = '';
  odd.refuse = ({ name, args }) => {
    if (name === 'MGET') {
      hash = String(args[1]);
      return '-TRYAGAIN Multiple keys request during rehashing of slot\r\n';
    }
    return name === 'GET' && String(args[0]) === hash ? `-${WRONG_TYPE}\r\n` : undefined;
  };
  const found = await getAll(client, keys);
  const [together, ...apart] = odd.received.filter(({ name }) => name.endsWith('GET'));
  t.equal(together.name, 'MGET');
  t.same(
    apart.map(({ name, args }) => [name, ...args]),
    together.args.map((key) => ['GET', key]),
    'the same, in order',
  );
  const expected = keys.map((key) => (key === hash ? WRONG_TYPE : `of ${key}`));
  t.same(found, expected);
  t.same(other.names, ['MGET'], 'the other shard is not asked again');
});

for (const [way, getAll] of Object.entries(WAYS)) {
  t.test(`while many keys are missing they are asked for one by one (${way})`, async (t) => {
    const { node, client } = await clientBefore(t, []);
    const keys = keysOf(100, 'missing');
    for (let i = 0; i < 12; i++)
      t.same(
        await getAll(client, keys),
        keys.map(() => null),
      );
    const mgets = () => node.names.filter((name) => name === 'MGET').length;
    const before = mgets();
    t.ok(before > 0);
    node.received.length = 0;
    for (let i = 0; i < 5; i++) await getAll(client, keys);
    t.same(node.names, new Array(500).fill('GET'), 'once each');
  });
}

for (const [way, getAll] of Object.entries(WAYS)) {
  t.test(`long values come in the pieces in which they are read (${way})`, async (t) => {
    const keys = keysOf(12);
    const { node, under, client } = await clientBefore(t, keys);
    for (const [i, key] of keys.entries()) node.store.set(key, Buffer.alloc((i % 4) * 200_000 + i, 97 + i));
    const expected = keys.map((key) => node.store.get(key)!.toString());
    const other = under.client();
    const found = await Promise.all([getAll(client, keys), getAll(other, keys)]);
    for (const one of found) t.same(one, expected);
    t.ok(node.names.includes('MGET'));
    t.notOk(node.names.includes('GET'));
  });
}

for (const [way, getAll] of Object.entries(WAYS)) {
  t.test(`GETs that were lost together are asked for again, at a follower (${way})`, async (t) => {
    const [leader, follower] = await fakeNodes(t, 2);
    const keys = keysOf(8);
    for (const key of keys) for (const node of [leader, follower]) node.store.set(key, Buffer.from(key));
    const under = await proxyWith(t, { upstreams: upstreamsOf([{ leader, followers: [follower] }]) });
    const client = under.client();
    t.same(await getAll(client, keys), keys);
    leader.refuse = ({ name }) => (name === 'MGET' ? 'close' : undefined);
    t.same(await getAll(client, keys), keys);
    t.ok(follower.names.length > 0);
  });
}

for (const [way, getAll] of Object.entries(WAYS)) {
  t.test(`a client that leaves meanwhile costs the others nothing (${way})`, async (t) => {
    const keys = keysOf(8);
    const { node, under, client: staying } = await clientBefore(t, keys.slice(2));
    const leaving = under.client();
    await leaving.text('PING');
    node.refuse = () => 'silent';
    getAll(leaving, keys).catch(() => {});
    await until('it is under way', () => node.names.includes('MGET'));
    leaving.close();
    const waiting = staying.text('GET', keys[7]);
    await until('another waits behind it', () => node.names.includes('GET'));
    node.refuse = () => undefined;
    const none = '$-1\r\n';
    node.say(`*8\r\n${none}${none}${'$1\r\nx\r\n'.repeat(6)}$1\r\n2\r\n`);
    t.equal(await waiting, '2', 'each has what is its own');
    t.same(
      await getAll(staying, keys.slice(2)),
      keys.slice(2).map((key) => `of ${key}`),
    );
  });
}

for (const [way, getAll] of Object.entries(WAYS)) {
  t.test(`an answer of another length is no answer (${way})`, async (t) => {
    const keys = keysOf(5);
    const { node, under, client } = await clientBefore(t, keys);
    let isOdd = true;
    node.refuse = ({ name }) => {
      if (name !== 'MGET' || !isOdd) return undefined;
      isOdd = false;
      return '*2\r\n$1\r\nx\r\n$1\r\nx\r\n';
    };
    t.same(
      await getAll(client, keys),
      keys.map((key) => `of ${key}`),
      'what nobody can make sense of is asked for again',
    );
    if (getAll !== WAYS['in a run'])
      t.ok(under.log.some(({ reason }) => /another length/.test(String(reason))));
  });
}
