import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpuTimeMicros, type Load, median, redisBenchmark } from '../support/measure.ts';
import type { Server } from '../support/peers.ts';
import { apart } from '../support/processors.ts';
import { type StoredKind, storedKinds } from '../support/stored-kinds.ts';

const CONNECTIONS = 50;
const KEYS = 100_000;
const RECORD = Buffer.alloc(100, 'r');
const PROBE_MS = 500;
/** How many turns' time each target runs before, so that what is measured has been compiled. */
const WARM_TURNS = 1.5;
const LEAST_REQUESTS = 2000;
const FIRST_PER_SECOND = 40_000;

/** How fast a server writes with an append-only file: SETs per second of 50 connections. Ratios are medians of those of each round. */
export interface LogRow {
  readonly server: string;
  readonly policy: Policy;
  readonly pipeline: number;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** Beside the same server without a file: what the file costs. */
  readonly ofOwn: number;
  /** Beside redis-server with the same policy. */
  readonly ofRedis?: number;
  /** CPU time of all threads for one command, in microseconds, and how much of it is for the file. */
  readonly cpuMicros: number;
  readonly fileMicros: number;
}

export interface LogEffort {
  readonly alternations: number;
  readonly seconds: number;
  readonly valueBytes: number;
  readonly progress: (line: string) => void;
}

const policies = ['none', 'everysec', 'always'] as const;
type Policy = (typeof policies)[number];

const [node, redis] = storedKinds;
/** Neighbours are compared: in a round they follow one another, there and back. */
const order: readonly (readonly [kind: StoredKind, policy: Policy])[] = [
  [node, 'none'],
  [node, 'everysec'],
  [redis, 'everysec'],
  [redis, 'none'],
  [redis, 'always'],
  [node, 'always'],
];

interface Target {
  readonly kind: string;
  readonly policy: Policy;
  readonly server: Server;
  readonly dir: string;
}

async function startAll(): Promise<Target[]> {
  const targets: Target[] = [];
  for (const [kind, policy] of order) {
    const dir = mkdtempSync(join(tmpdir(), 'ringside-bench-aof-'));
    // A rewrite in the midst of one turn would make turns unequal.
    const args = ['--appendonly', 'yes', '--appendfsync', policy, '--auto-aof-rewrite-percentage', '0'];
    const server = apart(await kind.start(dir, ...(policy === 'none' ? [] : args)));
    targets.push({ kind: kind.name, policy, server, dir });
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

/** What one target did, turn by turn. */
interface Turns {
  readonly target: Target;
  readonly requests: number;
  readonly rates: number[];
  readonly cpuMicros: number[];
}

/** How many requests fill a turn, once the server has been warmed up. */
async function warm(target: Target, load: Load, seconds: number): Promise<Turns> {
  const { port } = target.server;
  const atLeast = (requests: number) => Math.max(LEAST_REQUESTS, Math.round(requests));
  const first = await redisBenchmark(port, load, atLeast(FIRST_PER_SECOND * seconds));
  const rate = await redisBenchmark(port, load, atLeast(first * seconds * WARM_TURNS));
  return { target, requests: atLeast(rate * seconds), rates: [], cpuMicros: [] };
}

async function measure(targets: readonly Target[], pipeline: number, effort: LogEffort): Promise<LogRow[]> {
  const { valueBytes, alternations, seconds } = effort;
  const load: Load = {
    command: 'SET',
    pipeline,
    connections: CONNECTIONS,
    valueBytes,
    keys: KEYS,
    isApart: true,
  };
  const all: Turns[] = [];
  for (const target of targets) all.push(await warm(target, load, seconds));
  for (let round = 0; round < alternations; round++) {
    for (const { target, requests, rates, cpuMicros } of round % 2 === 0 ? all : all.toReversed()) {
      const { port, pid } = target.server;
      const before = cpuTimeMicros(pid);
      rates.push(await redisBenchmark(port, load, requests));
      cpuMicros.push((cpuTimeMicros(pid) - before) / requests);
    }
  }
  const rows = all.map((turns) => rowOf(turns, all, pipeline));
  return policies.flatMap((policy) => rows.filter((row) => row.policy === policy).sort(nodeFirst));
}

const nodeFirst = (one: LogRow) => (one.server === node.name ? -1 : 1);

function rowOf({ target, rates, cpuMicros }: Turns, all: readonly Turns[], pipeline: number): LogRow {
  const { kind, policy } = target;
  const find = (kind: string, policy: Policy) =>
    all.find(({ target }) => target.kind === kind && target.policy === policy)!;
  const beside = (other: Turns) => median(rates.map((rate, round) => rate / other.rates[round]));
  const bare = find(kind, 'none');
  return {
    server: kind,
    policy,
    pipeline,
    median: median(rates),
    min: Math.min(...rates),
    max: Math.max(...rates),
    ofOwn: beside(bare),
    ...(kind !== redis.name && { ofRedis: beside(find(redis.name, policy)) }),
    cpuMicros: median(cpuMicros),
    fileMicros: median(cpuMicros.map((micros, round) => micros - bare.cpuMicros[round])),
  };
}

/** SETs without a file, with `everysec` and with `always`, a node's and redis-server's, all six in turns. Those of less than a second miss the syncs of `everysec`. */
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
