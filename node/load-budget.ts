import type { Logger } from '../lib/base/index.ts';
import type { Databases } from './databases.ts';
import { isOverBudget } from './memory-limit.ts';
import type { Settings } from './settings.ts';

/** The policy has nothing to give when so many rounds of eviction in a row have found nothing. */
const IDLE_ROUNDS = 10;

/** What the watch goes by. */
export interface LoadBudgetParts {
  readonly databases: Databases;
  readonly settings: Pick<Settings, 'maxMemoryBytes' | 'maxMemoryPolicy'>;
  readonly log: Logger;
}

/**
 * Says once, after a start, that `maxmemory` is smaller than what the files held, and what became of it: a node holds all of it first, and evicts
 * once it leads, as Redis does, but nobody may have meant it to.
 */
export class LoadBudget {
  readonly #parts: LoadBudgetParts;
  #evicted: number;
  #idleRounds = 0;
  /** It has been said, or there is nothing to say. */
  #isSettled = false;

  constructor(parts: LoadBudgetParts) {
    this.#parts = parts;
    this.#evicted = parts.databases.data.stats.evicted;
  }

  /** The node follows: whoever leads makes room. */
  leave(): void {
    this.#isSettled = true;
  }

  /** To be called before each round of eviction that the files, once loaded, and this node's role allow. */
  look(): void {
    if (this.#isSettled) return;
    const { databases, settings } = this.#parts;
    const { evicted } = databases.data.stats;
    if (!isOverBudget(databases, settings)) {
      this.#isSettled = true;
      if (evicted > 0) this.#tell(evicted, 'keys were evicted');
      return;
    }
    this.#idleRounds = evicted === this.#evicted ? this.#idleRounds + 1 : 0;
    this.#evicted = evicted;
    if (this.#idleRounds < IDLE_ROUNDS) return;
    this.#isSettled = true;
    this.#tell(evicted, 'maxmemory-policy finds nothing more to evict, so writes are refused');
  }

  #tell(evicted: number, consequence: string): void {
    const { databases, settings, log } = this.#parts;
    log.warn(
      {
        evicted,
        kept: databases.size,
        maxmemory: settings.maxMemoryBytes,
        policy: settings.maxMemoryPolicy,
      },
      `the files that were loaded hold more than maxmemory has room for: ${consequence}; ` +
        'to have all of it, start with a larger maxmemory on a copy of the files as they were',
    );
  }
}
