import { isErrorReply } from '../core/frames.ts';
import { joinPieces } from '../core/large-frame.ts';
import { RINGSIDE_VERSION } from '../version.ts';
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
/** Figures of the listener, and of all shards together. */
type Report = (context: MemcachedContext, nodes: NodeFigures) => Rows;

const MICROSECONDS = 1e6;

/** `stats`, by its argument. What there is none of here is reported as nothing, or as 0. */
const reports: Readonly<Record<string, Report>> = {
  '': generalRows,
  items: itemRows,
  slabs: slabRows,
};

/** What concerns this process alone. */
const ownReports: Readonly<Record<string, (context: MemcachedContext) => Rows>> = {
  settings: settingRows,
  conns: connectionRows,
  sizes: () => [['sizes_status', 'disabled']],
};

/** `stats [general by default | settings | items | slabs | sizes | conns | reset]` */
export function runStats(connection: MemcachedConnection, parser: MemcachedParser, nowMs: number): void {
  const what = parser.count < 2 ? '' : wordText(parser, 1);
  const { context } = connection;
  if (what === 'reset') {
    context.counters.reset();
    connection.say(new LineAnswer('RESET'));
  } else if (what === 'cachedump') connection.say(new LineAnswer('CLIENT_ERROR stats cachedump not allowed'));
  else if (Object.hasOwn(ownReports, what)) connection.say(new RowsAnswer(ownReports[what](context)));
  else if (!Object.hasOwn(reports, what)) connection.say(ERROR);
  else if (context.router.routes.length === 0) connection.say(noRingAnswer());
  else connection.inOrder(() => askAll(connection, reports[what], nowMs));
}

function askAll(connection: MemcachedConnection, report: Report, nowMs: number): void {
  const { router, frames } = connection.context;
  const parts = connection.split(nowMs, (made) => new ReportAnswer(made, report, connection.context));
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
  readonly #report: Report;
  readonly #context: MemcachedContext;

  constructor(parts: Parts, report: Report, context: MemcachedContext) {
    this.parts = parts;
    this.#report = report;
    this.#context = context;
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
    writeRows(out, this.#report(this.#context, figuresOf(texts)));
  }
}

function writeRows(out: AnswerWriter, rows: Rows): void {
  for (const [name, value] of rows) out.text(`STAT ${name} ${value}\r\n`);
  out.text('END\r\n');
}

function generalRows(context: MemcachedContext, nodes: NodeFigures): Rows {
  const { info, counters, connections, router } = context;
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
    ['curr_connections', connections.size],
    ['total_connections', info.accepted],
    ['rejected_connections', info.refused],
    ['connection_structures', connections.size],
    ...Object.entries(counters as unknown as Record<string, number>),
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
function itemRows(_context: MemcachedContext, nodes: NodeFigures): Rows {
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

function slabRows({ limits, counters }: MemcachedContext, nodes: NodeFigures): Rows {
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

function connectionRows({ connections, router }: MemcachedContext): Rows {
  const nowMs = router.env.clock.monotonicMs();
  return [...connections].flatMap(({ address, isIdle, lastActiveMs }, i) => [
    [`${i}:addr`, `tcp:${address}`] as const,
    [`${i}:state`, isIdle ? 'conn_read' : 'conn_parse_cmd'] as const,
    [`${i}:secs_since_last_cmd`, Math.floor((nowMs - lastActiveMs) / 1000)] as const,
  ]);
}
