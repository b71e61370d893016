import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { slabMemory } from '../../lib/base/index.ts';

/* Memory for what is forgotten soon: it comes back though V8 does not count it, and what is still held stays as it is. */

const run = promisify(execFile);
const MIB = 2 ** 20;
const SLAB_BYTES = 128 * 1024;
const module = JSON.stringify(pathToFileURL(join(import.meta.dirname, '../../lib/base/index.ts')).href);

/** Hands out 4 GB; every `heldOneIn`-th slab is held until 64 later ones of its kind have come. Prints the largest resident size. */
const churn = (heldOneIn: number) => `
  import { slabMemory } from ${module};
  const held = [];
  let most = 0;
  for (let i = 0; i < 32768; i++) {
    const slab = slabMemory(${SLAB_BYTES});
    for (let at = 0; at < slab.length; at += 4096) slab[at] = 1;
    if (i % ${heldOneIn} === 0) held[(i / ${heldOneIn}) % 64] = slab;
    if (i % 64 === 0) {
      most = Math.max(most, process.memoryUsage.rss());
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  console.log(most);`;

const inWorker = (script: string) => `
  import { Worker } from 'node:worker_threads';
  new Worker(new URL('data:text/javascript,' + encodeURIComponent(${JSON.stringify(script)})));`;

async function mostBytes(script: string): Promise<number> {
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script]);
  return Number(stdout);
}

t.test('4 GB of slabs take no more than a few at a time, in the main thread and in others', async (t) => {
  const start = await mostBytes('console.log(process.memoryUsage.rss())');
  const [young, old, threaded] = await Promise.all([
    mostBytes(churn(1000)),
    // Held for longer than the young generation remembers.
    mostBytes(churn(16)),
    mostBytes(inWorker(churn(16))),
  ]);
  t.ok(young - start < 96 * MIB, `${Math.round((young - start) / MIB)} MiB, nearly all of them dead young`);
  t.ok(old - start < 160 * MIB, `${Math.round((old - start) / MIB)} MiB, one in 16 held for 64 MiB`);
  t.ok(threaded - start < 192 * MIB, `${Math.round((threaded - start) / MIB)} MiB in a thread`);
});

t.test('what is held stays as it is', async (t) => {
  const held = Array.from({ length: 20 }, (_, i) => slabMemory(SLAB_BYTES).fill(i));
  for (let i = 0; i < 5000; i++) slabMemory(SLAB_BYTES)[i] = 1;
  t.ok(held.every((slab, i) => slab.every((byte) => byte === i)));
  t.ok(slabMemory(10).every((byte) => byte === 0));
});
