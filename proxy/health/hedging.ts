const SLOTS = 48;
/** Slots per doubling of the time. */
const PER_DOUBLING = 4;
const FIRST_MS = 0.1;
/** Reads after which all counts are halved: what is remembered is about twice as many. */
const HALF_LIFE = 1000;
const MINIMUM_READS = 100;

/** When a second copy of a read may leave. */
export interface HedgingOptions {
  /** 0 to 1: the part of recent reads that were answered within the delay. */
  readonly quantile: number;
  /** Copies are at most this part of the reads. */
  readonly maxRatio: number;
}

/**
 * How long to wait for a read before a copy of it is sent elsewhere: a quantile of how long recent reads took, rounded up by at most 19 %.
 * Pure, O(1) per read, and forgets: older reads count half as much after each thousand.
 *
 * Source: J. Dean and L. A. Barroso, "The Tail at Scale", CACM 56 (2), 2013, "hedged requests".
 */
export class Hedging {
  readonly #options: HedgingOptions;
  readonly #counts = new Float64Array(SLOTS);
  #total = 0;
  #sinceHalved = 0;
  #reads = 0;
  #copies = 0;
  #delayMs = Number.POSITIVE_INFINITY;

  constructor(options: HedgingOptions) {
    this.#options = options;
  }

  /** Milliseconds; Infinity before enough reads are known. */
  get delayMs(): number {
    return this.#delayMs;
  }

  /** `count` reads were answered after `ms`. */
  answered(ms: number, count: number): void {
    this.#counts[slotOf(ms)] += count;
    this.#total += count;
    this.#reads += count;
    this.#sinceHalved += count;
    if (this.#sinceHalved < HALF_LIFE) {
      if (this.#delayMs === Number.POSITIVE_INFINITY && this.#total >= MINIMUM_READS) this.#estimate();
      return;
    }
    this.#estimate();
    this.#halve();
  }

  /** Whether one more copy may be sent; it is counted then. */
  take(): boolean {
    if (this.#copies + 1 > this.#options.maxRatio * this.#reads) return false;
    this.#copies++;
    return true;
  }

  #estimate(): void {
    let left = this.#options.quantile * this.#total;
    let slot = 0;
    while (slot < SLOTS - 1 && left > this.#counts[slot]) left -= this.#counts[slot++];
    this.#delayMs = FIRST_MS * 2 ** ((slot + 1) / PER_DOUBLING);
  }

  #halve(): void {
    for (let slot = 0; slot < SLOTS; slot++) this.#counts[slot] /= 2;
    this.#total /= 2;
    this.#reads /= 2;
    this.#copies /= 2;
    this.#sinceHalved = 0;
  }
}

function slotOf(ms: number): number {
  const slot = Math.floor(Math.log2(Math.max(ms, FIRST_MS) / FIRST_MS) * PER_DOUBLING);
  return Math.min(SLOTS - 1, slot);
}
