import t from 'tap';
import { Pool } from 'undici';
import { DevCluster } from '../support/dev-cluster.ts';
import { until } from '../support/until.ts';

/*
 * Writers that repeat what was not answered, under idempotency keys, through two proxies, while the leader is killed: each write is done
 * exactly once.
 */

const WRITERS = 8;
const BEFORE = 20;
const AFTER = 20;

t.test('each write once, over the death of the leader', async (t) => {
  const size = ['--shards', '1', '--followers', '2', '--proxies', '2', '--ack', 'replica'];
  const cluster = await DevCluster.start(...size);
  t.teardown(() => cluster.stop());
  const { shards } = await cluster.whole(1, 2);
  const proxies = [7380, 8380].map(
    (port) => new Pool(`http://${cluster.at(port)}`, { connections: WRITERS }),
  );
  t.teardown(() => Promise.all(proxies.map((proxy) => proxy.close())));
  const sums: string[] = [];
  let isKilled = false;
  let afterwards = 0;
  let repeated = 0;

  /** Adds 1, and asks again until it is known to be done. */
  const add = async (writer: number, round: number) => {
    for (let attempt = 0; ; attempt++) {
      const { statusCode, body } = await proxies[(writer + attempt) % 2].request({
        method: 'POST',
        path: '/v1/key/n/incr',
        headers: { 'idempotency-key': `${writer}:${round}` },
      });
      const answer = (await body.json()) as { value?: string };
      if (statusCode === 200) {
        sums.push(answer.value!);
        return;
      }
      if (statusCode !== 503 && statusCode !== 504)
        throw new Error(`${statusCode} ${JSON.stringify(answer)}`);
      repeated++;
    }
  };

  const write = async (writer: number) => {
    let rounds = 0;
    for (let after = 0; after < AFTER; rounds++) {
      await add(writer, rounds);
      if (!isKilled) continue;
      after++;
      afterwards++;
    }
    return rounds;
  };

  const writing = Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
  await until('all are writing', () => sums.length >= WRITERS * BEFORE);
  process.kill(shards[0].leader!.pid, 'SIGKILL');
  isKilled = true;
  const total = (await writing).reduce((sum, rounds) => sum + rounds, 0);
  t.ok(repeated > 0, `${repeated} attempts were repeated`);
  t.ok(afterwards >= WRITERS * AFTER);
  t.equal(new Set(sums).size, total, 'every answer is of one write');
  const { body } = await proxies[0].request({ method: 'GET', path: '/v1/key/n' });
  t.equal(await body.text(), String(total));
});
