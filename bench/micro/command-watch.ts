import { bench, run, summary } from 'mitata';
import { seededRandom, systemClock } from '../../lib/base/index.ts';
import { argsOf } from '../../lib/codec/resp/index.ts';
import { commandTable } from '../../lib/commands/index.ts';
import { Durations, LatencyMonitor, SlowLog } from '../../lib/metrics/index.ts';
import { CommandWatch } from '../../node/operations/command-watch.ts';
import { HotKeys } from '../../node/operations/hot-keys.ts';
import { Client } from '../../node/server/client.ts';
import { Settings } from '../../node/settings.ts';

/* What it costs to take note of a command: sharing one reading of the clock, and with one (or two) for each. */

const COMMANDS = 16;

const settings = new Settings({
  maxMemoryBytes: 0,
  maxMemoryPolicy: 'noeviction',
  requirePass: '',
  idleTimeoutMs: 0,
  maxClients: 1,
  maxBulkBytes: 1,
  fixed: new Map(),
});
const watch = new CommandWatch({
  clock: systemClock,
  settings,
  slowLog: new SlowLog(),
  latency: new LatencyMonitor(),
  hotKeys: new HotKeys(seededRandom(1)),
});
const client = new Client({ id: 1, address: '', localAddress: '', nowMs: 0, authenticated: true });
const get = argsOf('GET', 'key:1234');
const set = argsOf('SET', 'key:1234', 'x'.repeat(100));
const getSpec = commandTable.get('GET')!;
const setSpec = commandTable.get('SET')!;

function turn(isMixed: boolean): void {
  watch.beginTurn(systemClock.monotonicMs());
  for (let i = 0; i < COMMANDS; i++) {
    const isSet = isMixed && (i & 1) === 1;
    const [spec, args] = isSet ? [setSpec, set] : [getSpec, get];
    watch.ended(spec, client, args, watch.begins(spec, args), 10, false);
  }
  watch.endTurn();
}

const durations = new Durations();
const calls = new Float64Array(1);

summary(() => {
  bench('16 GET in a turn', () => turn(false)).baseline(true);
  bench('16 GET and SET by turns', () => turn(true));
  bench('16 GET, each measured by itself', () => {
    settings.slowlogSlowerThanUs = 900;
    turn(false);
    settings.slowlogSlowerThanUs = 10_000;
  });
  bench('16 readings of the clock and entries of a histogram', () => {
    let lastMs = systemClock.monotonicMs();
    for (let i = 0; i < COMMANDS; i++) {
      const nowMs = systemClock.monotonicMs();
      durations.record((nowMs - lastMs) * 1e6, 1);
      calls[0]++;
      lastMs = nowMs;
    }
  });
});

await run();
