import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { AOF_FOLDER, AOF_NAME, APPENDING, incrOf, manifestOf } from '../support/aof.ts';
import { infoField } from '../support/data-set.ts';
import { folder } from '../support/folder.ts';
import { freePort } from '../support/ports.ts';
import { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';
import { until } from '../support/until.ts';

/* A node that loads a large append-only file. */

t.test('while a file is loaded, clients are told so, and memory stays bounded', async (t) => {
  const dir = folder(t, 'aof');
  mkdirSync(join(dir, AOF_FOLDER));
  const small = Array.from({ length: 2000 }, (_, i) => encodeCommand('SET', `key:${i}`, 'x'.repeat(40)));
  const many = Buffer.concat(small);
  const parts = Array.from({ length: 1000 }, () => many);
  const large = encodeCommand('SET', 'large', 'y'.repeat(3e6));
  writeFileSync(incrOf(dir, 1), Buffer.concat([...parts, large]));
  const { size } = statSync(incrOf(dir, 1));
  writeFileSync(manifestOf(dir), `file ${AOF_NAME}.1.incr.aof seq 1 type i\n`);
  const port = await freePort();
  const starting = startStandaloneNode(
    t,
    '--dir',
    dir,
    ...APPENDING,
    '--port',
    String(port),
    '--maxmemory',
    '64mb',
  );
  const client = await until(
    'the port is open',
    async () => {
      const one = new RespClient(`127.0.0.1:${port}`);
      try {
        await one.send('PING');
        return one;
      } catch {
        one.close();
        return null;
      }
    },
    { everyMs: 2 },
  );
  t.teardown(() => client.close());
  t.match(await client.send('GET', 'key:1'), { message: /^LOADING / });
  t.match(await client.send('SET', 'key:1', 'v'), { message: /^LOADING / });
  t.equal(await infoField(client, 'loading'), '1');
  const total = await until('it has begun', () => infoField(client, 'loading_total_bytes'));
  t.equal(total, String(size));
  const loaded = async () => Number(await infoField(client, 'loading_loaded_bytes'));
  const before = await loaded();
  await until('it goes on', async () => (await loaded()) > before, { everyMs: 5 });
  const node = await starting;
  t.equal(await infoField(client, 'loading'), '0');
  t.equal(await client.send('DBSIZE'), 2001);
  const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${node.pid}/status`, 'utf8'));
  t.ok(peak === null || Number(peak[1]) < 220_000, `${peak?.[1]} kB for a file of ${size >> 10} kB`);
});
