import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import { type Clock, RingsideError } from '../../lib/base/index.ts';
import type { Lane } from './lane.ts';
import type { Source } from './operation.ts';
import { Payload } from './payload.ts';
import { Recorder, type Result } from './recorder.ts';
import { type RunLimits, Session } from './session.ts';
import type { LaneFactory } from './target.ts';

/** How a target is put under load. */
export interface RunOptions extends RunLimits {
  readonly connections: number;
  /** Commands in flight on each connection. */
  readonly pipeline: number;
  readonly clock: Clock;
  /** Called once a second, and with `isLast` at the end. */
  readonly onProgress?: (recorder: Recorder, elapsedMs: number, isLast: boolean) => void;
  /** Commands ask for many keys each. */
  readonly countsKeys?: boolean;
}

// What is in flight when the time is up is waited for, for so long.
const STRAGGLER_MS = 5000;
const LOST_MS = 5000;
const TICK_MS = 20;
const PROGRESS_MS = 1000;

/**
 * Runs the commands of `source` against a target and settles with what it came to. Rejects with RingsideError `unavailable`
 * when no connection can be opened, or all are lost for 5 s.
 */
export async function runLoad(makeLane: LaneFactory, source: Source, options: RunOptions): Promise<Result> {
  const recorder = new Recorder();
  const payload = new Payload();
  const session = new Session(source, recorder, options, options.clock);
  const lanes = Array.from({ length: options.connections }, () =>
    makeLane(session, options.pipeline, payload),
  );
  try {
    await Promise.all(lanes.map((lane) => lane.open()));
    session.begin();
    await pump(session, lanes, recorder, options);
    const elapsedMs = session.elapsedMs;
    for (const lane of lanes) lane.close();
    const unanswered = lanes.reduce((sum, lane) => sum + lane.pending, 0);
    for (let i = 0; i < unanswered; i++)
      recorder.failed(`no answer within ${STRAGGLER_MS / 1000} s of the end`);
    options.onProgress?.(recorder, elapsedMs, true);
    return recorder.result(elapsedMs / 1000, options.countsKeys ?? false);
  } finally {
    for (const lane of lanes) lane.close();
    recorder.dispose();
  }
}

/** Starts the lanes, and with a rate drives them; returns when everything that was sent is answered. */
async function pump(
  session: Session,
  lanes: readonly Lane[],
  recorder: Recorder,
  options: RunOptions,
): Promise<void> {
  const { clock, onProgress } = options;
  const fill = () => {
    for (const lane of lanes) lane.fill();
  };
  let progressMs = PROGRESS_MS;
  let lostSinceMs = 0;
  let endedMs = 0;
  session.onUnblocked = fill;
  fill();
  for (;;) {
    if (session.isOver) {
      if (!lanes.some((lane) => lane.pending > 0)) return;
      endedMs ||= clock.monotonicMs();
      if (clock.monotonicMs() - endedMs > STRAGGLER_MS) return;
    }
    await rest(session);
    session.tick();
    if (options.rate > 0) fill();
    if (session.elapsedMs >= progressMs) {
      progressMs += PROGRESS_MS;
      onProgress?.(recorder, session.elapsedMs, false);
    }
    if (lanes.some((lane) => lane.isOpen)) lostSinceMs = 0;
    else lostSinceMs ||= session.nowMs;
    if (lostSinceMs > 0 && session.nowMs - lostSinceMs > LOST_MS) {
      throw new RingsideError(
        'unavailable',
        `the target is gone: all connections are lost for ${LOST_MS / 1000} s`,
      );
    }
  }
}

/**
 * Lets answers come in. Timers are good to a millisecond only: when the next command is due sooner, the turn of the event loop
 * is the clock, at the price of a busy core.
 */
async function rest(session: Session): Promise<void> {
  if (session.isOver) await delay(1);
  else if (session.hasRate && session.idleMs < 2) await nextTurn();
  else await delay(session.hasRate ? Math.min(session.idleMs - 1, TICK_MS) : TICK_MS);
}
