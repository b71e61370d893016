import type { Clock, Logger } from '../../lib/base/index.ts';
import type { WarmUpConfig } from '../../lib/config/index.ts';
import { sumOfWarmCounts, type WarmCounts } from './warm-figures.ts';
import { WarmProgress } from './warm-progress.ts';
import type { WarmUpEnd, WrittenKeys } from './written-keys.ts';

const LOOK_MS = 1000;

/** A warm-up, as the admin listener shows it. */
export interface WarmUpStatus {
  readonly state: 'warming' | 'over';
  /** Why it is over; null: it is not. */
  readonly end: WarmUpEnd | null;
  /** Leaders of the old cluster. */
  readonly from: readonly (string | null)[];
  readonly elapsedSeconds: number;
  /** Part of the values found in the last 10 s that came from the old cluster; null: none was found. */
  readonly share: number | null;
  /** It is over when the share has been no larger than this for some time. */
  readonly goalShare: number;
  /** Null: nobody knows. */
  readonly etaSeconds: number | null;
  readonly counts: WarmCounts;
}

/** What a keeper needs. */
export interface WarmUpKeeperParts {
  readonly settings: WarmUpConfig;
  readonly written: WrittenKeys;
  readonly clock: Clock;
  readonly log: Logger;
  /** What each thread has counted. */
  readonly ask: () => Promise<readonly WarmCounts[]>;
}

/** Looks after the warm-up of all threads, in the main one: how far it is, and when it is over. */
export class WarmUpKeeper {
  readonly #parts: WarmUpKeeperParts;
  readonly #startedMs: number;
  readonly #progress: WarmProgress;
  readonly #timer: NodeJS.Timeout;
  #endedMs: number | null = null;

  constructor(parts: WarmUpKeeperParts) {
    const { settings, clock, log } = parts;
    this.#parts = parts;
    this.#startedMs = clock.monotonicMs();
    this.#progress = new WarmProgress(settings.until, this.#startedMs);
    this.#timer = setInterval(() => void this.look(), LOOK_MS).unref();
    log.info({ from: this.#from }, 'the warm-up begins');
  }

  /** Judges by what has been counted by now. */
  async look(): Promise<void> {
    const { written, clock, ask } = this.#parts;
    const counts = sumOfWarmCounts(await ask());
    const end = this.#progress.note(counts, clock.monotonicMs());
    if (end !== null) written.finish(end);
    if (written.end !== null) this.#over(counts);
  }

  async status(): Promise<WarmUpStatus> {
    const { written, clock, settings, ask } = this.#parts;
    const counts = sumOfWarmCounts(await ask());
    const nowMs = clock.monotonicMs();
    const { share, etaMs } = this.#progress.view(nowMs);
    const { end } = written;
    return {
      state: end === null ? 'warming' : 'over',
      end,
      from: this.#from,
      elapsedSeconds: Math.round(((this.#endedMs ?? nowMs) - this.#startedMs) / 1000),
      share,
      goalShare: settings.until.share,
      etaSeconds: end === null && etaMs !== null ? Math.ceil(etaMs / 1000) : null,
      counts,
    };
  }

  /** Ends the warm-up now. */
  async stop(): Promise<WarmUpStatus> {
    this.#parts.written.finish('stopped');
    await this.look();
    return this.status();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  get #from(): (string | null)[] {
    return this.#parts.settings.from.map(({ leader }) => leader);
  }

  #over(counts: WarmCounts): void {
    if (this.#endedMs !== null) return;
    clearInterval(this.#timer);
    this.#endedMs = this.#parts.clock.monotonicMs();
    const { log, written } = this.#parts;
    const { added, addedBytes, failures } = counts;
    const elapsedMs = Math.round(this.#endedMs - this.#startedMs);
    log.info({ end: written.end, elapsedMs, added, addedBytes, failures }, 'the warm-up is over');
  }
}
