import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { alternate, type Load, median } from '../support/measure.ts';
import type { Server } from '../support/peers.ts';
import { storedKinds } from '../support/stored-kinds.ts';

const CONNECTIONS = 50;
const KEYS = 100_000;
const RECORD = Buffer.alloc(100, 'r');
const PROBE_MS = 500;

/** How fast a server writes with an append-only file: SETs per second of 50 connections. */
export interface LogRow {
  readonly server: string;
  readonly policy: 'none' | 'everysec' | 'always';
  readonly pipeline: number;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** Beside the same server without a file in the same turns: what the file costs. */
  readonly ofOwn: number;
  /** Beside redis-server with the same policy in the same turns. */
  readonly ofRedis?: number;
}

export interface LogEffort {
  readonly alternations: number;
  readonly seconds: number;
  readonly valueBytes: number;
  readonly progress: (line: string) => void;
}

const policies = ['none', 'everysec', 'always'] as const;

interface Target {
  readonly kind: string;
  readonly policy: LogRow['policy'];
  readonly server: Server;
  readonly dir: string;
}

async function startAll(): Promise<Target[]> {
  const targets: Target[] = [];
  for (const policy of policies) {
    for (const kind of storedKinds) {
      const dir = mkdtempSync(join(tmpdir(), 'ringside-bench-aof-'));
      // A rewrite in the midst of one turn would make turns unequal.
      const args = ['--appendfsync', policy, '--auto-aof-rewrite-percentage', '0'];
      const server = await kind.start(dir, ...(policy === 'none' ? [] : ['--appendonly', 'yes', ...args]));
      targets.push({ kind: kind.name, policy, server, dir });
    }
  }
  return targets;
}

/** How often in a second the disk takes 100 bytes and says that they are there: what one client could reach under `always`. */
export function syncsPerSecond(): number {
  const dir = mkdtempSync(join(tmpdir(), 'ringside-bench-sync-'));
  const fd = openSync(join(dir, 'probe'), 'a');
  try {
    const startedMs = performance.now();
    let syncs = 0;
    for (; performance.now() - startedMs < PROBE_MS; syncs++) {
      writeSync(fd, RECORD);
      fdatasyncSync(fd);
    }
    return syncs / ((performance.now() - startedMs) / 1000);
  } finally {
    closeSync(fd);
    rmSync(dir, { recursive: true, force: true });
  }
}

async function measure(targets: readonly Target[], pipeline: number, effort: LogEffort): Promise<LogRow[]> {
  const load: Load = {
    command: 'SET',
    pipeline,
    connections: CONNECTIONS,
    valueBytes: effort.valueBytes,
    keys: KEYS,
  };
  const named = targets.map(({ kind, policy, server: { port, pid } }) => ({
    name: `${kind} ${policy}`,
    port,
    pid,
  }));
  const samples = await alternate(named, load, effort);
  const rates = new Map(samples.map(({ name, rates }) => [name, rates]));
  return targets.map(({ kind, policy }) => {
    const own = rates.get(`${kind} ${policy}`)!;
    const beside = (name: string) => median(own) / median(rates.get(name)!);
    return {
      server: kind,
      policy,
      pipeline,
      median: median(own),
      min: Math.min(...own),
      max: Math.max(...own),
      ofOwn: beside(`${kind} none`),
      ...(kind !== 'redis-server' && { ofRedis: beside(`redis-server ${policy}`) }),
    };
  });
}

/** SETs without a file, with `everysec` and with `always`, a node's and redis-server's, all six in turns. */
export async function logAgainstRedis(effort: LogEffort): Promise<LogRow[]> {
  const targets = await startAll();
  try {
    const rows: LogRow[] = [];
    for (const pipeline of [1, 16]) {
      effort.progress(`append-only files: SET, pipeline ${pipeline}`);
      rows.push(...(await measure(targets, pipeline, effort)));
    }
    return rows;
  } finally {
    for (const { server, dir } of targets) {
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  }
}
