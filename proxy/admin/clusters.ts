import { durationsOf } from '../../lib/metrics/index.ts';
import type { ShardSummary } from '../core/figures-api.ts';
import type { NodeFigure } from '../core/node-figures.ts';

const NS_PER_MS = 1e6;

/** One node, as all threads see it together. */
export interface NodeStatus {
  readonly node: string;
  readonly role: 'leader' | 'follower';
  /** The worst that a thread sees. */
  readonly state: NodeFigure['state'];
  /** The worst that a thread has. */
  readonly breaker: NodeFigure['breaker'];
  readonly breakerOpened: number;
  readonly breakerRefused: number;
  /** For bounded load, as the thread says that sees most. */
  readonly load: number;
  readonly loadCap: number;
  readonly inFlight: number;
  readonly queuedBytes: number;
  readonly connections: { readonly shared: number; readonly private: number };
  readonly retries: number;
  readonly errors: number;
  readonly failures: number;
  /** Reads sent to a follower as well because this leader was slow, and those that the follower answered. */
  readonly hedges: number;
  readonly hedgesWon: number;
  /** Those of them that were multi-gets, or what one shard is asked for of one. */
  readonly multiGetHedges: number;
  readonly multiGetHedgesWon: number;
  readonly requests: number;
  /** From a command joining the queue to its node until the reply was there; null before the first. */
  readonly latencyMs: Percentiles | null;
}

/** Percentiles in milliseconds, to two significant digits. */
export interface Percentiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** One shard, as `/clusters` shows it. */
export interface ShardStatus {
  readonly shard: string;
  readonly epoch: string | null;
  readonly engine: string;
  readonly nodes: readonly NodeStatus[];
}

const WORST: readonly NodeFigure['state'][] = ['connected', 'connecting', 'ejected', 'suspect'];
const WORST_BREAKER: readonly NodeFigure['breaker'][] = ['closed', 'half-open', 'open'];

/** What all threads know of the nodes of these shards. */
export function clustersOf(shards: readonly ShardSummary[], figures: readonly NodeFigure[]): ShardStatus[] {
  return shards.map(({ shard, epoch, engine }) => {
    const own = figures.filter((figure) => figure.shard === shard);
    const names = [...new Set(own.map(({ node }) => node))];
    return {
      shard,
      epoch,
      engine,
      nodes: names.map((name) => nodeOf(own.filter(({ node }) => node === name))),
    };
  });
}

function nodeOf(figures: readonly NodeFigure[]): NodeStatus {
  const [{ node, role }] = figures;
  const sum = (read: (figure: NodeFigure) => number) => figures.reduce((total, one) => total + read(one), 0);
  const durations = durationsOf(figures.map((figure) => figure.durations));
  return {
    node,
    role,
    state: WORST[Math.max(...figures.map(({ state }) => WORST.indexOf(state)))],
    breaker: WORST_BREAKER[Math.max(...figures.map(({ breaker }) => WORST_BREAKER.indexOf(breaker)))],
    breakerOpened: sum(({ breakerOpened }) => breakerOpened),
    breakerRefused: sum(({ breakerRefused }) => breakerRefused),
    load: Math.max(...figures.map(({ load }) => load)),
    loadCap: Math.max(...figures.map(({ loadCap }) => loadCap)),
    inFlight: sum(({ inFlight }) => inFlight),
    queuedBytes: sum(({ queuedBytes }) => queuedBytes),
    connections: { shared: sum(({ shared }) => shared), private: sum((figure) => figure.private) },
    retries: sum(({ retries }) => retries),
    errors: sum(({ errors }) => errors),
    failures: sum(({ failures }) => failures),
    hedges: sum(({ hedges }) => hedges),
    hedgesWon: sum(({ hedgesWon }) => hedgesWon),
    multiGetHedges: sum(({ multiGetHedges }) => multiGetHedges),
    multiGetHedgesWon: sum(({ multiGetHedgesWon }) => multiGetHedgesWon),
    requests: durations.total,
    latencyMs: percentilesOf(durations),
  };
}

/** Null when nothing was counted. */
export function percentilesOf(durations: ReturnType<typeof durationsOf>): Percentiles | null {
  if (durations.total === 0) return null;
  const at = (percent: number) => Math.round(durations.percentile(percent) / (NS_PER_MS / 1000)) / 1000;
  return { p50: at(50), p90: at(90), p99: at(99), p999: at(99.9), max: at(100) };
}

/** The same as a text of 80 columns at most. */
export function clustersText(shards: readonly ShardStatus[]): string {
  return shards.map(shardText).join('\n');
}

/** Width of each column, 80 with the spaces between them; the first three begin at their left. */
const WIDTHS = [22, 6, 7, 5, 6, 5, 5, 5, 5, 5];
const LEFT_COLUMNS = 3;
const TITLES = ['NODE', 'ROLE', 'STATE', 'BUSY', 'QUEUED', 'CONN', 'RETRY', 'ERR', 'P50', 'P99'];

function row(cells: readonly string[]): string {
  const padded = cells.map((cell, i) =>
    i < LEFT_COLUMNS ? cell.padEnd(WIDTHS[i]) : cell.padStart(WIDTHS[i]),
  );
  return padded.join(' ');
}

function shardText({ shard, epoch, engine, nodes }: ShardStatus): string {
  const epochText = epoch === null ? '' : ` epoch ${epoch}`;
  const title = `${shard.slice(0, 40)}: engine ${engine}${epochText}`;
  const lines = nodes.length === 0 ? ['no node'] : [row(TITLES), ...nodes.map(nodeText)];
  return [title, ...lines].map((line) => `${line}\n`).join('');
}

function nodeText({ node, role, state, breaker, connections, latencyMs, ...counts }: NodeStatus): string {
  return row([
    node.slice(-WIDTHS[0]),
    role.slice(0, WIDTHS[1]),
    breaker === 'closed' ? STATES[state] : 'BREAKER',
    short(counts.inFlight),
    short(counts.queuedBytes),
    `${connections.shared}+${connections.private}`.slice(0, WIDTHS[5]),
    short(counts.retries),
    short(counts.errors + counts.failures),
    millisecondsText(latencyMs?.p50),
    millisecondsText(latencyMs?.p99),
  ]);
}

const STATES: Readonly<Record<NodeFigure['state'], string>> = {
  connected: 'ok',
  connecting: 'opening',
  ejected: 'EJECTED',
  suspect: 'SUSPECT',
};

/** A count in at most five characters. */
function short(count: number): string {
  if (count < 1e5) return String(count);
  if (count < 1e6) return `${Math.floor(count / 1e3)}k`;
  if (count < 1e9) return `${Math.floor(count / 1e6)}M`;
  return `${Math.floor(count / 1e9)}G`;
}

/** Milliseconds in at most five characters. */
function millisecondsText(ms: number | undefined): string {
  if (ms === undefined) return '-';
  if (ms < 10) return ms.toFixed(3);
  return ms < 1000 ? ms.toFixed(1) : String(Math.round(ms));
}
