import { errorCatalogue, RingsideError } from '../../lib/base/index.ts';

/** Where floors are kept for good. */
export interface FenceJournal {
  /** Returns once the floor is on disk. Throws the platform's error. */
  append(name: string, token: bigint): void;
}

/**
 * Fence floors: the highest token seen of each name. They never sink and are never dropped, whatever happens to keys. Names are text of one
 * byte a character, tokens unsigned numbers of 64 bits.
 */
export class Fences {
  readonly #max: number;
  readonly #journal: FenceJournal | null;
  readonly #floors: Map<string, bigint>;

  /** Without a journal, floors live as long as the process. */
  constructor({
    max,
    journal = null,
    floors = new Map(),
  }: {
    max: number;
    journal?: FenceJournal | null;
    floors?: Map<string, bigint>;
  }) {
    this.#max = max;
    this.#journal = journal;
    this.#floors = floors;
  }

  get size(): number {
    return this.#floors.size;
  }

  /** Names with their floors. */
  entries(): IterableIterator<[string, bigint]> {
    return this.#floors.entries();
  }

  /** Why a write with this token must not happen; null when it may. */
  refusal(name: string, token: bigint): string | null {
    const floor = this.#floors.get(name);
    if (floor === undefined) {
      if (this.#floors.size < this.#max) return null;
      return new RingsideError(
        'overloaded',
        `there are as many fences as node.limits.maxFences (${this.#max}) allows`,
      ).toResp();
    }
    if (token >= floor) return null;
    return new RingsideError(
      'fenced',
      `token ${token} is older than ${floor}, which this fence has seen`,
    ).toResp();
  }

  /**
   * A write with this token is about to happen: older ones are refused from here on, also after a restart. Returns the text of an error when
   * that cannot be promised, and then nothing has changed.
   */
  raise(name: string, token: bigint): string | null {
    const floor = this.#floors.get(name);
    if (floor !== undefined && token <= floor) return null;
    try {
      this.#journal?.append(name, token);
    } catch (error) {
      return errorCatalogue.unavailable.resp.replace('…', () => `the fence cannot be kept on disk: ${error}`);
    }
    this.#floors.set(name, token);
    return null;
  }
}
