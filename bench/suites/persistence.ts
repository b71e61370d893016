import { copyFileSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ask, fill, type Pauses, pausesDuring, residentBytes } from '../support/fill.ts';
import { median } from '../support/measure.ts';
import { type Server, startNodeProgram, startRedis } from '../support/peers.ts';

const VALUE_BYTES = 100;
const FILE = 'dump.rdb';
const BASE = 'appendonly.aof.1.base.rdb';
/** A budget that nothing here reaches. */
const ENOUGH = '8gb';
const SAMPLE_MS = 50;
const OVERWRITTEN = 50_000;
const MOST_LOADS = 3;
const MIB = 2 ** 20;

/** What a snapshot or a rewrite under write load cost. */
export interface SnapshotRow {
  readonly server: string;
  readonly entries: number;
  readonly what: 'BGSAVE' | 'BGREWRITEAOF';
  /** From the command until it is done, while clients overwrite keys. */
  readonly seconds: number;
  /** Size of what it made; of an AOF its base. */
  readonly fileMiB: number;
  /** How long PING waited meanwhile. */
  readonly pauses: Pauses;
  /** How long the fork took, where there is one; part of the longest pause. */
  readonly forkMs?: number;
  readonly writesPerSecond: number;
  /** Memory taken on top meanwhile, in parts of what there was: the node's growth, of Redis the pages its child made it copy. */
  readonly extraShare: number;
}

/** How fast a file is loaded by a server that starts: medians. */
export interface LoadRow {
  readonly server: string;
  readonly entries: number;
  /** Which server has written it. */
  readonly fileOf: string;
  /** From the start until a GET is answered, less what a start without a file takes. */
  readonly loadSeconds: number;
  readonly loadedPerSecond: number;
  /** Beside redis-server with its own file. */
  readonly ratio?: number;
}

export type PersistenceRow = SnapshotRow | LoadRow;

export interface PersistenceEffort {
  readonly entries: number;
  /** Turns of loading; 3 at most. */
  readonly alternations: number;
  readonly progress: (line: string) => void;
}

/** A kind of server, as far as these suites start it. */
export interface Kind {
  readonly name: string;
  start(dir: string, ...args: string[]): Promise<Server>;
}

/** The node, and what stands beside it. */
export const kinds: readonly Kind[] = [
  {
    name: 'ringside node',
    start: (dir, ...args) => startNodeProgram(['--maxmemory', ENOUGH, '--dir', dir, ...args]),
  },
  {
    name: 'redis-server',
    start: (dir, ...args) => startRedis('redis-server', ['--dir', dir, ...args]),
  },
];

async function infoNumber(port: number, section: string, field: string): Promise<number> {
  const text = await ask(port, 'INFO', section);
  const value = new RegExp(`^${field}:(-?\\d+)\\r?$`, 'm').exec(text)?.[1];
  if (value === undefined) throw new Error(`INFO has no ${field}`);
  return Number(value);
}

const fields = {
  BGSAVE: { running: 'rdb_bgsave_in_progress', copied: 'rdb_last_cow_size' },
  BGREWRITEAOF: { running: 'aof_rewrite_in_progress', copied: 'aof_last_cow_size' },
};

/** Overwrites keys until the snapshot is done; returns how many, and the largest resident size seen. */
async function writeMeanwhile(
  { port, pid }: Server,
  entries: number,
  running: string,
): Promise<{ writes: number; peak: number }> {
  let writes = 0;
  let peak = residentBytes(pid);
  const sampler = setInterval(() => {
    peak = Math.max(peak, residentBytes(pid));
  }, SAMPLE_MS);
  while ((await infoNumber(port, 'persistence', running)) === 1) {
    const first = writes % Math.max(1, entries - OVERWRITTEN);
    await fill(port, { first, entries: Math.min(OVERWRITTEN, entries), valueBytes: VALUE_BYTES });
    writes += OVERWRITTEN;
  }
  clearInterval(sampler);
  return { writes, peak };
}

/** One snapshot or rewrite of a server that has `entries`, under write load. */
async function snapshot(server: Server, entries: number, what: SnapshotRow['what']) {
  const { running, copied } = fields[what];
  const before = residentBytes(server.pid);
  let writes = 0;
  let peak = 0;
  let startedMs = 0;
  const pauses = await pausesDuring(server, async () => {
    startedMs = performance.now();
    const answer = await ask(server.port, what);
    if (!answer.startsWith('+Background')) throw new Error(`${server.name}: ${what}: ${answer}`);
    ({ writes, peak } = await writeMeanwhile(server, entries, running));
  });
  const seconds = (performance.now() - startedMs) / 1000;
  const extra = peak - before + (await infoNumber(server.port, 'persistence', copied));
  const forkMicros = await infoNumber(server.port, 'stats', 'latest_fork_usec');
  return {
    what,
    pauses,
    seconds,
    ...(forkMicros > 0 && { forkMs: forkMicros / 1000 }),
    writesPerSecond: writes / seconds,
    extraShare: extra / before,
  };
}

async function snapshotsOf(kind: Kind, dir: string, entries: number): Promise<SnapshotRow[]> {
  const server = await kind.start(dir, '--appendonly', 'no');
  const rows: SnapshotRow[] = [];
  try {
    await fill(server.port, { first: 0, entries, valueBytes: VALUE_BYTES });
    for (const what of ['BGSAVE', 'BGREWRITEAOF'] as const) {
      const measured = await snapshot(server, entries, what);
      rows.push({ server: kind.name, entries, fileMiB: bytesOf(dir, what) / MIB, ...measured });
    }
  } finally {
    await server.stop();
  }
  return rows;
}

function bytesOf(dir: string, what: SnapshotRow['what']): number {
  return statSync(join(dir, what === 'BGSAVE' ? FILE : join('appendonlydir', BASE))).size;
}

/** Seconds that a server takes to start with the file, or without any. */
async function startSeconds(kind: Kind, file: string | null): Promise<number> {
  const dir = mkdtempSync(join(tmpdir(), 'ringside-bench-load-'));
  try {
    if (file !== null) copyFileSync(file, join(dir, FILE));
    const startedMs = performance.now();
    const server = await kind.start(dir);
    const seconds = (performance.now() - startedMs) / 1000;
    await server.stop();
    return seconds;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Starts the node with its own file and that of redis-server, and redis-server with its own, in turns. */
async function loads(files: ReadonlyMap<string, string>, entries: number, turns: number): Promise<LoadRow[]> {
  const [node, redis] = kinds;
  const cases = [
    { kind: node, fileOf: node.name },
    { kind: node, fileOf: redis.name },
    { kind: redis, fileOf: redis.name },
  ];
  const empty = new Map<Kind, number[]>(kinds.map((kind) => [kind, []]));
  const times: number[][] = cases.map(() => []);
  for (let turn = 0; turn < turns; turn++) {
    for (const kind of kinds) empty.get(kind)!.push(await startSeconds(kind, null));
    for (const [i, { kind, fileOf }] of cases.entries()) {
      times[i].push(await startSeconds(kind, files.get(fileOf)!));
    }
  }
  const seconds = cases.map(({ kind }, i) => median(times[i]) - median(empty.get(kind)!));
  return cases.map(({ kind, fileOf }, i) => ({
    server: kind.name,
    entries,
    fileOf,
    loadSeconds: seconds[i],
    loadedPerSecond: entries / seconds[i],
    ...(kind === node && { ratio: seconds[2] / seconds[i] }),
  }));
}

/** Snapshots and rewrites under write load, and loading files, of a node and of redis-server. */
export async function persistenceAgainstRedis({
  entries,
  alternations,
  progress,
}: PersistenceEffort): Promise<PersistenceRow[]> {
  const dirs = new Map(kinds.map(({ name }) => [name, mkdtempSync(join(tmpdir(), 'ringside-bench-save-'))]));
  const rows: PersistenceRow[] = [];
  try {
    for (const kind of kinds) {
      progress(`BGSAVE and BGREWRITEAOF: ${kind.name}, ${entries} entries`);
      rows.push(...(await snapshotsOf(kind, dirs.get(kind.name)!, entries)));
    }
    const turns = Math.min(MOST_LOADS, alternations);
    progress(`loading: ${turns} turns`);
    const files = new Map([...dirs].map(([name, dir]) => [name, join(dir, FILE)]));
    return [...rows, ...(await loads(files, entries, turns))];
  } finally {
    for (const dir of dirs.values()) rmSync(dir, { recursive: true, force: true });
  }
}
