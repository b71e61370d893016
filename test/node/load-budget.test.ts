import t from 'tap';
import { LoadBudget } from '../../node/load-budget.ts';
import { captureLog } from '../support/capture-log.ts';
import { folder, nodeWith } from '../support/folder.ts';
import { until } from '../support/until.ts';

/* Files that hold more than `maxmemory`: the node says so, once. */

const KEYS = 20_000;

/** A node that has loaded more than its budget, as far as the watch looks at it. */
function loaded(maxMemoryBytes: number) {
  const data = { stats: { evicted: 0 } };
  const databases = { data, size: 1000, chargedBytes: 5000, overheadBytes: 0 };
  const { log, lines } = captureLog();
  const settings = { maxMemoryBytes, maxMemoryPolicy: 'allkeys-lru' as const };
  return { budget: new LoadBudget({ databases: databases as never, settings, log }), databases, lines };
}

t.test('a budget that has room for all is not spoken of', async (t) => {
  for (const maxMemoryBytes of [0, 6000]) {
    const { budget, databases, lines } = loaded(maxMemoryBytes);
    budget.look();
    databases.data.stats.evicted = 7;
    budget.look();
    t.same(lines, [], 'nor what goes later');
  }
});

t.test('what went is told when no more goes', async (t) => {
  const { budget, databases, lines } = loaded(3000);
  for (let round = 1; round <= 30; round++) {
    budget.look();
    databases.data.stats.evicted += 10;
    databases.size -= 10;
  }
  t.same(lines, [], 'not before');
  databases.chargedBytes = 2999;
  for (let round = 0; round < 3; round++) budget.look();
  t.equal(lines.length, 1, 'once');
  t.match(lines[0], { level: 'warn', evicted: 300, kept: 700, maxmemory: 3000, policy: 'allkeys-lru' });
  t.match(lines[0].msg, /maxmemory has room for: keys were evicted/);
});

t.test('a node that follows has another one to make room', async (t) => {
  const { budget, databases, lines } = loaded(3000);
  budget.leave();
  databases.data.stats.evicted = 7;
  for (let round = 0; round < 100; round++) budget.look();
  t.same(lines, []);
});

t.test('a policy that gives nothing is told too', async (t) => {
  const { budget, lines } = loaded(3000);
  for (let round = 0; round < 100; round++) budget.look();
  t.equal(lines.length, 1);
  t.match(lines[0], { level: 'warn', evicted: 0, kept: 1000 });
  t.match(lines[0].msg, /nothing more to evict, so writes are refused/);
});

t.test('a node that starts with a smaller budget', async (t) => {
  const dir = folder(t, 'load-budget');
  const [first, client] = await nodeWith(t, dir);
  await client.send('DEBUG', 'POPULATE', String(KEYS), 'key', '500');
  await client.send('SAVE');
  await first.stop();
  const [node, later] = await nodeWith(t, dir, '--maxmemory', '3mb', '--maxmemory-policy', 'allkeys-lru');
  const line = /"evicted":(\d+),"kept":(\d+),"maxmemory":3145728,"policy":"allkeys-lru","msg":"the files/;
  const logged = () => line.exec(node.stdout() + node.stderr());
  const [, evicted, kept] = await until('the warning', logged);
  t.equal(Number(evicted) + Number(kept), KEYS, 'all keys are accounted for');
  t.equal(await later.send('DBSIZE'), Number(kept));
  t.match(await later.text('INFO', 'stats'), `evicted_keys:${evicted}\r\n`);
});
