import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ask, fill } from '../support/fill.ts';
import { median } from '../support/measure.ts';
import { fillMixed } from '../support/mixed.ts';
import { type StoredKind, storedKinds } from '../support/stored-kinds.ts';

const VALUE_BYTES = 100;
const FILE = 'dump.rdb';
const MOST_LOADS = 3;

/** What the files hold, and how a server gets it. */
const contents = {
  strings: (port: number, entries: number) => fill(port, { first: 0, entries, valueBytes: VALUE_BYTES }),
  mixed: fillMixed,
} as const;

type Content = keyof typeof contents;

/** How fast a file is loaded by a server that starts: medians. */
export interface LoadRow {
  readonly server: string;
  readonly entries: number;
  /** Strings, or strings, hashes, lists, sets and sorted sets of five elements by turns. */
  readonly content: Content;
  /** Which server has written it. */
  readonly fileOf: string;
  /** From the start until a GET is answered, less what a start without a file takes. */
  readonly loadSeconds: number;
  readonly loadedPerSecond: number;
  /** Beside redis-server with its own file. */
  readonly ratio?: number;
}

export interface LoadEffort {
  readonly entries: number;
  /** Turns; 3 at most. */
  readonly alternations: number;
  readonly progress: (line: string) => void;
}

/** Has a server write a file into a folder; returns its path. */
async function write(kind: StoredKind, dir: string, content: Content, entries: number): Promise<string> {
  const server = await kind.start(dir, '--appendonly', 'no');
  try {
    await contents[content](server.port, entries);
    const answer = await ask(server.port, 'SAVE');
    if (answer !== '+OK') throw new Error(`${kind.name}: SAVE: ${answer}`);
  } finally {
    await server.stop();
  }
  return join(dir, FILE);
}

/** Seconds that a server takes to start with the file, or without any. */
async function startSeconds(kind: StoredKind, file: string | null): Promise<number> {
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
async function loads(
  files: ReadonlyMap<string, string>,
  content: Content,
  entries: number,
  turns: number,
): Promise<LoadRow[]> {
  const [node, redis] = storedKinds;
  const cases = [
    { kind: node, fileOf: node.name },
    { kind: node, fileOf: redis.name },
    { kind: redis, fileOf: redis.name },
  ];
  const empty = new Map<StoredKind, number[]>(storedKinds.map((kind) => [kind, []]));
  const times: number[][] = cases.map(() => []);
  for (let turn = 0; turn < turns; turn++) {
    for (const kind of storedKinds) empty.get(kind)!.push(await startSeconds(kind, null));
    for (const [i, { kind, fileOf }] of cases.entries()) {
      times[i].push(await startSeconds(kind, files.get(fileOf)!));
    }
  }
  const seconds = cases.map(({ kind }, i) => median(times[i]) - median(empty.get(kind)!));
  return cases.map(({ kind, fileOf }, i) => ({
    server: kind.name,
    entries,
    content,
    fileOf,
    loadSeconds: seconds[i],
    loadedPerSecond: entries / seconds[i],
    ...(kind === node && { ratio: seconds[2] / seconds[i] }),
  }));
}

/** Loading files of strings and of mixed collections, by a node and by redis-server. */
export async function loadingAgainstRedis({
  entries,
  alternations,
  progress,
}: LoadEffort): Promise<LoadRow[]> {
  const rows: LoadRow[] = [];
  const turns = Math.min(MOST_LOADS, alternations);
  for (const content of Object.keys(contents) as Content[]) {
    const dirs = storedKinds.map(() => mkdtempSync(join(tmpdir(), 'ringside-bench-save-')));
    try {
      const files = new Map<string, string>();
      for (const [i, kind] of storedKinds.entries()) {
        progress(`a file of ${entries} entries (${content}): ${kind.name}`);
        files.set(kind.name, await write(kind, dirs[i], content, entries));
      }
      progress(`loading: ${turns} turns`);
      rows.push(...(await loads(files, content, entries, turns)));
    } finally {
      for (const dir of dirs) rmSync(dir, { recursive: true, force: true });
    }
  }
  return rows;
}
