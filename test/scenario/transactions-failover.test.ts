import t from 'tap';
import { RespError } from '../../lib/codec/resp/index.ts';
import { calm, DevCluster } from '../support/dev-cluster.ts';
import { RespClient } from '../support/resp-client.ts';
import { until } from '../support/until.ts';

/* The leader is killed while clients run transactions and others block, with `ack: replica`: what EXEC said has to hold. */

const [A, B] = ['{pair}a', '{pair}b'];
const CLIENTS = 10;

/** What EXEC answered so far. */
interface Tally {
  /** The transaction ran. */
  ran: number;
  /** Nobody knows. */
  unknown: number;
  /** It certainly did not run. */
  aborted: number;
  /** Anything else, or a transaction of which only a part ran. */
  readonly wrong: string[];
}

async function increment(client: RespClient, tally: Tally): Promise<void> {
  const commands = [['MULTI'], ['INCR', A], ['INCR', B], ['EXEC']];
  const replies = await Promise.all(commands.map((command) => client.send(...command)));
  const result = replies[3];
  if (Array.isArray(result) && result[0] === result[1]) tally.ran++;
  else if (result instanceof RespError && result.message.startsWith('UNKNOWN ')) tally.unknown++;
  else if (result instanceof RespError && result.message.startsWith('EXECABORT ')) tally.aborted++;
  else tally.wrong.push(String(result));
}

t.test('transactions and blocked clients over a failover', async (t) => {
  const cluster = await DevCluster.start(
    '--shards',
    '1',
    '--followers',
    '2',
    '--ack',
    'replica',
    ...calm(3000),
  );
  t.teardown(() => cluster.stop());
  const status = await cluster.whole(1, 2);
  const clients = Array.from({ length: CLIENTS + 2 }, () => new RespClient(status.proxies[0].resp));
  t.teardown(() => {
    for (const client of clients) client.close();
  });
  const [reader, blocked, ...writers] = clients;
  const tally: Tally = { ran: 0, unknown: 0, aborted: 0, wrong: [] };
  let isOver = false;
  const writing = writers.map(async (client) => {
    while (!isOver) await increment(client, tally);
  });
  const popped = blocked.send('BLPOP', '{pair}list', '0');
  await until('transactions run', () => tally.ran > 50);
  process.kill(status.shards[0].leader!.pid, 'SIGKILL');
  t.match(await popped, { message: /^UNKNOWN / }, 'nobody knows what the dead leader has popped');
  const before = tally.ran;
  await until('transactions run again', () => tally.ran > before + 50);
  const again = blocked.send('BLPOP', '{pair}list', '0');
  t.equal(await reader.send('RPUSH', '{pair}list', 'x'), 1);
  t.same(String(await again), '{pair}list,x');
  isOver = true;
  await Promise.all(writing);
  const [a, b] = [Number(await reader.text('GET', A)), Number(await reader.text('GET', B))];
  const { ran, unknown, aborted, wrong } = tally;
  t.comment(`${ran} ran, ${unknown} unknown, ${aborted} aborted; the counters are at ${a}`);
  t.same(wrong, []);
  t.equal(a, b, 'each ran as a whole or not at all');
  t.ok(a >= ran, 'none that ran is lost');
  t.ok(a <= ran + unknown, 'and none ran of which EXEC said that it did not');
});
