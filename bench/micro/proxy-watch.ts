import { bench, run, summary } from 'mitata';
import { seededRandom, systemClock } from '../../lib/base/index.ts';
import { argsOf } from '../../lib/codec/resp/index.ts';
import { commandTable } from '../../lib/commands/index.ts';
import { DurationCounts, Durations } from '../../lib/metrics/index.ts';
import { acquireRequest } from '../../proxy/core/request.ts';
import { ProxyWatch } from '../../proxy/watch/proxy-watch.ts';
import { RespWatch } from '../../proxy/watch/resp-watch.ts';
import { ProxySettings } from '../../proxy/watch/settings.ts';
import { SharedIds } from '../../proxy/workers/shared-ids.ts';

/* What it costs to take note of a command in the proxy, next to one entry in a histogram of hdr-histogram-js. Each line is 16 commands. */

const COMMANDS = 16;

const get = commandTable.get('GET')!;
const args = argsOf('GET', 'key');
const client = { address: '127.0.0.1:1', name: '', userName: 'default' };
const watch = new ProxyWatch({
  clock: systemClock,
  settings: new ProxySettings(),
  ids: new SharedIds(),
  slowness: { thresholdMs: 0 },
  accessLog: null,
});
const commands = new RespWatch(watch);
const request = acquireRequest();
request.bytes = Buffer.from('+OK\r\n');
request.commandId = get.id;
const random = seededRandom(1);
const times = Float64Array.from({ length: COMMANDS }, () => random.next() * 2);
const counts = new DurationCounts();
const durations = new Durations();
let turn = 0;

/** Commands that leave in one turn: of one pipeline, or each of a client of its own. */
function leave(isPipeline: boolean): void {
  const nowMs = ++turn;
  for (let i = 0; i < COMMANDS; i++) {
    if (--watch.quiet < 0) commands.looksAt(get, args, client, 30);
    request.startedMs = isPipeline ? nowMs - 0.1 : nowMs - times[i];
    commands.ended(request, nowMs);
  }
}

summary(() => {
  bench('a pipeline of 16', () => leave(true)).baseline(true);
  bench('16 clients, one command each', () => leave(false));
  bench('16 x DurationCounts.record', () => {
    for (const ms of times) counts.record(ms, 1);
  });
  bench('16 x Durations.record (hdr-histogram-js)', () => {
    for (const ms of times) durations.record(ms * 1e6, 1);
  });
});

await run();
