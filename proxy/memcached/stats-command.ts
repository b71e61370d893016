import { isErrorReply } from '../core/frames.ts';
import { joinPieces } from '../core/large-frame.ts';
import { RINGSIDE_VERSION } from '../version.ts';
import type { MemcachedClientFacts, MemcachedFigures } from '../workers/questions.ts';
import { type Answer, ERROR, LineAnswer, writeError } from './answer.ts';
import type { AnswerWriter } from './answer-writer.ts';
import type { MemcachedConnection } from './connection.ts';
import type { MemcachedContext } from './context.ts';
import { noRingAnswer } from './key.ts';
import { figuresOf, type NodeFigures } from './node-figures.ts';
import type { Parts } from './parts.ts';
import { type MemcachedParser, wordText } from './protocol/index.ts';
import { bulkText } from './reply-text.ts';
import { SPOKEN_VERSION } from './versions.ts';

type Rows = readonly (readonly [name: string, value: string | number])[];
/** What a report is made of. */
interface Facts {
  readonly context: MemcachedContext;
  /** Of the listeners of all threads together. */
  readonly figures: MemcachedFigures;
  /** Of all shards together. */
  readonly nodes: NodeFigures;
}

type Report = (facts: Facts) => Rows;

const MICROSECONDS = 1e6;
const RESET = new LineAnswer('RESET');

/** `stats`, by its argument. What there is none of here is reported as nothing, or as 0. */
const reports: Readonly<Record<string, Report>> = {
  '': generalRows,
  items: itemRows,
  slabs: slabRows,
};

/** What concerns this process alone. */
const ownReports: Readonly<Record<string, (context: MemcachedContext) => Rows>> = {
  settings: settingRows,
  sizes: () => [['sizes_status', 'disabled']],
};

/** `stats [general by default | settings | items | slabs | sizes | conns | reset]` */
export function runStats(connection: MemcachedConnection, parser: MemcachedParser, nowMs: number): void {
  const what = parser.count < 2 ? '' : wordText(parser, 1);
  const { context } = connection;
  const { group } = context;
  if (what === 'reset')
    connection.askThreads(group, 'memcachedFigures', { reset: true }, () => connection.say(RESET));
  else if (what === 'conns')
    connection.askThreads(group, 'memcachedClients', null, (clients) => {
      connection.say(new RowsAnswer(connectionRows(clients.flat())));
    });
  else if (what === 'cachedump') connection.say(new LineAnswer('CLIENT_ERROR stats cachedump not allowed'));
  else if (Object.hasOwn(ownReports, what)) connection.say(new RowsAnswer(ownReports[what](context)));
  else if (!Object.hasOwn(reports, what)) connection.say(ERROR);
  else if (context.router.routes.length === 0) connection.say(noRingAnswer());
  else
    connection.askThreads(group, 'memcachedFigures', { reset: false }, (figures) =>
      askShards(connection, (nodes) => reports[what]({ context, figures: sumOf(figures), nodes }), nowMs),
    );
}

function askShards(
  connection: MemcachedConnection,
  rowsOf: (nodes: NodeFigures) => Rows,
  nowMs: number,
): void {
  const { router, frames } = connection.context;
  const parts = connection.split(nowMs, (made) => new ReportAnswer(made, rowsOf));
  for (const route of router.routes) {
    frames.begin(1, 16);
    frames.text('INFO');
    parts.send(router, route, frames, false, 0);
  }
  parts.seal();
}

class RowsAnswer implements Answer {
  readonly parts = null;
  readonly #rows: Rows;

  constructor(rows: Rows) {
    this.#rows = rows;
  }

  write(out: AnswerWriter): void {
    writeRows(out, this.#rows);
  }
}

class ReportAnswer implements Answer {
  readonly parts: Parts;
  readonly #rowsOf: (nodes: NodeFigures) => Rows;

  constructor(parts: Parts, rowsOf: (nodes: NodeFigures) => Rows) {
    this.parts = parts;
    this.#rowsOf = rowsOf;
  }

  write(out: AnswerWriter): void {
    const { requests } = this.parts;
    const failed = requests.find(({ bytes, start }) => isErrorReply(bytes, start));
    if (failed !== undefined) {
      writeError(out, failed);
      return;
    }
    const texts = requests.map((request) => {
      joinPieces(request);
      return bulkText(request);
    });
    writeRows(out, this.#rowsOf(figuresOf(texts)));
  }
}

function writeRows(out: AnswerWriter, rows: Rows): void {
  for (const [name, value] of rows) out.text(`STAT ${name} ${value}\r\n`);
  out.text('END\r\n');
}

function sumOf(all: readonly MemcachedFigures[]): MemcachedFigures {
  const counters: Record<string, number> = {};
  for (const one of all)
    for (const [name, value] of Object.entries(one.counters)) counters[name] = (counters[name] ?? 0) + value;
  const sum = (name: 'connections' | 'accepted' | 'refused') =>
    all.reduce((total, one) => total + one[name], 0);
  return {
    counters,
    connections: sum('connections'),
    accepted: sum('accepted'),
    refused: sum('refused'),
  };
}

function generalRows({ context, figures, nodes }: Facts): Rows {
  const { info, router } = context;
  const { counters, connections } = figures;
  const { clock } = router.env;
  const { user, system } = process.cpuUsage();
  return [
    ['pid', info.pid],
    ['uptime', Math.floor((clock.monotonicMs() - info.startedMonotonicMs) / 1000)],
    ['time', Math.floor(clock.wallMs() / 1000)],
    ['version', SPOKEN_VERSION],
    ['ringside_version', RINGSIDE_VERSION],
    ['pointer_size', 64],
    ['rusage_user', (user / MICROSECONDS).toFixed(6)],
    ['rusage_system', (system / MICROSECONDS).toFixed(6)],
    ['max_connections', info.maxConnections],
    ['curr_connections', connections],
    ['total_connections', figures.accepted],
    ['rejected_connections', figures.refused],
    ['connection_structures', connections],
    ...Object.entries(counters),
    ['get_expired', nodes.expired],
    ['limit_maxbytes', nodes.maxBytes],
    ['accepting_conns', 1],
    ['listen_disabled_num', 0],
    ['threads', info.threads],
    ['shards', router.routes.length],
    ['curr_items', nodes.items],
    ['total_items', counters.cmd_set],
    ['bytes', nodes.bytes],
    ['evictions', nodes.evicted],
    ['reclaimed', nodes.expired],
  ];
}

/** All items as those of one slab class: the nodes' store has none. */
function itemRows({ nodes }: Facts): Rows {
  if (nodes.items === 0) return [];
  return [
    ['items:1:number', nodes.items],
    ['items:1:age', 0],
    ['items:1:mem_requested', nodes.bytes],
    ['items:1:evicted', nodes.evicted],
    ['items:1:evicted_nonzero', 0],
    ['items:1:evicted_time', 0],
    ['items:1:outofmemory', 0],
    ['items:1:tailrepairs', 0],
    ['items:1:reclaimed', nodes.expired],
    ['items:1:expired_unfetched', 0],
    ['items:1:evicted_unfetched', 0],
  ];
}

function slabRows({ context, figures, nodes }: Facts): Rows {
  const { limits } = context;
  const { counters } = figures;
  const total = [
    ['active_slabs', nodes.items === 0 ? 0 : 1],
    ['total_malloced', nodes.reservedBytes],
  ] as const;
  if (nodes.items === 0) return total;
  return [
    ['1:chunk_size', limits.maxItemBytes],
    ['1:chunks_per_page', 1],
    ['1:total_pages', nodes.items],
    ['1:total_chunks', nodes.items],
    ['1:used_chunks', nodes.items],
    ['1:free_chunks', 0],
    ['1:free_chunks_end', 0],
    ['1:mem_requested', nodes.bytes],
    ['1:get_hits', counters.get_hits],
    ['1:cmd_set', counters.cmd_set],
    ['1:delete_hits', counters.delete_hits],
    ['1:incr_hits', counters.incr_hits],
    ['1:decr_hits', counters.decr_hits],
    ['1:cas_hits', counters.cas_hits],
    ['1:cas_badval', counters.cas_badval],
    ['1:touch_hits', counters.touch_hits],
    ...total,
  ];
}

function settingRows({ info, limits, access }: MemcachedContext): Rows {
  return [
    ['maxbytes', 0],
    ['maxconns', info.maxConnections],
    ['tcpport', info.port],
    ['udpport', 0],
    ['verbosity', 0],
    ['oldest', 0],
    ['evictions', 'on'],
    ['domain_socket', 'NULL'],
    ['num_threads', info.threads],
    ['reqs_per_event', limits.maxInFlight],
    ['cas_enabled', 'yes'],
    ['tcp_backlog', 511],
    ['binding_protocol', 'ascii'],
    ['auth_enabled_sasl', 'no'],
    ['auth_enabled_ascii', access.users.requireLogin ? 'yes' : 'no'],
    ['item_size_max', limits.maxItemBytes],
    ['maxconns_fast', 'yes'],
    ['flush_enabled', 'yes'],
    ['dump_enabled', 'no'],
    ['detail_enabled', 'no'],
    ['track_sizes', 'no'],
  ];
}

function connectionRows(clients: readonly MemcachedClientFacts[]): Rows {
  return clients.flatMap(({ address, isIdle, silentSeconds }, i) => [
    [`${i}:addr`, `tcp:${address}`] as const,
    [`${i}:state`, isIdle ? 'conn_read' : 'conn_parse_cmd'] as const,
    [`${i}:secs_since_last_cmd`, silentSeconds] as const,
  ]);
}
