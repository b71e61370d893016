const LOW_RANGE = 2 ** 32;

/**
 * What commands of the stream leave unsaid, at its end: the database they are about, and the version that the last of them gave its
 * key. The next gives the one after it. Whoever follows the stream arrives at the same.
 */
export class StreamPosition {
  /** -1: the next command says it anew. */
  database = -1;
  #high = 0;
  #low = 0;
  #isVersionKnown = false;
  /** Somebody wants versions: false until the first node follows, so that a redis-server gets what its own leader would send. */
  saysVersions = false;

  /** Whether the next command may leave its version unsaid. */
  get isVersionKnown(): boolean {
    return this.#isVersionKnown;
  }

  /** Upper word of the version. */
  get high(): number {
    return this.#high;
  }

  get low(): number {
    return this.#low;
  }

  /** Somebody begins to follow here who knows nothing of before: everything is said again. */
  announce(): void {
    this.database = -1;
    this.#isVersionKnown = false;
  }

  /** Whether a command without a version gives its key this one. */
  isNext(high: number, low: number): boolean {
    if (!this.#isVersionKnown) return false;
    return low === 0
      ? high === this.#high + 1 && this.#low === LOW_RANGE - 1
      : high === this.#high && low === this.#low + 1;
  }

  /** A command has given its key this version. */
  moveTo(high: number, low: number): void {
    this.#high = high;
    this.#low = low;
    this.#isVersionKnown = true;
  }

  /** The next command gives its key this version. */
  expect(high: number, low: number): void {
    if (low > 0) this.moveTo(high, low - 1);
    else this.moveTo(Math.max(0, high - 1), LOW_RANGE - 1);
  }

  /** A command without a version gives its key the next one. */
  step(): void {
    if (this.#low < LOW_RANGE - 1) this.moveTo(this.#high, this.#low + 1);
    else this.moveTo(this.#high + 1, 0);
  }
}
