import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ask, fill, type Pauses, pausesDuring, residentBytes } from '../support/fill.ts';
import type { Server } from '../support/peers.ts';
import { type StoredKind, storedKinds } from '../support/stored-kinds.ts';

const VALUE_BYTES = 100;
const FILE = 'dump.rdb';
const BASE = 'appendonly.aof.1.base.rdb';
const SAMPLE_MS = 50;
const OVERWRITTEN = 50_000;
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

export interface PersistenceEffort {
  readonly entries: number;
  readonly progress: (line: string) => void;
}

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

async function snapshotsOf(kind: StoredKind, dir: string, entries: number): Promise<SnapshotRow[]> {
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

/** Snapshots and rewrites under write load, of a node and of redis-server. */
export async function persistenceAgainstRedis({
  entries,
  progress,
}: PersistenceEffort): Promise<SnapshotRow[]> {
  const rows: SnapshotRow[] = [];
  for (const kind of storedKinds) {
    const dir = mkdtempSync(join(tmpdir(), 'ringside-bench-save-'));
    try {
      progress(`BGSAVE and BGREWRITEAOF: ${kind.name}, ${entries} entries`);
      rows.push(...(await snapshotsOf(kind, dir, entries)));
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  }
  return rows;
}
