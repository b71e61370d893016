import { readFileSync } from 'node:fs';
import t from 'tap';
import { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';
import { until } from '../support/until.ts';

/* What a node no longer needs goes back to the system, without a command that asks for it. */

const MIB = 2 ** 20;
const ENTRIES = 400_000;
const VALUE_BYTES = 1000;
/** What the process may have grown by beside its data: the heap of V8, mostly. */
const BESIDE = 200 * MIB;

// As bin/ringside has it.
process.env.MALLOC_MMAP_THRESHOLD_ ??= '262144';

t.test(
  'memory that is not used any more goes back to the system',
  { skip: process.platform === 'linux' ? false : 'skipped: resident sizes are read from /proc' },
  async (t) => {
    const node = await startStandaloneNode(t, '--maxmemory', '1gb', '--enable-debug-command', 'yes');
    const client = new RespClient(node.ready.resp);
    t.teardown(() => client.close());
    const resident = () => {
      const [, kib] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${node.pid}/status`, 'latin1'))!;
      return Number(kib) * 1024;
    };
    await client.send('RPUSH', 'warm', ...Array<string>(1000).fill('x'.repeat(1000)));
    const before = resident();
    const element = 'x'.repeat(1000);
    for (const [key, add] of [
      ['list', () => ['RPUSH', 'list', ...Array<string>(1000).fill(element)]],
      [
        'set',
        (i: number) => ['SADD', 'set', ...Array.from({ length: 1000 }, (_, j) => `${i}.${j}${element}`)],
      ],
    ] as const) {
      for (let i = 0; i < 200; i++) await client.send(...add(i));
      t.ok(resident() > before + 190 * MIB, `a large ${key} takes what it takes`);
      await client.send('DEL', key);
      await until(`most of a large ${key} goes back`, () => resident() < before + 100 * MIB);
    }
    for (const round of ['first', 'second']) {
      await client.send('DEBUG', 'POPULATE', String(ENTRIES), round, String(VALUE_BYTES));
      t.ok(resident() > before + ENTRIES * VALUE_BYTES, `${round}: they take what they take`);
      await client.send('FLUSHALL');
      await until(`${round}: a flushed node is small again`, () => resident() < before + BESIDE);
    }
    const flushed = resident();
    await client.send('DEBUG', 'POPULATE', String(ENTRIES), 'third', String(VALUE_BYTES));
    await client.send('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru', 'maxmemory', String(64 * MIB));
    await until('with a smaller budget too', () => resident() < flushed + 64 * MIB + BESIDE);
  },
);
