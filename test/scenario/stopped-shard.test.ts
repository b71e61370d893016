import t from 'tap';
import { peakResidentBytes, residentBytes } from '../../bench/support/resident.ts';
import { RespClient } from '../support/resp-client.ts';
import { startRingside } from '../support/ringside.ts';
import { until } from '../support/until.ts';

/*
 * Real processes: one of three nodes is stopped (SIGSTOP) while clients read and write keys of all. Keys of the others are answered as ever; those of the
 * stopped one are refused, first when their deadline passes, then at once; nothing piles up; and it is all over when the node goes on.
 */

const KEYS = 300;
const MAX_GROWTH_BYTES = 64 * 1024 * 1024;
/** Of those that are not stopped, none is to be taken for slow. */
const patience = ['proxy.operationTimeoutMs=5000', 'proxy.readTimeoutMs=4000'].flatMap((set) => [
  '--set',
  set,
]);
const off = ['http', 'grpc', 'memcached', 'admin'].flatMap((name) => [`--${name}-port`, 'off']);

t.test('a stopped node costs its own keys, and its clients no more than one deadline', async (t) => {
  const nodes = await Promise.all(
    [0, 1, 2].map(() => startRingside(['node', '--standalone', '--port', 'auto', '--admin-port', 'off'])),
  );
  t.teardown(() => Promise.all(nodes.map((node) => node.stop())));
  const upstreams = nodes.flatMap((node, i) => ['--upstream', `s${i}=${node.ready.resp}`]);
  const proxy = await startRingside(['proxy', '--resp-port', 'auto', ...off, ...upstreams, ...patience]);
  t.teardown(() => proxy.stop());
  const open = (address: string) => {
    const client = new RespClient(address);
    t.teardown(() => client.close());
    return client;
  };
  const client = open(proxy.ready.resp);
  const keys = Array.from({ length: KEYS }, (_, i) => `key:${i}`);
  for (const key of keys) await client.text('SET', key, key);
  const direct = open(nodes[0].ready.resp);
  const flags = await Promise.all(keys.map((key) => direct.send('EXISTS', key)));
  const own = keys.filter((_, i) => flags[i] === 1);
  const others = keys.filter((_, i) => flags[i] === 0);
  t.ok(own.length > 20 && others.length > 20, `${own.length} and ${others.length} keys`);

  const before = residentBytes(proxy.pid);
  nodes[0].kill('SIGSTOP');
  const sufferer = open(proxy.ready.resp);
  const texts = new Set<string>();
  await until('the breaker is open', async () => {
    const answers = await Promise.all(own.slice(0, 40).map((key) => sufferer.send('GET', key)));
    for (const answer of answers) texts.add(answer instanceof Error ? answer.message.split(' ')[0] : 'found');
    return answers.every((answer) => answer instanceof Error && answer.message.includes('circuit breaker'));
  });
  texts.delete('CLUSTERDOWN');
  texts.delete('TIMEOUT');
  t.same([...texts], [], 'nothing else was answered');
  let wrong = 0;
  for (let round = 0; round < 10; round++) {
    const refused = Promise.all(own.map((key) => sufferer.send('SET', key, 'x'.repeat(10_000))));
    const found = await Promise.all(others.map((key) => client.send('GET', key)));
    wrong += found.filter((value, i) => String(value) !== others[i]).length;
    wrong += (await refused).filter((answer) => !(answer instanceof Error)).length;
  }
  t.equal(wrong, 0, 'other keys are read, its own are refused');
  const grown = peakResidentBytes(proxy.pid) - before;
  t.ok(grown < MAX_GROWTH_BYTES, `${(grown / 1e6).toFixed(1)} MB more`);

  nodes[0].kill('SIGCONT');
  const back = await until('its keys are back', async () => {
    const answers = await Promise.all(own.map((key) => client.send('GET', key)));
    return answers.every((answer) => !(answer instanceof Error)) ? answers.map(String) : null;
  });
  t.same(
    back.filter((text, i) => text !== own[i]),
    [],
    'and are what they were: what was refused was not written',
  );
});
