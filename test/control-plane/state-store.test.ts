import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { EmbeddedStateStore } from '../../control-plane/state/embedded.ts';
import { MemoryStateStore } from '../../control-plane/state/memory.ts';
import { isRingsideError, silentLogger } from '../../lib/base/index.ts';
import { stateStoreContract } from './state-store-contract.ts';

const WRITER = fileURLToPath(new URL('./state-writer.ts', import.meta.url));
const open = (dir: string) => EmbeddedStateStore.open(dir, silentLogger);

async function folder(t: { teardown(f: () => unknown): void }): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'ringside-state-'));
  t.teardown(() => rm(dir, { recursive: true }));
  return dir;
}

t.test('memory', (t) => stateStoreContract(t, async () => new MemoryStateStore(), null));

t.test('embedded', async (t) => {
  const dir = await folder(t);
  await stateStoreContract(
    t,
    () => open(join(dir, 'made', 'by', 'it')),
    async (store) => {
      await store.close();
      return open(join(dir, 'made', 'by', 'it'));
    },
  );
});

t.test(
  'a writer killed at any moment leaves a whole state, and never an older one than it reported',
  async (t) => {
    const dir = await folder(t);
    let reported = 0n;
    for (let round = 0; round < 8; round++) {
      const child = spawn(process.execPath, [WRITER, dir], {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, NODE_OPTIONS: '' },
      });
      reported = await killAfter(child, 3 + round * 5, reported);
      const store = await open(dir);
      const stored = await store.load();
      t.ok(
        stored !== null && stored.version >= reported,
        `round ${round}: version ${stored?.version}, reported ${reported}`,
      );
      t.equal(stored?.text.split(' ')[0], String(stored?.version), 'text and version belong together');
      await store.close();
    }
    t.same(
      (await readdir(dir)).filter((name) => name.includes('damaged')),
      [],
    );
  },
);

async function killAfter(child: ChildProcess, lines: number, before: bigint): Promise<bigint> {
  let text = '';
  const ended = once(child, 'close');
  child.stdout!.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    if (text.split('\n').length > lines) child.kill('SIGKILL');
  });
  await ended;
  // The last line may be cut short.
  const whole = text
    .slice(0, text.lastIndexOf('\n'))
    .split('\n')
    .filter((line) => line !== '');
  return whole.length === 0 ? before : BigInt(whole.at(-1)!);
}

t.test('a damaged file is set aside and counts as lost', async (t) => {
  const dir = await folder(t);
  const file = join(dir, 'state.json');
  const store = await open(dir);
  await store.save('good', 0n);
  const good = await readFile(file, 'utf8');
  await store.close();
  for (const bad of [
    '',
    '{',
    'null',
    '[]',
    good.slice(0, -5),
    good.replace('good', 'evil'),
    '{"format":1}',
  ]) {
    await writeFile(file, bad);
    const damaged = await open(dir);
    t.equal(await damaged.load(), null, JSON.stringify(bad.slice(0, 20)));
    t.equal(await readFile(`${file}.damaged`, 'utf8'), bad, 'kept for whoever wants to look');
    t.equal(await damaged.save('new', 0n), 1n, 'and it goes on');
    await damaged.close();
  }
});

t.test('a file of a later release is left alone', async (t) => {
  const dir = await folder(t);
  await writeFile(join(dir, 'state.json'), '{"format":2,"whatever":true}');
  const store = await open(dir);
  const error = await store.load().catch((reason: unknown) => reason);
  t.ok(isRingsideError(error, 'config_invalid'));
  t.match((error as Error).message, /later release/);
  await store.close();
});

/** The lock file in force. */
async function lockOf(dir: string): Promise<string> {
  return join(dir, (await readdir(dir)).find((name) => name.startsWith('lock.'))!);
}

t.test('one process at a time uses a folder', async (t) => {
  const dir = await folder(t);
  const store = await open(dir);
  const error = await open(dir).catch((reason: unknown) => reason);
  t.ok(isRingsideError(error, 'conflict'));
  t.match((error as Error).message, new RegExp(`in use by process ${process.pid}`));
  await store.close();
  await (await open(dir)).close();

  for (const stale of [
    '',
    'nonsense',
    '{"pid":4194305,"started":""}',
    `{"pid":${process.pid},"started":"another boot 1"}`,
  ]) {
    await writeFile(await lockOf(dir), stale);
    const taken = await open(dir);
    t.pass(`taken over from ${JSON.stringify(stale)}`);
    await taken.close();
  }
  for (let round = 0; round < 50; round++) {
    await writeFile(await lockOf(dir), 'stale');
    const rivals = await Promise.allSettled([open(dir), open(dir), open(dir), open(dir)]);
    const winners = rivals.filter((rival) => rival.status === 'fulfilled');
    if (winners.length !== 1) t.fail(`round ${round}: ${winners.length} winners`);
    for (const { value } of winners) await value.close();
  }
  t.pass('of several who see a stale lock one gets it');
  t.same(
    (await readdir(dir)).filter((name) => name.startsWith('.lock')),
    [],
    'nothing is left behind',
  );
});

t.test('a folder that cannot be written is one clear sentence', async (t) => {
  const dir = await folder(t);
  await writeFile(join(dir, 'file'), '');
  const error = await open(join(dir, 'file', 'state')).catch((reason: unknown) => reason);
  t.ok(isRingsideError(error, 'config_invalid'));
  t.match((error as Error).message, /controlPlane.dir/);
});
