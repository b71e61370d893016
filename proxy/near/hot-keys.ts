import type { Random } from '../../lib/base/index.ts';
import { HeavyHitters } from '../../lib/store/index.ts';

/** Keys that are told apart: a key with more than 1/512 of the reads is among them. */
const TRACKED_KEYS = 512;
/** Longer keys are never hot, which bounds the memory. */
const MAX_KEY_BYTES = 1024;
/** Counts fade with this time constant: at a steady rate a count comes to rate x TIME_CONSTANT_S. */
const TIME_CONSTANT_S = 0.5;
const FADE_MS = 100;
/**
 * A key is hot from this part of the count that the threshold comes to, which a rate at the threshold reaches in 0.8 s, and cold again below the
 * other: one at a hundred times the threshold in 2.8 s.
 */
const HOT_PART = 0.8;
const COLD_PART = 0.4;
/** Samples that a key at the threshold gets in a second at least, and reads for each sample at most. */
const SAMPLES_PER_S = 64;
const MAX_INTERVAL = 16;

/** Finds the keys that are read more often than a threshold, by a sample of all reads, in bounded memory. */
export class HotKeys {
  readonly #hitters = new HeavyHitters(TRACKED_KEYS);
  readonly #hot = new Set<number>();
  readonly #hotCount: number;
  readonly #coldCount: number;
  readonly #interval: number;
  readonly #random: Random;
  readonly #hash: (key: string) => number;
  #untilSample: number;
  #fadedMs = 0;

  /** `hash`: of a key, one character a byte, as `isHot` is asked. */
  constructor(readsPerSecond: number, random: Random, hash: (key: string) => number) {
    this.#random = random;
    this.#hash = hash;
    this.#hotCount = readsPerSecond * TIME_CONSTANT_S * HOT_PART;
    this.#coldCount = readsPerSecond * TIME_CONSTANT_S * COLD_PART;
    this.#interval = Math.max(1, Math.min(MAX_INTERVAL, Math.floor(readsPerSecond / SAMPLES_PER_S)));
    this.#untilSample = this.#nextSample();
  }

  /** Keys that are hot now. */
  get size(): number {
    return this.#hot.size;
  }

  /** A read of the key `buffer[start, end)`. */
  saw(buffer: Buffer, start: number, end: number, nowMs: number): void {
    if (--this.#untilSample > 0) return;
    this.#untilSample = this.#nextSample();
    if (end - start > MAX_KEY_BYTES) return;
    this.tick(nowMs);
    const key = buffer.latin1Slice(start, end);
    this.#hitters.add(key, this.#interval);
    if (this.#hitters.countOf(key) >= this.#hotCount) this.#hot.add(this.#hash(key));
  }

  /** Whether the key of this hash is hot; another key of the same hash is taken for it. */
  isHot(hash: number): boolean {
    return this.#hot.has(hash);
  }

  /** Lets counts fade. To be called from time to time, so that keys get cold though nobody reads any. */
  tick(nowMs: number): void {
    const elapsedMs = nowMs - this.#fadedMs;
    if (elapsedMs < FADE_MS) return;
    this.#fadedMs = nowMs;
    this.#hitters.fade(Math.exp(-elapsedMs / 1000 / TIME_CONSTANT_S), this.#interval / 4);
    if (this.#hot.size > 0) this.#cool();
  }

  /** What is hot stays so until it is read much less. */
  #cool(): void {
    const warm = this.#hitters
      .top(TRACKED_KEYS)
      .filter(({ count, error }) => count - error >= this.#coldCount);
    const kept = warm.map(({ key }) => this.#hash(key)).filter((hash) => this.#hot.has(hash));
    this.#hot.clear();
    for (const hash of kept) this.#hot.add(hash);
  }

  /** Drawn at random, so that a pipeline with a rhythm of its own does not hide keys. */
  #nextSample(): number {
    return this.#interval === 1 ? 1 : 1 + this.#random.int(2 * this.#interval - 1);
  }
}
