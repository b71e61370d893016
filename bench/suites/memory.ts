import { ask, fill, type Pauses, pausesDuring, residentBytes } from '../support/fill.ts';
import { type Server, startNodeProgram, startRedis } from '../support/peers.ts';
import { type BudgetRow, holdsBudget } from './memory-budget.ts';

const VALUE_BYTES = 100;
const SMALL_VALUE_BYTES = 8;
/** A budget that nothing here reaches; without one a node has a default. */
const ENOUGH = '4gb';
const WARM_ENTRIES = 200_000;
const HOUR_MS = 3_600_000;
/** How the keys of the second filling expire: within two seconds, some seconds after the last is written. */
const EXPIRE_SPREAD_MS = 2000;
const MIB = 2 ** 20;

/** What one server took for the same entries. */
export interface MemoryRow {
  readonly what: string;
  readonly server: string;
  readonly entries: number;
  /** Growth of the resident size since the server was warm and empty, by entry. */
  readonly bytesPerEntry: number;
  /** Ours in parts of redis-server's, in our row. */
  readonly ratio?: number;
  readonly perSecond: number;
  readonly pauses: Pauses;
}

/** What happened to the resident size under a budget, or when all expired. */
export interface PhaseRow {
  readonly what: string;
  readonly server: string;
  readonly residentMiB: number;
  readonly perSecond: number;
  readonly pauses: Pauses;
}

export interface MemoryEffort {
  readonly entries: number;
  /** Budgets, in MiB, that a node is held to while its workload changes. */
  readonly budgetsMiB: readonly number[];
  /** Also fills a node with this many entries of 8 bytes. */
  readonly smallEntries: number;
  readonly progress: (line: string) => void;
}

/** The server once it has done everything before and holds nothing. */
async function warm({ port }: Server): Promise<void> {
  await fill(port, { first: 0, entries: WARM_ENTRIES, valueBytes: VALUE_BYTES });
  await ask(port, 'FLUSHALL');
  await new Promise((done) => setTimeout(done, 1000));
}

async function measure(
  server: Server,
  what: string,
  entries: number,
  valueBytes: number,
  ttlMs?: (entry: number) => number,
): Promise<MemoryRow> {
  await warm(server);
  const before = residentBytes(server.pid);
  let perSecond = 0;
  const pauses = await pausesDuring(server, async () => {
    perSecond = await fill(server.port, { first: 0, entries, valueBytes, ttlMs });
  });
  const bytesPerEntry = (residentBytes(server.pid) - before) / entries;
  return { what, server: server.name, entries, bytesPerEntry, perSecond, pauses };
}

async function withServer<T>(starting: Promise<Server>, use: (server: Server) => Promise<T>): Promise<T> {
  const server = await starting;
  try {
    return await use(server);
  } finally {
    await server.stop();
  }
}

/** The same entries in both servers, one after the other. */
async function sideBySide(
  what: string,
  entries: number,
  nodeArgs: string[],
  ttlMs?: (entry: number) => number,
): Promise<MemoryRow[]> {
  const theirs = await withServer(startRedis(), (server) =>
    measure(server, what, entries, VALUE_BYTES, ttlMs),
  );
  const ours = await withServer(startNodeProgram(nodeArgs), (server) =>
    measure(server, what, entries, VALUE_BYTES, ttlMs),
  );
  return [{ ...ours, ratio: ours.bytesPerEntry / theirs.bytesPerEntry }, theirs];
}

/** A node that writes three times what its budget holds. */
async function evicting(entries: number): Promise<PhaseRow> {
  const budgetMiB = Math.max(32, Math.round((entries * 130) / 3 / MIB));
  return withServer(startNodeProgram(['--maxmemory', `${budgetMiB}mb`]), async (server) => {
    await warm(server);
    const before = residentBytes(server.pid);
    let perSecond = 0;
    const pauses = await pausesDuring(server, async () => {
      perSecond = await fill(server.port, { first: 0, entries, valueBytes: VALUE_BYTES });
    });
    const residentMiB = (residentBytes(server.pid) - before) / MIB;
    return { what: `evicting, budget ${budgetMiB} MiB`, server: server.name, residentMiB, perSecond, pauses };
  });
}

/** A node whose entries all expire within two seconds. */
async function expiring(entries: number): Promise<PhaseRow> {
  return withServer(startNodeProgram(['--maxmemory', ENOUGH]), async (server) => {
    await warm(server);
    const before = residentBytes(server.pid);
    const startedMs = performance.now();
    const dueMs = 5000 + entries / 50;
    const ttlMs = (entry: number) =>
      Math.max(1, dueMs - (performance.now() - startedMs) + (EXPIRE_SPREAD_MS * entry) / entries);
    await fill(server.port, { first: 0, entries, valueBytes: VALUE_BYTES, ttlMs });
    await new Promise((done) => setTimeout(done, dueMs - (performance.now() - startedMs)));
    const expiringMs = performance.now();
    const pauses = await pausesDuring(server, async () => {
      while ((await ask(server.port, 'DBSIZE')) !== ':0') await new Promise((done) => setTimeout(done, 100));
    });
    const perSecond = entries / ((performance.now() - expiringMs) / 1000);
    const residentMiB = (residentBytes(server.pid) - before) / MIB;
    return { what: 'all expired', server: server.name, residentMiB, perSecond, pauses };
  });
}

/**
 * What entries of 16-byte keys and 100-byte values take beside redis-server, whether a node keeps to its budget, and how long a client that only sends PING waits while a node
 * fills, evicts and expires at full speed.
 */
export async function memoryAgainstRedis({
  entries,
  budgetsMiB,
  smallEntries,
  progress,
}: MemoryEffort): Promise<(MemoryRow | PhaseRow | BudgetRow)[]> {
  const rows: (MemoryRow | PhaseRow | BudgetRow)[] = [];
  const add = (what: string, more: (MemoryRow | PhaseRow | BudgetRow)[]) => {
    rows.push(...more);
    progress(`${what} measured`);
  };
  const enough = ['--maxmemory', ENOUGH];
  add('no TTL', await sideBySide('no TTL', entries, enough));
  add('TTL', await sideBySide('TTL on every key', entries, enough, (entry) => HOUR_MS + (entry % HOUR_MS)));
  add('evicting', [await evicting(entries)]);
  add('expiring', [await expiring(entries)]);
  for (const budgetMiB of budgetsMiB) add(`budget ${budgetMiB} MiB`, await holdsBudget(budgetMiB));
  if (smallEntries > 0) {
    const small = withServer(startNodeProgram(enough), (server) =>
      measure(server, 'small entries', smallEntries, SMALL_VALUE_BYTES),
    );
    add('small entries', [await small]);
  }
  return rows;
}
