import type { Test } from 'tap';
import { type Clock, systemClock } from '../../lib/base/index.ts';

/** Timeouts of a proxy whose nodes must not be taken for slow on a busy machine. A failing test alone waits that long. */
export const patience = { operationTimeoutMs: 20_000, readTimeoutMs: 15_000, connectTimeoutMs: 5000 };

/** The same as flags of `ringside proxy`. */
export const patientArgs = Object.entries(patience).flatMap(([name, ms]) => ['--set', `proxy.${name}=${ms}`]);

const BEAT_MS = 5;
const MOST_MS = 20;

/**
 * The clock of this host without the pauses of this process: while the machine does other things, the time of a proxy in the process of the
 * test stands still, as that of its fake nodes does. Until the test ends.
 */
export function wakingClock(t: Test): Clock {
  let [nowMs, lastMs] = [0, systemClock.monotonicMs()];
  const monotonicMs = () => {
    const realMs = systemClock.monotonicMs();
    nowMs += Math.min(realMs - lastMs, MOST_MS);
    lastMs = realMs;
    return nowMs;
  };
  const beat = setInterval(monotonicMs, BEAT_MS).unref();
  t.teardown(() => clearInterval(beat));
  return { monotonicMs, wallMs: systemClock.wallMs };
}
