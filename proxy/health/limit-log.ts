import type { Logger } from '../../lib/base/index.ts';

/** Each setting is logged once in so many milliseconds at most. */
const QUIET_MS = 10_000;

interface Reached {
  /** Since the start. */
  count: number;
  /** Since the last line. */
  silent: number;
  loggedMs: number;
}

/** How often each limit was reached, and a line of log that names the setting, but not one for each time. */
export class LimitLog {
  readonly #log: Logger;
  readonly #reached = new Map<string, Reached>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** The limit of this setting (its path) refused something. `more` is put into the line: whom or what it was about. */
  reached(setting: string, nowMs: number, more: Readonly<Record<string, unknown>> = {}): void {
    let entry = this.#reached.get(setting);
    if (entry === undefined) {
      entry = { count: 0, silent: 0, loggedMs: Number.NEGATIVE_INFINITY };
      this.#reached.set(setting, entry);
    }
    entry.count++;
    if (nowMs - entry.loggedMs < QUIET_MS) {
      entry.silent++;
      return;
    }
    const sinceLastLine = entry.silent;
    entry.silent = 0;
    entry.loggedMs = nowMs;
    this.#log.warn({ setting, sinceLastLine, ...more }, 'a limit is reached');
  }

  /** How often, by setting. */
  counts(): { readonly setting: string; readonly count: number }[] {
    return Array.from(this.#reached, ([setting, { count }]) => ({ setting, count }));
  }

  /** Counts begin again at 0. */
  reset(): void {
    for (const entry of this.#reached.values()) entry.count = 0;
  }
}
