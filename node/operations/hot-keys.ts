import type { Random } from '../../lib/base/index.ts';
import type { Args } from '../../lib/codec/resp/index.ts';
import type { CommandSpec } from '../../lib/commands/index.ts';
import { type HeavyHitter, HeavyHitters } from '../../lib/store/index.ts';

/** Keys that are told apart; a key with more than 1/256 of the traffic is among them. */
const TRACKED_KEYS = 256;
/** One of so many commands is looked at, on average. */
const SAMPLE_INTERVAL = 64;
/** Longer keys are not looked at, which bounds the memory. */
const MAX_KEY_BYTES = 1024;
/** Counts are halved every so many seconds: what was hot and is not any more goes. */
const HALF_LIFE_S = 60;
const FADE_FACTOR = 0.5 ** (1 / HALF_LIFE_S);
/** Below half of one sampled command a key is forgotten. */
const LEAST_COUNT = SAMPLE_INTERVAL / 2;

/** Finds the keys that get most commands of late, by looking at a sample of them. */
export class HotKeys {
  readonly #hitters = new HeavyHitters(TRACKED_KEYS);
  readonly #random: Random;
  #untilSample: number;

  constructor(random: Random) {
    this.#random = random;
    this.#untilSample = this.#nextInterval();
  }

  /** Drawn at random, so that a pipeline with a rhythm of its own does not hide keys. */
  #nextInterval(): number {
    return 1 + this.#random.int(2 * SAMPLE_INTERVAL - 1);
  }

  /** A command has run. Only its first key counts. */
  saw(spec: CommandSpec, args: Args): void {
    if (--this.#untilSample > 0) return;
    this.#untilSample = this.#nextInterval();
    const { firstKey } = spec;
    if (firstKey === 0 || firstKey >= args.count || args.length(firstKey) > MAX_KEY_BYTES) return;
    this.#hitters.add(args.latin1(firstKey), SAMPLE_INTERVAL);
  }

  /** To be called once a second. */
  fade(): void {
    this.#hitters.fade(FADE_FACTOR, LEAST_COUNT);
  }

  /**
   * The hottest keys, one character a byte, with an estimate of their commands in about the last minute and a half (each command counts
   * half after a minute).
   */
  top(count: number): HeavyHitter[] {
    return this.#hitters.top(count);
  }

  clear(): void {
    this.#hitters.clear();
  }
}
