import { type RetryStormRow, retryStorm } from './retry-storm.ts';
import { type StoppedShardRow, stoppedShard } from './stopped-shard.ts';
import { type WideReadRow, wideReads } from './wide-reads.ts';

const SLOW_SECONDS = 8;
const VALUE_BYTES = [100, 4096, 65_536];
const ROUNDS = 60;

/**
 * Writes how proxies stand a stopped shard for so many seconds each, a fleet that is slow for a while, and replies of eight shards at once: about two
 * minutes with 6.
 */
export async function runOverload(stoppedSeconds: number, isJson: boolean): Promise<void> {
  const write = (row: object, text: string) =>
    process.stdout.write(`${isJson ? JSON.stringify(row) : text}\n`);
  const progress = (line: string) => void process.stderr.write(`${line}\n`);
  for (const row of await stoppedShard(stoppedSeconds, progress)) write(row, stoppedText(row));
  const storm = await retryStorm(SLOW_SECONDS);
  write(storm, stormText(storm));
  for (const row of await wideReads(VALUE_BYTES, ROUNDS)) write(row, wideText(row));
}

function stoppedText({ server, running, ofRunning, refused, gaveUp, ...row }: StoppedShardRow): string {
  const others = `other shards ${(100 * ofRunning).toFixed(0)} % (${running.toFixed(0)}/s without)`;
  const own = `its readers: ${refused} refused, ${gaveUp} gave up, p50 ${row.p50Ms.toFixed(1)} p99 ${row.p99Ms.toFixed(0)} ms`;
  const cost = `+${row.grewMb.toFixed(1)} MB, back after ${row.recoveryMs.toFixed(0)} ms`;
  return `one shard of four stopped  ${server.padEnd(15)} ${others}; ${own}; ${cost}`;
}

function stormText({
  goodput,
  slowFrom,
  slowTo,
  retryRatio,
  breakerOpened,
  recoveryMs,
}: RetryStormRow): string {
  const bars = goodput.map((part) => '▁▂▃▄▅▆▇█'[Math.min(7, Math.floor(part * 7.99))]).join('');
  const curve = `${bars.slice(0, slowFrom)}|${bars.slice(slowFrom, slowTo)}|${bars.slice(slowTo)}`;
  const figures = `retries ${(100 * retryRatio).toFixed(1)} %, breakers opened ${breakerOpened} times`;
  return `all nodes 10 x slower  goodput ${curve} (a quarter of a second each)\n  ${figures}, recovered ${recoveryMs ?? 'not'} ms after its end`;
}

function wideText({ valueBytes, clients, p50Ms, p99Ms, slowestP99Ms, errors }: WideReadRow): string {
  const ratio = (p99Ms / slowestP99Ms).toFixed(2);
  return `MGET of 1000 x ${valueBytes} bytes, 8 shards, ${clients} clients  p50 ${p50Ms} p99 ${p99Ms} ms, ${ratio} x the slowest shard alone (${slowestP99Ms}), ${errors} errors`;
}
