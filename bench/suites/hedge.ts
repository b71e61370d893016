import { setTimeout as delay } from 'node:timers/promises';
import { seededRandom } from '../../lib/base/index.ts';
import { RespClient } from '../../test/support/resp-client.ts';
import { alternate, type Load, median, redisBenchmark } from '../support/measure.ts';
import { freePort, type Server, startNodeRole, startProxyRole } from '../support/peers.ts';
import { type Comparison, comparisonOf, type Effort, withServers } from './throughput.ts';

const SHARDS = 2;
const KEYS = 100_000;
const KEYS_AT_ONCE = 20;
const RANDOM_KEY = 'key:__rand_int__';
const NAMESPACE = 'name: all, prefix: "", stalenessMs: 10000';

/** Longer than any read waits. */
const NEVER_MS = 60_000;

/** While tails are measured, the first leader is stopped for so long, so often. */
const STOPPED_MS = 20;
const EVERY_MS = 500;
/** For each alternation so many turns of each proxy: what else the machine does falls into few of them. */
const TAIL_TURNS = 4;
const SOCKETS = 32;
const GETS_PER_MS = 1;
const MULTI_GETS_PER_MS = 0.2;
/** Before each turn, not counted. */
const SETTLE_MS = 100;

/** Milliseconds from sending; medians of the turns. */
export interface Tail {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** What clients wait for while one of the leaders is stopped now and then. */
export interface HedgeTailRow {
  readonly command: string;
  readonly with: Tail;
  readonly without: Tail;
  /** With / without, of each pair of turns one behind the other: the median. */
  readonly p99Ratio: number;
  /** What the followers of the stopped leader were asked for as well, and answered, in parts of what that leader was asked for. */
  readonly sentTwice: number;
  readonly won: number;
}

/** What hedged reads cost where nothing is slow. */
export interface HedgeCosts {
  /** As they are, and where none is sent twice: what it costs to keep account of them. */
  readonly rows: readonly Comparison[];
  /** So much was sent to followers as well: under full load some reads wait for longer than most. */
  readonly sentTwice: number;
}

/** Two shards, each a leader with a follower, behind a proxy with hedged reads, one that never gets to send any twice, and one without. */
interface Stage {
  readonly leaders: readonly Server[];
  readonly hedging: Server;
  readonly patient: Server;
  readonly plain: Server;
  /** Of `hedging`. */
  readonly adminPort: number;
}

/** What hedged reads cost where nothing is slow, and then what they are good for. */
export async function hedgedReads(
  effort: Effort,
): Promise<{ readonly costs: HedgeCosts; readonly tails: readonly HedgeTailRow[] }> {
  return withServers(async (keep) => {
    const stage = await startStage(keep, effort.valueBytes);
    return { costs: await costs(stage, effort), tails: await tails(stage, effort) };
  });
}

async function costs({ hedging, patient, plain, adminPort }: Stage, effort: Effort): Promise<HedgeCosts> {
  const before = await victimFigures(adminPort);
  const rows: Comparison[] = [];
  for (const load of loads(effort.valueBytes)) {
    const [mine, kept, without] = await alternate([hedging, patient, plain], load, effort);
    rows.push(comparisonOf('hedged', load, mine, without), comparisonOf('tracked', load, kept, without));
    effort.progress(`hedged: ${load.command} at depth ${load.pipeline} measured`);
  }
  const after = await victimFigures(adminPort);
  return { rows, sentTwice: (after.hedges - before.hedges) / (after.requests - before.requests) };
}

async function startStage(
  keep: (server: Promise<Server>) => Promise<Server>,
  valueBytes: number,
): Promise<Stage> {
  const leaders: Server[] = [];
  const upstreams: string[] = [];
  for (let i = 0; i < SHARDS; i++) {
    const leader = await keep(startNodeRole());
    const follower = await keep(startNodeRole({ args: ['--replicaof', `127.0.0.1 ${leader.port}`] }));
    leaders.push(leader);
    upstreams.push('--upstream', `s${i}=127.0.0.1:${leader.port}/127.0.0.1:${follower.port}`);
  }
  const adminPort = await freePort();
  const proxy = (hedgedReads: boolean, ...more: string[]) => {
    const namespaces = `namespaces=[{${NAMESPACE}, hedgedReads: ${hedgedReads}}]`;
    return startProxyRole([], [], ['--engine', 'ringside', ...upstreams, '--set', namespaces, ...more]);
  };
  const hedging = await keep(proxy(true, '--admin-port', `${adminPort}`));
  const patient = await keep(proxy(true, '--set', `proxy.resilience.hedge.minimumMs=${NEVER_MS}`));
  const plain = { ...(await keep(proxy(false))), name: 'without' };
  const fill: Load = { command: 'SET', pipeline: 16, connections: 50, valueBytes, keys: KEYS };
  await redisBenchmark(plain.port, fill, 2 * KEYS);
  return { leaders, hedging, patient, plain, adminPort };
}

function loads(valueBytes: number): Load[] {
  const common = { connections: 50, valueBytes, keys: KEYS };
  const words = ['MGET', ...Array.from({ length: KEYS_AT_ONCE }, () => RANDOM_KEY)];
  return [
    { command: 'GET', pipeline: 1, ...common },
    { command: 'GET', pipeline: 16, ...common },
    { command: 'MGET', words, pipeline: 1, ...common },
  ];
}

async function tails(
  { leaders: [victim], hedging, plain, adminPort }: Stage,
  { alternations, seconds, progress }: Effort,
): Promise<HedgeTailRow[]> {
  const lanes = { with: new Lane(hedging), without: new Lane(plain) };
  const before = await victimFigures(adminPort);
  for (let turn = 0; turn < TAIL_TURNS * alternations; turn++) {
    const order = turn % 2 === 0 ? (['with', 'without'] as const) : (['without', 'with'] as const);
    for (const which of order) await lanes[which].turn(victim, seconds * 500);
  }
  progress('hedged: tails measured');
  const after = await victimFigures(adminPort);
  for (const lane of Object.values(lanes)) lane.close();
  const requests = after.requests - before.requests;
  const row = (command: string, read: (lane: Lane) => readonly Tail[]): HedgeTailRow => {
    const [hedged, without] = [read(lanes.with), read(lanes.without)];
    const p99Ratio = median(hedged.map(({ p99 }, i) => p99 / without[i].p99));
    return {
      ...{ command, with: medianOf(hedged), without: medianOf(without), p99Ratio },
      sentTwice: (after.hedges - before.hedges) / requests,
      won: (after.hedgesWon - before.hedgesWon) / requests,
    };
  };
  return [row('GET', ({ gets }) => gets), row(`MGET of ${KEYS_AT_ONCE}`, ({ multiGets }) => multiGets)];
}

interface VictimFigures {
  readonly requests: number;
  readonly hedges: number;
  readonly hedgesWon: number;
}

/** What the proxy with this admin listener has counted of the first leader. */
async function victimFigures(adminPort: number): Promise<VictimFigures> {
  const answer = await fetch(`http://127.0.0.1:${adminPort}/clusters?format=json`);
  const { shards } = (await answer.json()) as { shards: { nodes: VictimFigures[] }[] };
  return shards[0].nodes[0];
}

function medianOf(tails: readonly Tail[]): Tail {
  const of = (read: (tail: Tail) => number) => median(tails.map(read));
  return { p50: of(({ p50 }) => p50), p99: of(({ p99 }) => p99), max: of(({ max }) => max) };
}

/** Takes the waits out. */
function takeTail(waits: number[]): Tail {
  const sorted = waits.splice(0).sort((a, b) => a - b);
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

/** Reads through one proxy at a fixed rate, and how long they took. */
class Lane {
  /** Of each turn. */
  readonly gets: Tail[] = [];
  readonly multiGets: Tail[] = [];
  readonly #getWaits: number[] = [];
  readonly #multiGetWaits: number[] = [];
  readonly #clients: RespClient[];
  readonly #random = seededRandom(7);

  constructor({ port }: Server) {
    this.#clients = Array.from({ length: SOCKETS }, () => new RespClient(`127.0.0.1:${port}`));
  }

  /** So many milliseconds in which `victim` is stopped now and then. */
  async turn(victim: Server, ms: number): Promise<void> {
    await this.#run(SETTLE_MS);
    takeTail(this.#getWaits);
    takeTail(this.#multiGetWaits);
    let isOver = false;
    const stopping = stopNowAndThen(victim, () => isOver);
    try {
      await this.#run(ms);
    } finally {
      isOver = true;
      await stopping;
    }
    this.gets.push(takeTail(this.#getWaits));
    this.multiGets.push(takeTail(this.#multiGetWaits));
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }

  async #run(ms: number): Promise<void> {
    const reads: Promise<void>[] = [];
    const startMs = performance.now();
    let gets = 0;
    let multiGets = 0;
    for (let nowMs = startMs; nowMs < startMs + ms; nowMs = performance.now()) {
      const passedMs = nowMs - startMs;
      for (; gets < passedMs * GETS_PER_MS; gets++)
        reads.push(this.#read(['GET', this.#key()], this.#getWaits));
      for (; multiGets < passedMs * MULTI_GETS_PER_MS; multiGets++) {
        const keys = Array.from({ length: KEYS_AT_ONCE }, () => this.#key());
        reads.push(this.#read(['MGET', ...keys], this.#multiGetWaits));
      }
      await delay(1);
    }
    await Promise.all(reads);
  }

  #key(): string {
    return `key:${String(this.#random.int(KEYS)).padStart(12, '0')}`;
  }

  async #read(parts: readonly string[], waits: number[]): Promise<void> {
    const client = this.#clients[this.#random.int(SOCKETS)];
    const startMs = performance.now();
    const reply = await client.send(...parts);
    if (reply instanceof Error) throw reply;
    waits.push(performance.now() - startMs);
  }
}

async function stopNowAndThen({ pid }: Server, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    process.kill(pid, 'SIGSTOP');
    await delay(STOPPED_MS);
    process.kill(pid, 'SIGCONT');
    for (let leftMs = EVERY_MS - STOPPED_MS; leftMs > 0 && !isOver(); leftMs -= STOPPED_MS)
      await delay(STOPPED_MS);
  }
}
