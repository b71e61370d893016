/**
 * Loaded into a node by `--import`: at SIGUSR2 it writes into the file `RINGSIDE_LOOP_DELAY` how late its event loop was since the signal
 * before, in milliseconds, and begins anew. The millisecond between two samples is in the figures.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const NS_PER_MS = 1e6;
const path = process.env.RINGSIDE_LOOP_DELAY!;
const delays = monitorEventLoopDelay({ resolution: 1 });
delays.enable();

process.on('SIGUSR2', () => {
  const at = (percentile: number) => Number((delays.percentile(percentile) / NS_PER_MS).toFixed(2));
  const max = Number((delays.max / NS_PER_MS).toFixed(2));
  writeFileSync(`${path}.new`, JSON.stringify({ p50: at(50), p99: at(99), p999: at(99.9), max }));
  renameSync(`${path}.new`, path);
  delays.reset();
});
