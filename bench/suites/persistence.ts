import { copyFileSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ask, fill, type Pauses, pausesDuring, residentBytes } from '../support/fill.ts';
import { type Server, startNodeProgram, startRedis } from '../support/peers.ts';

const VALUE_BYTES = 100;
const FILE = 'dump.rdb';
/** A budget that nothing here reaches. */
const ENOUGH = '8gb';
const SAMPLE_MS = 50;
const OVERWRITTEN = 50_000;
const MIB = 2 ** 20;

/** What a snapshot under write load cost, and how fast the file loads again. */
export interface PersistenceRow {
  readonly server: string;
  readonly entries: number;
  /** From BGSAVE until it is done, while clients overwrite keys. */
  readonly saveSeconds: number;
  readonly fileMiB: number;
  /** How long PING waited meanwhile. */
  readonly pauses: Pauses;
  readonly writesPerSecond: number;
  /** Memory taken on top meanwhile, in parts of what there was: the node's growth, of Redis the pages its child made it copy. */
  readonly extraShare: number;
  readonly loadSeconds: number;
  readonly loadedPerSecond: number;
}

export interface PersistenceEffort {
  readonly entries: number;
  readonly progress: (line: string) => void;
}

interface Kind {
  readonly name: string;
  start(dir: string): Promise<Server>;
}

const kinds: readonly Kind[] = [
  {
    name: 'ringside node',
    start: (dir) => startNodeProgram(['--maxmemory', ENOUGH, '--dir', dir, '--enable-debug-command', 'yes']),
  },
  {
    name: 'redis-server',
    start: (dir) => startRedis('redis-server', ['--dir', dir, '--enable-debug-command', 'yes']),
  },
];

async function infoNumber(port: number, field: string): Promise<number> {
  const text = await ask(port, 'INFO', 'persistence');
  const value = new RegExp(`^${field}:(-?\\d+)\\r?$`, 'm').exec(text)?.[1];
  if (value === undefined) throw new Error(`INFO has no ${field}`);
  return Number(value);
}

/** Overwrites keys until the snapshot is done; returns how many, and the largest resident size seen. */
async function writeMeanwhile(
  { port, pid }: Server,
  entries: number,
): Promise<{ writes: number; peak: number }> {
  let writes = 0;
  let peak = residentBytes(pid);
  const sampler = setInterval(() => {
    peak = Math.max(peak, residentBytes(pid));
  }, SAMPLE_MS);
  while ((await infoNumber(port, 'rdb_bgsave_in_progress')) === 1) {
    const first = writes % Math.max(1, entries - OVERWRITTEN);
    await fill(port, { first, entries: Math.min(OVERWRITTEN, entries), valueBytes: VALUE_BYTES });
    writes += OVERWRITTEN;
  }
  clearInterval(sampler);
  return { writes, peak };
}

async function save(server: Server, entries: number) {
  const before = residentBytes(server.pid);
  let writes = 0;
  let peak = 0;
  let startedMs = 0;
  const pauses = await pausesDuring(server, async () => {
    startedMs = performance.now();
    await ask(server.port, 'BGSAVE');
    ({ writes, peak } = await writeMeanwhile(server, entries));
  });
  const saveSeconds = (performance.now() - startedMs) / 1000;
  const copied = await infoNumber(server.port, 'rdb_last_cow_size');
  return {
    pauses,
    saveSeconds,
    writesPerSecond: writes / saveSeconds,
    extraShare: (peak - before + copied) / before,
  };
}

/** Seconds that a server which is empty takes to load the file. */
async function load(kind: Kind, file: string): Promise<number> {
  const dir = mkdtempSync(join(tmpdir(), 'ringside-bench-load-'));
  const server = await kind.start(dir);
  try {
    copyFileSync(file, join(dir, FILE));
    const startedMs = performance.now();
    const answer = await ask(server.port, 'DEBUG', 'RELOAD', 'NOSAVE');
    if (answer !== '+OK') throw new Error(`${kind.name}: ${answer}`);
    return (performance.now() - startedMs) / 1000;
  } finally {
    await server.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function measure(kind: Kind, entries: number): Promise<PersistenceRow> {
  const dir = mkdtempSync(join(tmpdir(), 'ringside-bench-save-'));
  const file = join(dir, FILE);
  try {
    const server = await kind.start(dir);
    let saved: Awaited<ReturnType<typeof save>>;
    try {
      await fill(server.port, { first: 0, entries, valueBytes: VALUE_BYTES });
      saved = await save(server, entries);
    } finally {
      await server.stop();
    }
    const fileMiB = statSync(file).size / MIB;
    const loadSeconds = await load(kind, file);
    return {
      server: kind.name,
      entries,
      ...saved,
      fileMiB,
      loadSeconds,
      loadedPerSecond: entries / loadSeconds,
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Snapshots under write load, and loading them, of a node and of redis-server, one after the other. */
export async function persistenceAgainstRedis({
  entries,
  progress,
}: PersistenceEffort): Promise<PersistenceRow[]> {
  const rows: PersistenceRow[] = [];
  for (const kind of kinds) {
    progress(`snapshot and load: ${kind.name}, ${entries} entries`);
    rows.push(await measure(kind, entries));
  }
  return rows;
}
