import t from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { RawClient } from '../support/raw-client.ts';
import { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';
import { until } from '../support/until.ts';
import { type Command, pick } from './differential/base.ts';
import { topics } from './differential/index.ts';
import { flatten, nameOf, sorted } from './differential/same.ts';

/* A leader that executes random commands of every type: its followers, present all the time or come in the middle, have the same data set. */

const seed = Number(process.env.SEED ?? 20261121);
const ROUNDS = 3;
const BATCHES = 60;
const BATCH = 100;
const DATABASES = ['0', '3', '15'];

/** How to read a whole value, by its type. */
const READS: Readonly<Record<string, readonly string[]>> = {
  string: ['GET'],
  list: ['LRANGE', '0', '-1'],
  set: ['SMEMBERS'],
  hash: ['HGETALL'],
  zset: ['ZRANGE', '0', '-1', 'WITHSCORES'],
};
/** They choose what they change, which followers must learn. */
const choosing = (key: string | Buffer): readonly Command[] => [
  ['SPOP', key],
  ['SPOP', key, '2'],
];
const EXCLUDED =
  /^(B[LRZ].*|HELLO|AUTH|CLIENT|CONFIG|WAIT|SELECT|MULTI|EXEC|WATCH|DEBUG|SWAPDB|QUIT|P?S?SUBSCRIBE)$/;

/** All databases as text: keys in order, with type, expiry and content. */
async function content(client: RespClient): Promise<string[]> {
  const lines: string[] = [];
  for (const database of DATABASES) {
    await client.send('SELECT', database);
    const keys = ((await client.send('KEYS', '*')) as Buffer[]).sort(Buffer.compare);
    for (const key of keys) {
      const type = await client.text('TYPE', key);
      const [name, ...rest] = READS[type!];
      const value = await client.send(name, key, ...rest);
      const isOrdered = type !== 'set' && type !== 'hash';
      const text = isOrdered ? flatten(value).join('\n') : sorted(value, type === 'hash' ? 2 : 1);
      lines.push(
        `${database} ${key.toString('hex')} ${type} ${await client.text('PEXPIRETIME', key)} ${text}`,
      );
    }
  }
  return lines;
}

async function sameContent(leader: RespClient, follower: RespClient): Promise<[string[], string[]]> {
  await until('the follower is level', async () => {
    const [a, b] = await Promise.all([leader, follower].map((client) => client.text('INFO', 'replication')));
    const offset = (text: string | null, field: string) => new RegExp(`${field}:(\\d+)`).exec(text!)?.[1];
    return (
      /master_link_status:up/.test(b!) && offset(a, 'master_repl_offset') === offset(b, 'slave_repl_offset')
    );
  });
  return Promise.all([content(leader), content(follower)]);
}

t.test('followers have what their leader has, whatever the type', async (t) => {
  const random = seededRandom(seed);
  const node = await startStandaloneNode(t);
  const port = node.ready.resp.split(':')[1];
  const leader = new RespClient(node.ready.resp);
  const raw = new RawClient(node.ready.resp);
  const clients = [leader];
  t.teardown(() => {
    raw.close();
    for (const client of clients) client.close();
  });
  const generate = (): Command => {
    const command = topics[pick(random, Object.keys(topics))](random);
    if (random.int(30) === 0 && command.length > 1) return pick(random, choosing(command[1]));
    return EXCLUDED.test(nameOf(command)) ? ['PING'] : command;
  };
  for (let round = 0; round < ROUNDS; round++) {
    // The one of this round comes while the leader is busy.
    const starting = startStandaloneNode(t, '--replicaof', `127.0.0.1 ${port}`);
    for (let i = 0; i < BATCHES; i++) {
      const commands = Array.from({ length: BATCH }, generate);
      await raw.run([['SELECT', pick(random, DATABASES)], ...commands]);
    }
    clients.push(new RespClient((await starting).ready.resp));
    for (const [i, follower] of clients.slice(1).entries()) {
      const [theirs, ours] = await sameContent(leader, follower);
      t.ok(theirs.length > 0, `${theirs.length} keys`);
      t.same(ours, theirs, `round ${round}, follower ${i}, seed ${seed}`);
    }
  }
});
