import type { DeniedKind } from './selector.ts';

/** What is alike within this time is one entry. */
const GROUPED_MS = 60_000;
/** Only so many of the newest entries are looked at for that. */
const GROUPED_ENTRIES = 10;

/** Something that somebody was not allowed. */
export interface Refusal {
  readonly reason: DeniedKind | 'auth';
  readonly context: 'toplevel' | 'multi';
  /** The command, key or channel. */
  readonly object: string;
  readonly user: string;
  readonly clientInfo: string;
  /** Unix milliseconds. */
  readonly atMs: number;
}

/** Equal refusals. */
export interface AclLogEntry extends Refusal {
  readonly count: number;
}

/** The latest refusals, newest first, equal ones together. */
export class AclLog {
  #entries: AclLogEntry[] = [];

  /** Adds a refusal; forgets the oldest entries beyond `maxLength`. */
  add(refusal: Refusal, maxLength: number): void {
    const at = this.#entries
      .slice(0, GROUPED_ENTRIES)
      .findIndex(
        (entry) =>
          entry.reason === refusal.reason &&
          entry.context === refusal.context &&
          entry.object === refusal.object &&
          entry.user === refusal.user &&
          Math.abs(refusal.atMs - entry.atMs) <= GROUPED_MS,
      );
    const [known] = at < 0 ? [] : this.#entries.splice(at, 1);
    this.#entries.unshift({ ...refusal, count: (known?.count ?? 0) + 1 });
    if (this.#entries.length > maxLength) this.#entries.length = maxLength;
  }

  newest(count: number): readonly AclLogEntry[] {
    return this.#entries.slice(0, Math.max(0, count));
  }

  reset(): void {
    this.#entries = [];
  }
}
