import type { ServerFacts } from './server-facts.ts';

/** As many moments of the source are remembered: at four a second, a quarter of an hour. */
const MAX_MOMENTS = 4096;
/** Over how long a rate is taken. */
const RATE_MS = 5000;

/** How far a target is. */
export interface Progress {
  readonly phase: 'waiting' | 'snapshot' | 'stream';
  readonly keys: number;
  readonly sourceKeys: number;
  /** Of the snapshot; 0 before. */
  readonly snapshotBytes: number;
  /** 0: the source does not say. */
  readonly snapshotTotalBytes: number;
  /** Bytes of the stream that the target has not applied yet; null before it follows it. */
  readonly lagBytes: number | null;
  /** Age of what the target has: since when the source has been ahead of it. */
  readonly lagSeconds: number | null;
  /** Until it would be level if the source took no more writes, at the rate at which it applies them; null while nobody can tell. */
  readonly drainSeconds: number | null;
  /** Until the target is level, as things go; null while nobody can tell. */
  readonly etaSeconds: number | null;
}

interface Moment {
  readonly atMs: number;
  readonly offset: number;
}

/** Makes progress out of what two servers say, moment by moment. Pure: the time is an argument, in monotonic milliseconds. */
export class ProgressMeter {
  #moments: Moment[] = [];
  readonly #lags: { atMs: number; bytes: number; applied: number }[] = [];
  #beganMs = -1;
  #bytes = { read: 0, total: 0 };

  take(nowMs: number, source: ServerFacts, target: ServerFacts): Progress {
    if (target.syncBytes !== null) this.#bytes = target.syncBytes;
    const common = {
      keys: target.keys,
      sourceKeys: source.keys,
      snapshotBytes: this.#bytes.read,
      snapshotTotalBytes: this.#bytes.total,
    };
    if (target.isLinked) {
      this.#beganMs = -1;
      return { phase: 'stream', ...common, ...this.#lag(nowMs, source.offset, target.offset) };
    }
    const isLoading = target.syncBytes !== null || target.isLoading;
    const phase = isLoading ? 'snapshot' : 'waiting';
    const etaSeconds = isLoading ? this.#snapshotEta(nowMs, common) : null;
    return { phase, ...common, lagBytes: null, lagSeconds: null, drainSeconds: null, etaSeconds };
  }

  #lag(nowMs: number, source: number, target: number) {
    this.#moments.push({ atMs: nowMs, offset: source });
    if (this.#moments.length > MAX_MOMENTS) this.#moments.shift();
    // The oldest moment that the target has not reached yet is as old as what it has.
    const behind = this.#moments.findIndex(({ offset }) => offset > target);
    const since = behind < 0 ? nowMs : this.#moments[behind].atMs;
    this.#moments = behind < 0 ? [] : this.#moments.slice(behind);
    const bytes = Math.max(0, source - target);
    const { etaSeconds, drainSeconds } = this.#estimate(nowMs, bytes, target);
    return { lagBytes: bytes, lagSeconds: (nowMs - since) / 1000, drainSeconds, etaSeconds };
  }

  #estimate(nowMs: number, bytes: number, applied: number) {
    this.#lags.push({ atMs: nowMs, bytes, applied });
    while (this.#lags[0].atMs < nowMs - RATE_MS) this.#lags.shift();
    const [first] = this.#lags;
    const tookMs = Math.max(1, nowMs - first.atMs);
    const secondsAt = (rate: number) => (bytes === 0 ? 0 : rate > 0 ? bytes / rate / 1000 : null);
    return {
      etaSeconds: secondsAt((first.bytes - bytes) / tookMs),
      drainSeconds: secondsAt((applied - first.applied) / tookMs),
    };
  }

  #snapshotEta(
    nowMs: number,
    {
      keys,
      sourceKeys,
      snapshotBytes,
      snapshotTotalBytes,
    }: Pick<Progress, 'keys' | 'sourceKeys' | 'snapshotBytes' | 'snapshotTotalBytes'>,
  ): number | null {
    if (this.#beganMs < 0) this.#beganMs = nowMs;
    const share =
      snapshotTotalBytes > 0 ? snapshotBytes / snapshotTotalBytes : keys / Math.max(1, sourceKeys);
    const tookMs = nowMs - this.#beganMs;
    if (share <= 0 || tookMs <= 0) return null;
    return Math.max(0, (tookMs * (1 - share)) / share / 1000);
  }
}
