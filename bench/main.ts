import { parseArgs } from 'node:util';
import { type BalanceRow, hotKeyBalance } from './suites/balance.ts';
import { type HedgeTailRow, hedgedReads, type Tail } from './suites/hedge.ts';
import { type IdleRow, idleConnections } from './suites/idle.ts';
import { type LargeRow, largeValues } from './suites/large.ts';
import { memcachedAgainstResp } from './suites/memcached.ts';
import { type MemoryEffort, type MemoryRow, memoryAgainstRedis, type PhaseRow } from './suites/memory.ts';
import type { BudgetRow } from './suites/memory-budget.ts';
import { mutualTlsCost } from './suites/mutual-tls.ts';
import { nearAgainstRedis } from './suites/near.ts';
import { runOverload } from './suites/overload.ts';
import { persistenceAgainstRedis, type SnapshotRow } from './suites/persistence.ts';
import { type LoadEffort, type LoadRow, loadingAgainstRedis } from './suites/persistence-load.ts';
import { type LogEffort, type LogRow, logAgainstRedis, syncsPerSecond } from './suites/persistence-log.ts';
import { proxyAgainstPeers } from './suites/proxy.ts';
import { type LatencyRow, proxyLatency } from './suites/proxy-latency.ts';
import { type ShadowRow, shadowCost } from './suites/shadow.ts';
import { type StampedeRow, stampedes } from './suites/stampede.ts';
import { type Comparison, type Effort, type Figures, nodeAgainstRedis } from './suites/throughput.ts';
import { type HitRatios, traceHitRatios } from './suites/traces.ts';
import { typesAgainstRedis } from './suites/types.ts';
import { type WarmUpRow, warmUpLoad } from './suites/warm-up.ts';
import { type Delays, isInstalled } from './support/peers.ts';

const usage = `usage: npm run bench -- [node] [types] [proxy] [memcached] [tls] [near] [latency] [idle] [large] [memory] [overload]
                        [persistence] [loading] [stampede] [balance] [shadow] [traces] [warm-up] [hedge]
                        [--alternations N] [--seconds S] [--value-bytes N]
                        [--connections N] [--entries N] [--budgets LIST] [--small-entries N]
                        [--stopped-seconds S] [--json]

  node    ringside node beside redis-server
  types   the same on lists, hashes, sets and sorted sets, one big and many tiny
  proxy   ringside proxy beside nutcracker and Envoy, all in front of the same redis-servers: GET and SET,
          MGET of 100 keys over three shards, and two workers (Envoy has two threads then)
  memcached
          get by the memcached listener beside GET by the RESP listener, of one proxy in front of a node
  tls     a proxy and a node with mutual TLS between them beside the same without
  near    reads that a proxy answers from its near cache beside redis-server itself, and beside the same proxy without one
  latency what each proxy adds to one unpipelined GET; only when it is named
  idle    memory of 10,000 connections that do nothing, for each proxy; only when it is named
  large   SET and GET of 1 MB by 50 clients, redis-server itself and through each proxy; only when it is named
  memory  bytes an entry of 16 + 100 bytes takes, ringside node beside redis-server, and how long a
          PING waits while a node fills, evicts and expires; only when it is named
  persistence  SETs with append-only files (turns below a second miss the syncs of everysec), snapshots and rewrites under
          write load, and loading files, ringside node beside redis-server; only when it is named
  loading the last part of persistence: files of strings, and of collections of five elements; only when it is named
  stampede  10,000 reads at once of a key that is not there, over four proxies: requests at an HTTP origin and how long the
          readers wait, with and without an origin at the namespace; only when it is named
  balance  95 of 100 reads of one key over eight shards: what each shard has to do, with nothing done about it, with bounded
          load and with a near cache; only when it is named
  hedge   what hedged reads cost a proxy while nothing is slow, and how long reads and multi-gets wait with and without them while a
          leader is stopped (SIGSTOP) now and then; only when it is named
  overload  one of four shards stopped (SIGSTOP) behind each proxy, all nodes ten times slower for a while, and MGETs of
          1,000 keys over eight shards; only when it is named
  shadow  what shadowing of a tenth of the reads costs the application and the proxy, beside a proxy without; only when it is named
  warm-up  requests at the origin of an application whose cache is warm, empty and warming from the old one, and empty;
          only when it is named
  traces  hit ratios of the node's policies on real traces beside the simulators, in this process;
          only when it is named; the traces are looked for in ../shared or RINGSIDE_SHARED
  --alternations N   turns of each target (default 5)
  --seconds S        length of one turn (default 2)
  --value-bytes N    size of the values (default 3, as redis-benchmark's)
  --connections N    clients of the idle suite (default 10000)
  --entries N        entries of the memory, persistence and loading suites (default 5000000)
  --budgets LIST     budgets in MiB that a node must keep to (default 512,1024)
  --small-entries N  also fills a node with so many entries of 16 + 8 bytes (default 0)
  --stopped-seconds S  how long the overload suite stops a shard behind each proxy (default 6)
  --json             one line of JSON for each comparison instead of the table
`;

/** GETs of one turn. */
const LATENCY_REQUESTS = 5000;

const suites = {
  node: nodeAgainstRedis,
  types: typesAgainstRedis,
  proxy: proxyAgainstPeers,
  memcached: memcachedAgainstResp,
  tls: mutualTlsCost,
  near: nearAgainstRedis,
};

/** Suites that run only when they are named. */
const unlisted = [
  'latency',
  'idle',
  'large',
  'memory',
  'overload',
  'persistence',
  'loading',
  'stampede',
  'balance',
  'shadow',
  'warm-up',
  'traces',
  'hedge',
];

function thousands(rate: number): string {
  return `${(rate / 1000).toFixed(1)}k`;
}

/** Half the distance between the slowest and the fastest turn, in percent of the median. */
function spread({ median, min, max }: Pick<Figures, 'median' | 'min' | 'max'>): string {
  return `${((50 * (max - min)) / median).toFixed(0)}%`;
}

function row({ what, command, pipeline, peer, ours, theirs, ratio }: Comparison): string {
  return [
    `${what} / ${peer}`.padEnd(19),
    command.padStart(6),
    `${pipeline}`.padStart(5),
    thousands(ours.median).padStart(7),
    `±${spread(ours)}`.padStart(4),
    thousands(theirs.median).padStart(7),
    `±${spread(theirs)}`.padStart(4),
    `${ratio.toFixed(2)} x`.padStart(6),
    `${ours.cpuMicros.toFixed(2)} : ${theirs.cpuMicros.toFixed(2)}`.padStart(14),
  ].join(' ');
}

function budgetRow({ what, server, idleMiB, mostPart, endPart, perSecond }: BudgetRow): string {
  const grown = `grown by ${mostPart.toFixed(3)} of it at most, ${endPart.toFixed(3)} in the end`;
  return `${what.padEnd(27)} ${server.padEnd(13)} ${grown}, from ${idleMiB.toFixed(0)} MiB  ${thousands(perSecond)}/s`;
}

function delays({ p50, p99, p999, max }: Delays): string {
  return `p50 ${p50} p99 ${p99} p99.9 ${p999} max ${max} ms`;
}

function memoryRow(row: MemoryRow | PhaseRow | BudgetRow): string {
  if ('budgetMiB' in row) return budgetRow(row);
  const taken =
    'bytesPerEntry' in row
      ? `${row.bytesPerEntry.toFixed(1)} B/entry`.padStart(14)
      : `${row.residentMiB.toFixed(0)} MiB`.padStart(14);
  const ratio = 'ratio' in row && row.ratio !== undefined ? `${row.ratio.toFixed(3)} x` : '';
  const { loop, ...ping } = row.pauses;
  return [
    row.what.padEnd(27),
    row.server.padEnd(13),
    taken,
    ratio.padStart(8),
    `${thousands(row.perSecond)}/s`.padStart(10),
    `\n    PING ${delays(ping)}${loop ? `; event loop ${delays(loop)}` : ''}`,
  ].join(' ');
}

/** The memory suite, which is long, and reports something else than the others. */
async function runMemory(effort: Omit<MemoryEffort, 'progress'>, isJson: boolean): Promise<void> {
  const progress = (line: string) => void process.stderr.write(`${line}\n`);
  for (const row of await memoryAgainstRedis({ ...effort, progress }))
    process.stdout.write(`${isJson ? JSON.stringify(row) : memoryRow(row)}\n`);
}

function snapshotRow(row: SnapshotRow): string {
  const { loop, ...ping } = row.pauses;
  return [
    `${row.server.padEnd(13)} ${row.what.padEnd(12)} ${row.seconds.toFixed(1)} s amid ${thousands(row.writesPerSecond)} writes/s, ` +
      `${row.fileMiB.toFixed(0)} MiB, memory +${(100 * row.extraShare).toFixed(1)} %`,
    `    PING ${delays(ping)}${loop ? `; event loop ${delays(loop)}` : ''}` +
      (row.forkMs === undefined ? '' : `; fork ${row.forkMs.toFixed(1)} ms`),
  ].join('\n');
}

function loadRow(row: LoadRow): string {
  const ratio = row.ratio === undefined ? '' : `  ${row.ratio.toFixed(2)} x`;
  const rate = `${row.loadSeconds.toFixed(2)} s, ${thousands(row.loadedPerSecond)}/s`;
  return `${row.server.padEnd(13)} loads ${row.content.padEnd(7)} of ${row.fileOf.padEnd(13)} ${rate}${ratio}`;
}

function logRow(row: LogRow): string {
  const ratio = row.ofRedis === undefined ? '' : `  ${row.ofRedis.toFixed(2)} x redis-server`;
  return [
    `${row.server.padEnd(13)} ${row.policy.padEnd(8)} SET depth ${`${row.pipeline}`.padStart(2)}`,
    thousands(row.median).padStart(8),
    `±${spread(row)}`.padStart(4),
    `${(100 * row.ofOwn).toFixed(0)} % of without a file`,
    `CPU ${row.cpuMicros.toFixed(2)} us, ${row.fileMicros.toFixed(2)} for the file${ratio}`,
  ].join('  ');
}

/** As the memory suite; first the append-only files. */
async function runPersistence(
  entries: number,
  effort: Omit<LogEffort, 'progress'>,
  isJson: boolean,
): Promise<void> {
  const progress = (line: string) => void process.stderr.write(`${line}\n`);
  const write = (line: string) => void process.stdout.write(`${line}\n`);
  if (!isJson)
    write(`this disk: ${syncsPerSecond().toFixed(0)} syncs of 100 bytes a second, one behind the other`);
  for (const row of await logAgainstRedis({ ...effort, progress }))
    write(isJson ? JSON.stringify(row) : logRow(row));
  for (const row of await persistenceAgainstRedis({ entries, progress }))
    write(isJson ? JSON.stringify(row) : snapshotRow(row));
  await runLoading({ entries, alternations: effort.alternations }, isJson);
}

async function runLoading(effort: Omit<LoadEffort, 'progress'>, isJson: boolean): Promise<void> {
  const progress = (line: string) => void process.stderr.write(`${line}\n`);
  for (const row of await loadingAgainstRedis({ ...effort, progress }))
    process.stdout.write(`${isJson ? JSON.stringify(row) : loadRow(row)}\n`);
}

function latencyRow({ server, p50, p99, p999, added }: LatencyRow): string {
  const micros = [p50, p99, p999].map((value) => `${value}`.padStart(6)).join(' ');
  const more =
    added &&
    `   added ${[added.p50, added.p99, added.p999].map((value) => `${value}`.padStart(6)).join(' ')}`;
  return `${server.padEnd(15)} ${micros}${more ?? ''}`;
}

async function runLatency(
  effort: { alternations: number; valueBytes: number },
  isJson: boolean,
): Promise<void> {
  const progress = (line: string) => void process.stderr.write(`${line}\n`);
  const rows = await proxyLatency({ ...effort, requests: LATENCY_REQUESTS, progress });
  if (!isJson) process.stdout.write('microseconds of one GET    p50    p99  p99.9\n');
  for (const row of rows) process.stdout.write(`${isJson ? JSON.stringify(row) : latencyRow(row)}\n`);
}

/** Nothing happens for so long before memory is read. */
const SETTLE_MS = 3000;

async function runIdle(connections: number, isJson: boolean): Promise<void> {
  const progress = (line: string) => void process.stderr.write(`${line}\n`);
  if (!isJson) process.stdout.write('bytes a connection     connected  after one GET\n');
  for (const row of await idleConnections({ connections, settleMs: SETTLE_MS, progress }))
    process.stdout.write(`${isJson ? JSON.stringify(row) : idleRow(row)}\n`);
}

function idleRow({ server, connections, fresh, used }: IdleRow): string {
  return `${server.padEnd(15)} x ${connections}  ${`${fresh}`.padStart(7)}  ${`${used}`.padStart(13)}`;
}

async function runLarge(effort: { alternations: number; seconds: number }, isJson: boolean): Promise<void> {
  const progress = (line: string) => void process.stderr.write(`${line}\n`);
  for (const row of await largeValues({ ...effort, progress }))
    process.stdout.write(`${isJson ? JSON.stringify(row) : largeRow(row)}\n`);
}

function largeRow({ server, command, ofDirect, peakMiB, ...rates }: LargeRow): string {
  return [
    `${server.padEnd(15)} ${command} 1 MB`,
    `${rates.median.toFixed(0)}/s`.padStart(7),
    `±${spread(rates)}`.padStart(4),
    `${ofDirect.toFixed(2)} x direct`,
    `${peakMiB} MiB at the peak`,
  ].join('  ');
}

function stampedeRow({ filler, reads, filled, originRequests, most, p50, p99, max }: StampedeRow): string {
  const asked = `${originRequests} requests at the origin (at most ${most} at once)`;
  return `filled by ${filler}  ${filled} of ${reads} reads  ${asked}  p50 ${p50} p99 ${p99} max ${max} ms`;
}

async function runStampede(alternations: number, isJson: boolean): Promise<void> {
  const progress = (line: string) => void process.stderr.write(`${line}\n`);
  for (const row of await stampedes(alternations, progress))
    process.stdout.write(`${isJson ? JSON.stringify(row) : stampedeRow(row)}\n`);
}

function balanceRow(row: BalanceRow): string {
  const { way, shards, busiest, rate, upstreamPercent, p50Ms, p99Ms, errors } = row;
  return [
    `${way.padEnd(12)} busiest ${busiest.toFixed(2)} x mean  (${shards.join(' ')})`,
    `${upstreamPercent.toFixed(1)} commands at shards for 100 reads`,
    `${thousands(rate)} reads/s  p50 ${p50Ms.toFixed(2)} p99 ${p99Ms.toFixed(2)} ms  ${errors} errors`,
  ].join('  ');
}

async function runBalance(seconds: number, isJson: boolean): Promise<void> {
  const progress = (line: string) => void process.stderr.write(`${line}\n`);
  for (const row of await hotKeyBalance(seconds, progress))
    process.stdout.write(`${isJson ? JSON.stringify(row) : balanceRow(row)}\n`);
}

function warmUpRow({ phase, origin, ofSteady, p99Ms, errors }: WarmUpRow): string {
  const rates = origin.map((rate) => rate.toFixed(0)).join(' ');
  return `${phase.padEnd(22)} at most ${ofSteady.toFixed(2)} x steady; origin requests of each second: ${rates}; reads p99 ${p99Ms.toFixed(1)} ms, ${errors} errors`;
}

function shadowRow({ share, off, on, p99Ratio, cpuMicros, sent, equal, dropped }: ShadowRow): string {
  const figures = ({ p50, p99 }: ShadowRow['on']) => `p50 ${p50.toFixed(3)} p99 ${p99.toFixed(3)} ms`;
  return [
    `without  ${figures(off)}, CPU of the proxy ${cpuMicros.off.toFixed(1)} us/read`,
    `with ${(100 * share).toFixed(0)} %  ${figures(on)}, ${cpuMicros.on.toFixed(1)} us/read; p99 ${p99Ratio.toFixed(3)} x (median of pairs)`,
    `${sent} shadowed, ${equal} equal, ${dropped} dropped`,
  ].join('\n');
}

async function runShadow(alternations: number, seconds: number, isJson: boolean): Promise<void> {
  const progress = (line: string) => void process.stderr.write(`${line}\n`);
  const row = await shadowCost(alternations, seconds, progress);
  process.stdout.write(`${isJson ? JSON.stringify(row) : shadowRow(row)}\n`);
}

function tailText({ p50, p99, max }: Tail): string {
  return `p50 ${p50.toFixed(2)} p99 ${p99.toFixed(2)} max ${max.toFixed(1)} ms`;
}

function hedgeTailRow({ command, p99Ratio, sentTwice, won, ...tails }: HedgeTailRow): string {
  const parts = [sentTwice, won].map((part) => `${(100 * part).toFixed(1)} %`);
  return [
    `a leader stopped now and then  ${command.padEnd(10)}  with     ${tailText(tails.with)}; p99 ${p99Ratio.toFixed(2)} x`,
    `                               ${command.padEnd(10)}  without  ${tailText(tails.without)}`,
    `    of all that leader was asked for, ${parts[0]} was sent to its follower too, and ${parts[1]} answered by it`,
  ].join('\n');
}

async function runHedge(effort: Omit<Effort, 'progress'>, isJson: boolean): Promise<void> {
  const progress = (line: string) => void process.stderr.write(`${line}\n`);
  const { costs, tails } = await hedgedReads({ ...effort, progress });
  const write = (line: string) => void process.stdout.write(`${line}\n`);
  for (const cost of costs.rows) write(isJson ? JSON.stringify(cost) : row(cost));
  const { sentTwice } = costs;
  const share = `    ${(100 * sentTwice).toFixed(1)} % of what a leader was asked for was sent to its follower too`;
  write(isJson ? JSON.stringify({ sentTwice }) : share);
  for (const tail of tails) write(isJson ? JSON.stringify(tail) : hedgeTailRow(tail));
}

/** Long enough for what is warm to be over and made anew. */
const WARM_UP_SECONDS = 9;

async function runWarmUp(isJson: boolean): Promise<void> {
  const progress = (line: string) => void process.stderr.write(`${line}\n`);
  for (const row of await warmUpLoad(WARM_UP_SECONDS, progress))
    process.stdout.write(`${isJson ? JSON.stringify(row) : warmUpRow(row)}\n`);
}

const percent = (ratio: number) => (100 * ratio).toFixed(2).padStart(6);

function hitRatioRow({ trace, part, maxBytes, policy, node, reference }: HitRatios): string {
  const size = `${(maxBytes / 2 ** 20).toFixed(1)} MiB`.padStart(10);
  const share = `${(100 * part).toFixed(0)} %`.padStart(5);
  return `${trace.padEnd(13)} ${size} ${share}  ${policy.padEnd(10)} ${percent(node)} ${percent(reference)}`;
}

async function runTraces(isJson: boolean): Promise<void> {
  if (!isJson) process.stdout.write('trace         cache size  part  policy       node    ref  (% hits)\n');
  for await (const result of traceHitRatios())
    process.stdout.write(`${isJson ? JSON.stringify(result) : hitRatioRow(result)}\n`);
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      alternations: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '2' },
      'value-bytes': { type: 'string', default: '3' },
      connections: { type: 'string', default: '10000' },
      entries: { type: 'string', default: '5000000' },
      budgets: { type: 'string', default: '512,1024' },
      'small-entries': { type: 'string', default: '0' },
      'stopped-seconds': { type: 'string', default: '6' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const chosen = positionals.length > 0 ? positionals : Object.keys(suites);
  const unknown = chosen.find((name) => !(name in suites) && !unlisted.includes(name));
  const entries = Number(values.entries);
  const budgetsMiB = values.budgets.split(',').filter(Boolean).map(Number);
  const connections = Number(values.connections);
  const smallEntries = Number(values['small-entries']);
  const stoppedSeconds = Number(values['stopped-seconds']);
  const alternations = Number(values.alternations);
  const seconds = Number(values.seconds);
  const valueBytes = Number(values['value-bytes']);
  if (
    values.help ||
    unknown ||
    !(alternations >= 1) ||
    !(seconds > 0) ||
    !(valueBytes >= 1) ||
    !(connections >= 100) ||
    !(entries >= 1) ||
    !budgetsMiB.every((budget) => budget >= 1) ||
    !(smallEntries >= 0) ||
    !(stoppedSeconds > 0)
  ) {
    process.stderr.write(usage);
    return values.help ? 0 : 2;
  }
  if (chosen.includes('traces')) await runTraces(values.json);
  if (chosen.includes('stampede')) await runStampede(alternations, values.json);
  if (chosen.includes('balance')) await runBalance(seconds, values.json);
  if (chosen.includes('overload')) await runOverload(stoppedSeconds, values.json);
  if (chosen.includes('warm-up')) await runWarmUp(values.json);
  if (chosen.includes('shadow')) await runShadow(alternations, seconds, values.json);
  if (
    chosen.every((name) => ['traces', 'stampede', 'balance', 'overload', 'shadow', 'warm-up'].includes(name))
  )
    return 0;
  if (!isInstalled('redis-benchmark') || !isInstalled('redis-server')) {
    process.stderr.write(
      'redis-server and redis-benchmark are needed: apt-get install redis-server redis-tools\n',
    );
    return 1;
  }
  if (chosen.includes('hedge')) await runHedge({ alternations, seconds, valueBytes }, values.json);
  if (chosen.includes('latency')) await runLatency({ alternations, valueBytes }, values.json);
  if (chosen.includes('idle')) await runIdle(connections, values.json);
  if (chosen.includes('large')) await runLarge({ alternations, seconds }, values.json);
  if (chosen.includes('memory')) await runMemory({ entries, budgetsMiB, smallEntries }, values.json);
  if (chosen.includes('persistence'))
    await runPersistence(entries, { alternations, seconds, valueBytes }, values.json);
  if (chosen.includes('loading')) await runLoading({ entries, alternations }, values.json);
  const others = chosen.filter((name) => name in suites) as (keyof typeof suites)[];
  if (others.length === 0) return 0;
  const progress = (line: string) => void process.stderr.write(`${line}\n`);
  if (!values.json) {
    process.stdout.write(
      `commands/s by redis-benchmark (memcached: by this program), 50 connections, ${valueBytes} B values;\nmedians of ${alternations} turns of ${seconds} s, spread; CPU of the measured process (ours : peer)\n\n`,
    );
    process.stdout.write(
      'ours / peer            cmd depth    ours         peer        ratio  cpu us/command\n',
    );
  }
  for (const name of others) {
    for (const comparison of await suites[name]({ alternations, seconds, valueBytes, progress })) {
      process.stdout.write(`${values.json ? JSON.stringify(comparison) : row(comparison)}\n`);
    }
  }
  return 0;
}

process.exitCode = await main();
