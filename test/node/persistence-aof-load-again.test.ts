import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { anyCommands } from '../support/any-writes.ts';
import { dataSetOf, infoField } from '../support/data-set.ts';
import { folder } from '../support/folder.ts';
import { RawClient } from '../support/raw-client.ts';
import { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';
import { until } from '../support/until.ts';

/* DEBUG LOADAOF, also right behind writes, and amid rewrites: the same data set, down to versions and marks; and the stream does not notice. */

const seed = Number(process.env.SEED ?? 20261121);
const ROUNDS = process.env.RINGSIDE_LONG ? 60 : 6;
const random = seededRandom(seed);

t.test(`everything is loaded again (SEED=${seed})`, async (t) => {
  const dir = folder(t, 'aof-load');
  const args = ['--enable-debug-command', 'yes'];
  const node = await startStandaloneNode(t, '--dir', dir, '--appendonly', 'yes', ...args);
  const follower = await startStandaloneNode(t, '--replicaof', node.ready.resp.replace(':', ' '), ...args);
  const [client, copy] = [node, follower].map(({ ready }) => new RespClient(ready.resp));
  const raw = new RawClient(node.ready.resp);
  t.teardown(() => {
    for (const one of [client, copy, raw]) one.close();
  });
  await until('the follower is there', async () => (await infoField(client, 'connected_slaves')) === '1');
  await client.send('DEBUG', 'SET-ACTIVE-EXPIRE', '0');
  for (let round = 0; round < ROUNDS; round++) {
    await raw.run(anyCommands(random, 200));
    if (round % 3 === 1) await client.send('BGREWRITEAOF');
    // In one pipeline, so that nothing of the writes has been written when it comes.
    const replies = await raw.run([
      ...anyCommands(random, 200),
      ['DEBUG', 'DIGEST'],
      ['DEBUG', 'LOADAOF'],
      ['DEBUG', 'DIGEST'],
    ]);
    const [before, answer, after] = replies.slice(-3).map(String);
    t.equal(answer, '+OK\r\n');
    t.equal(after, before, 'the same digest');
    await raw.run([
      ['SELECT', '0'],
      ['SET', 'behind', String(round)],
    ]);
  }
  await until('both stand at the same offset', async () => {
    const [a, b] = await Promise.all([client, copy].map((one) => infoField(one, 'master_repl_offset')));
    return a === b;
  });
  const [ours, theirs] = await Promise.all([client, copy].map((one) => dataSetOf(one)));
  const different = [...new Set([...ours.keys(), ...theirs.keys()])].filter(
    (key) => ours.get(key) !== theirs.get(key),
  );
  t.same(different, [], `${ours.size} keys with their versions are those of the follower`);
  t.equal(await infoField(client, 'sync_full'), '1', 'whose link has stayed');
  t.match(readFileSync(join(dir, 'appendonlydir/appendonly.aof.manifest'), 'utf8'), /base/);
});

t.test('without an append-only file there is nothing to load', async (t) => {
  const node = await startStandaloneNode(t, '--enable-debug-command', 'yes');
  const client = new RespClient(node.ready.resp);
  t.teardown(() => client.close());
  await client.send('SET', 'k', 'v');
  t.match(await client.send('DEBUG', 'LOADAOF'), {
    message: 'ERR Error trying to load the AOF files, check server logs.',
  });
  t.equal(await client.text('GET', 'k'), 'v', 'and nothing is lost');
});
