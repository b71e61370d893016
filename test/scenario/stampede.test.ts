import t from 'tap';
import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { RespClient } from '../support/resp-client.ts';
import { StampedeStage } from '../support/stampede.ts';
import { until } from '../support/until.ts';

const SIZE = { proxies: 4, workers: 1, connectionsPerProxy: 25, depth: 100 };
const TIMEOUT_MS = 8000;
let stage: StampedeStage;

t.before(async () => {
  stage = await StampedeStage.start(SIZE, { timeoutMs: TIMEOUT_MS });
});

t.teardown(() => stage.stop());

t.test(
  '10,000 reads of one key that is not there, over four proxies, are one request to the origin',
  async (t) => {
    await stage.origin.tell({ delayMs: 100 });
    const result = await stage.stampede(SIZE, (client) => client.text('GET', 'o:stampede'));
    t.match(result, { reads: 10_000, filled: 10_000, originRequests: 1 });
    const again = await stage.stampede(SIZE, (client) => client.text('GET', 'o:stampede'));
    t.match(again, { filled: 10_000, originRequests: 0 });
  },
);

t.test('a client that does not read its value delays nobody', async (t) => {
  const bytes = 8 * 1024 * 1024 - 1024;
  await stage.origin.tell({ bytes, body: 'x', isHeld: true, isForgotten: true });
  const slow = new RespClient(stage.proxies[0].ready.resp);
  slow.socket.pause();
  slow.socket.write(encodeCommand('GET', 'o:large'));
  await until('it is fetched for the slow one', async () => (await stage.origin.seen()).present === 1);
  const others = stage.proxies.flatMap((_, i) => [stage.client(i), stage.client(i)]);
  const reads = others.map((client) => client.send('GET', 'o:large'));
  await stage.origin.tell({ isHeld: false });
  const values = (await Promise.all(reads)) as Buffer[];
  t.ok(values.every(({ length }) => length === bytes));
  t.equal((await stage.origin.seen()).asked.length, 1);
  t.ok(slow.socket.bytesRead < bytes, 'while it has not');
  for (const client of [slow, ...others]) client.close();
  await stage.origin.tell({ bytes: 0, body: 'made' });
});

t.test('while the origin fails stale values go on, and it is left in peace', async (t) => {
  const keys = Array.from({ length: 50 }, (_, i) => `o:stale:${i}`);
  const clients = stage.proxies.map((_, i) => stage.client(i));
  await Promise.all(keys.map((key) => clients[0].send('RS.SET', key, 'old', 'PX', '600000', 'SOFTPX', '0')));
  await stage.origin.tell({ status: 500, isForgotten: true });
  const readAll = () => Promise.all(clients.flatMap((client) => keys.map((key) => client.text('GET', key))));
  for (let round = 0; round < 20; round++) t.ok((await readAll()).every((value) => value === 'old'));
  const { asked } = await stage.origin.seen();
  t.ok(asked.length > 0 && asked.length <= 400, `${asked.length} requests to the origin for 4,000 reads`);
  await stage.origin.tell({ status: 200 });
  await until('all are new', async () => (await readAll()).every((value) => value?.startsWith('made ')));
  for (const [i, client] of clients.entries())
    await until(
      'the breaker of each proxy closes',
      async () => String(await client.send('GET', `o:well:${i}`)) === `made o:well:${i}`,
    );
  for (const client of clients) client.close();
});

t.test('a fill that outlives its lease does not overwrite what came after', async (t) => {
  const [stopped, other] = [stage.client(0), stage.client(1)];
  await stage.origin.tell({ body: 'older', isHeld: true, isForgotten: true });
  const first = stopped.text('GET', 'o:late');
  await until('the first proxy asks', async () => (await stage.origin.seen()).present === 1);
  stage.proxies[0].kill('SIGSTOP');
  // What it asked for is answered and lies in its socket, until it wakes up.
  await stage.origin.tell({ isHeld: false });
  await until('that is answered', async () => (await stage.origin.seen()).present === 0);
  await stage.origin.tell({ body: 'newer' });
  t.equal(
    await other.text('GET', 'o:late'),
    'newer o:late',
    'the lease ran out, and somebody else filled the key',
  );
  stage.proxies[0].kill('SIGCONT');
  t.match(await first.catch(String), /older o:late|no whole answer/, 'who waited there is answered');
  t.equal((await stage.origin.seen()).asked.length, 2);
  for (const client of [stopped, other])
    t.equal(await client.text('GET', 'o:late'), 'newer o:late', 'the late one was not let in');
  for (const client of [stopped, other]) client.close();
});

t.test('a proxy that dies while it fills leaves the key to the next', async (t) => {
  const [dying, other] = [stage.client(2), stage.client(3)];
  await stage.origin.tell({ body: 'made', isHeld: true, isForgotten: true });
  const lost = dying.send('GET', 'o:orphan').catch((error: Error) => error);
  await until('the proxy asks', async () => (await stage.origin.seen()).present === 1);
  const waiting = other.text('GET', 'o:orphan');
  stage.proxies[2].kill('SIGKILL');
  t.ok((await lost) instanceof Error);
  await stage.origin.tell({ isHeld: false });
  t.equal(await waiting, 'made o:orphan', 'once its lease is over');
  other.close();
});
