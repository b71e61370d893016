/** Times up to this are not told apart. */
const UNIT_MS = 1 / 64;
/** What is counted together differs by less than 10 %. */
const SLOTS_PER_DOUBLING = 8;
/** The last slot takes everything from about four minutes on. */
const SLOTS = 24 * SLOTS_PER_DOUBLING;
/** What is known is of this time at least, and of twice as long at most while there are enough answers. */
const WINDOW_MS = 5000;
/** Of fewer answers nothing is concluded. */
const LEAST = 100;
/** How often the limit is worked out anew. */
const LOOK_MS = 100;

/**
 * Within which time a node lately gave so many of its answers: a histogram of the last five to ten seconds, or of its last hundred answers where they took
 * longer to come. Does no I/O; `nowMs` is monotonic.
 */
export class RecentLatencies {
  readonly #part: number;
  #counts = new Uint32Array(SLOTS);
  #earlier = new Uint32Array(SLOTS);
  #answers = 0;
  #earlierAnswers = 0;
  #sinceMs = 0;
  #limitMs = Number.POSITIVE_INFINITY;
  #lookedMs = Number.NEGATIVE_INFINITY;

  /** `part`: of the answers, 0 to 1. */
  constructor(part: number) {
    this.#part = part;
  }

  /** So many answers took `ms` each, or longer, where nobody waited for them to the end. */
  record(ms: number, times: number): void {
    this.#counts[slotOf(ms)] += times;
    this.#answers += times;
  }

  /** Milliseconds within which that part of the answers came, rounded up by less than 10 %; Infinity while too few are known. */
  limitMs(nowMs: number): number {
    if (nowMs - this.#lookedMs < LOOK_MS) return this.#limitMs;
    this.#lookedMs = nowMs;
    if (this.#answers >= LEAST && nowMs - this.#sinceMs >= WINDOW_MS) this.#turnOver(nowMs);
    this.#limitMs = this.#work();
    return this.#limitMs;
  }

  #turnOver(nowMs: number): void {
    const old = this.#earlier;
    this.#earlier = this.#counts;
    this.#earlierAnswers = this.#answers;
    this.#counts = old.fill(0);
    this.#answers = 0;
    this.#sinceMs = nowMs;
  }

  #work(): number {
    const answers = this.#answers + this.#earlierAnswers;
    if (answers < LEAST) return Number.POSITIVE_INFINITY;
    let left = Math.ceil(this.#part * answers);
    for (let slot = 0; slot < SLOTS; slot++) {
      left -= this.#counts[slot] + this.#earlier[slot];
      if (left <= 0) return UNIT_MS * 2 ** (slot / SLOTS_PER_DOUBLING);
    }
    return Number.POSITIVE_INFINITY;
  }
}

function slotOf(ms: number): number {
  if (ms <= UNIT_MS) return 0;
  return Math.min(SLOTS - 1, Math.ceil(Math.log2(ms / UNIT_MS) * SLOTS_PER_DOUBLING));
}
