import type { WarmUpEnd } from './written-keys.ts';

/** How far back the share looks. */
const WINDOW_MS = 10_000;
/** How far back its fall is measured. */
const HISTORY_MS = 60_000;

/** When a warm-up is over. */
export interface WarmUpGoal {
  readonly share: number;
  readonly forMs: number;
  readonly atLatestMs: number | null;
}

/** What all threads have counted since the beginning. */
export interface WarmUpSums {
  /** Values that the new cluster had. */
  readonly hits: number;
  /** Values that came from the old one. */
  readonly warmed: number;
}

interface Sample extends WarmUpSums {
  readonly atMs: number;
}

/** How far a warm-up is. */
export interface WarmUpView {
  /** Part of the values found in the last 10 s that came from the old cluster; null: none was found. */
  readonly share: number | null;
  /** Milliseconds until it is over, if the share goes on falling as it did in the last minute; null: it does not fall, or nobody knows yet. */
  readonly etaMs: number | null;
}

/**
 * Tells how far a warm-up is, and when it is over, by the part of the values that still comes from the old cluster. That part falls about exponentially while
 * the same keys are asked for, so its logarithm tells when it will have reached the goal. Pure: `nowMs` is monotonic.
 */
export class WarmProgress {
  readonly #goal: WarmUpGoal;
  readonly #startedMs: number;
  readonly #samples: Sample[] = [];
  /** Since when the share has been small enough; null: it is not. */
  #reachedMs: number | null = null;

  constructor(goal: WarmUpGoal, startedMs: number) {
    this.#goal = goal;
    this.#startedMs = startedMs;
  }

  /** To be called about once a second. Returns why it is over now; null: it goes on. */
  note({ hits, warmed }: WarmUpSums, nowMs: number): WarmUpEnd | null {
    const samples = this.#samples;
    samples.push({ hits, warmed, atMs: nowMs });
    while (samples.length > 2 && samples[1].atMs <= nowMs - HISTORY_MS - WINDOW_MS) samples.shift();
    const share = this.#shareAt(samples.length - 1);
    const { forMs, atLatestMs } = this.#goal;
    if (share === null || share > this.#goal.share) this.#reachedMs = null;
    else this.#reachedMs ??= nowMs;
    if (this.#reachedMs !== null && nowMs - this.#reachedMs >= forMs) return 'share';
    return atLatestMs !== null && nowMs - this.#startedMs >= atLatestMs ? 'time' : null;
  }

  /** As of the last `note`. */
  view(nowMs: number): WarmUpView {
    const share = this.#shareAt(this.#samples.length - 1);
    const toTimeMs = this.#goal.atLatestMs === null ? null : this.#startedMs + this.#goal.atLatestMs - nowMs;
    const etaMs = share === null ? null : this.#etaMs(share, nowMs);
    if (toTimeMs === null) return { share, etaMs };
    return { share, etaMs: Math.max(0, etaMs === null ? toTimeMs : Math.min(etaMs, toTimeMs)) };
  }

  #etaMs(share: number, nowMs: number): number | null {
    const { share: goal, forMs } = this.#goal;
    if (this.#reachedMs !== null) return Math.max(0, this.#reachedMs + forMs - nowMs);
    if (goal === 0) return null;
    const last = this.#samples.length - 1;
    for (let i = 1; i < last; i++) {
      const before = this.#shareAt(i);
      const elapsedMs = this.#samples[last].atMs - this.#samples[i].atMs;
      if (before === null || before <= share || elapsedMs <= 0) continue;
      const fallPerMs = Math.log(before / share) / elapsedMs;
      return Math.ceil(Math.log(share / goal) / fallPerMs) + forMs;
    }
    return null;
  }

  /** The share of the window that ends with this sample. */
  #shareAt(last: number): number | null {
    if (last < 1) return null;
    const samples = this.#samples;
    let first = last - 1;
    while (first > 0 && samples[first].atMs > samples[last].atMs - WINDOW_MS) first--;
    const warmed = samples[last].warmed - samples[first].warmed;
    const found = warmed + samples[last].hits - samples[first].hits;
    return found <= 0 ? null : warmed / found;
  }
}
