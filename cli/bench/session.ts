import type { Clock } from '../../lib/base/index.ts';
import { LATER, type Operation, type Source } from './operation.ts';
import type { Recorder } from './recorder.ts';

/** Bounds of a run; whichever is reached first ends it. */
export interface RunLimits {
  readonly seconds: number;
  /** Commands taken from the source; those that follow from an answer are not counted. */
  readonly ops: number;
  /** Commands per second that fall due, or 0: as fast as the answers come. */
  readonly rate: number;
}

/**
 * What the lanes of one run share: hands out commands while the run lasts and takes their outcomes. With a rate, commands fall
 * due at fixed times, and a late answer counts from the time its command was due: a target that stalls cannot hide it by
 * slowing the generator down ("coordinated omission").
 */
export class Session {
  /** The monotonic clock as of this turn; lanes set it when bytes arrive, so that it is read once and not per command. */
  nowMs: number;
  readonly #source: Source;
  readonly #recorder: Recorder;
  readonly #limits: RunLimits;
  #startMs = 0;
  #endMs = 0;
  #issued = 0;
  #isBlocked = false;
  #exhausted = false;

  constructor(source: Source, recorder: Recorder, limits: RunLimits, clock: Clock) {
    this.#source = source;
    this.#recorder = recorder;
    this.#limits = limits;
    this.clock = clock;
    this.nowMs = clock.monotonicMs();
  }

  readonly clock: Clock;

  /** Called when commands can be had again after there were none for a while. */
  onUnblocked: () => void = () => {};

  /** From now on the time runs: the connections are open. */
  begin(): void {
    this.tick();
    this.#startMs = this.nowMs;
    this.#endMs = this.nowMs + this.#limits.seconds * 1000;
  }

  get hasRate(): boolean {
    return this.#limits.rate > 0;
  }

  /** Whether no command will be handed out any more. */
  get isOver(): boolean {
    return this.#exhausted || this.nowMs >= this.#endMs || this.#issued >= this.#limits.ops;
  }

  /** Milliseconds since the start. */
  get elapsedMs(): number {
    return this.nowMs - this.#startMs;
  }

  /** Milliseconds until the next command falls due; 0 without a rate. */
  get idleMs(): number {
    return !this.hasRate ? 0 : Math.max(this.#dueMs() - this.nowMs, 0);
  }

  /** Reads the clock. */
  tick(): void {
    this.nowMs = this.clock.monotonicMs();
  }

  /** The next command that is due, or null. */
  next(): Operation | null {
    if (this.isOver) return null;
    const dueMs = this.hasRate ? this.#dueMs() : this.nowMs;
    if (dueMs > this.nowMs) return null;
    const operation = this.#source.next();
    if (operation === LATER) {
      this.#isBlocked = true;
      return null;
    }
    if (!operation) {
      this.#exhausted = true;
      return null;
    }
    this.#issued++;
    operation.startMs = dueMs;
    return operation;
  }

  /** Takes an answer; gives back what has to be sent because of it. */
  answered(operation: Operation, keys: number, hits: number): Operation | null {
    this.#recorder.answered(this.nowMs - operation.startMs, keys, hits);
    const next = this.#source.followUp(operation, hits);
    if (next) next.startMs = this.nowMs;
    else this.#unblock();
    return next;
  }

  failed(operation: Operation, text: string): void {
    this.#recorder.failed(text);
    this.#source.failed(operation);
    this.#unblock();
  }

  /** Lanes that found nothing to send may find something now. */
  #unblock(): void {
    if (!this.#isBlocked) return;
    this.#isBlocked = false;
    queueMicrotask(this.onUnblocked);
  }

  #dueMs(): number {
    return this.#startMs + (this.#issued * 1000) / this.#limits.rate;
  }
}
