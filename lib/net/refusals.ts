import type { Clock, Logger } from '../base/index.ts';
import type { Refusal } from './peer.ts';

const LINES_PER_SECOND = 20;
const SECOND_MS = 1000;

/** Logs the connections that a listener refused: each of them, but at most 20 lines a second in a flood. */
export class RefusalLog {
  readonly #listener: string;
  readonly #log: Logger;
  readonly #clock: Clock;
  #secondEndsMs = 0;
  #inSecond = 0;

  constructor(listener: string, log: Logger, clock: Clock) {
    this.#listener = listener;
    this.#log = log;
    this.#clock = clock;
  }

  /** Says who was refused, and why. `peer` is its address. */
  record(peer: string, { reason, names, fingerprint, detail }: Refusal): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs >= this.#secondEndsMs) this.#beginSecond(nowMs);
    if (++this.#inSecond > LINES_PER_SECOND) return;
    const fields = { listener: this.#listener, peer, reason, names, fingerprint, detail };
    this.#log.warn(fields, `connection refused: ${reason}`);
  }

  #beginSecond(nowMs: number): void {
    const refusals = this.#inSecond - LINES_PER_SECOND;
    if (refusals > 0) {
      this.#log.warn({ listener: this.#listener, refusals }, `${refusals} more connections were refused`);
    }
    this.#inSecond = 0;
    this.#secondEndsMs = nowMs + SECOND_MS;
  }
}
