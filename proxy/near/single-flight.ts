/** One errand on its way, and who waits for its outcome. */
export interface Flight<Waiter> {
  readonly key: string;
  readonly waiters: Waiter[];
}

/** Errands by key: whoever comes while one is on its way joins it instead of sending another. */
export class SingleFlight<Waiter, Errand extends Flight<Waiter> = Flight<Waiter>> {
  readonly #byKey = new Map<string, Errand>();

  get size(): number {
    return this.#byKey.size;
  }

  /** The errand under way for this key. */
  of(key: string): Errand | undefined {
    return this.#byKey.get(key);
  }

  /** Every errand under way; may be landed meanwhile. */
  all(): Errand[] {
    return [...this.#byKey.values()];
  }

  /** An errand sets out. There must be none for its key. */
  start(errand: Errand): void {
    this.#byKey.set(errand.key, errand);
  }

  /** Whether this very errand is still the one under way for its key. */
  has(errand: Errand): boolean {
    return this.#byKey.get(errand.key) === errand;
  }

  /** The errand is over, or given up: who waits for it by now, oldest first. Nobody joins it any more. */
  land(errand: Errand): Waiter[] {
    if (this.has(errand)) this.#byKey.delete(errand.key);
    return errand.waiters.splice(0);
  }
}
