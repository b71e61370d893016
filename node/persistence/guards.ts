import type { Keyspace } from '../keyspace.ts';
import type { Slot } from '../store/index.ts';

/** Wants to see entries as they are before they change. Called in between a command's own steps: must not mutate. */
export interface ChangeGuard {
  /** The entry may be about to change or to go. */
  before(keyspace: Keyspace, slot: Slot): void;
  /** The entry has a new version now, or goes: nobody will take it for what it was. */
  renewed(keyspace: Keyspace, slot: Slot): void;
  /** All entries of the database are about to go. */
  beforeClear(keyspace: Keyspace): void;
}

/** The guards of a data set; each hears everything. */
export class ChangeGuards implements ChangeGuard {
  readonly #guards = new Set<ChangeGuard>();

  get size(): number {
    return this.#guards.size;
  }

  add(guard: ChangeGuard): void {
    this.#guards.add(guard);
  }

  delete(guard: ChangeGuard): void {
    this.#guards.delete(guard);
  }

  before(keyspace: Keyspace, slot: Slot): void {
    for (const guard of this.#guards) guard.before(keyspace, slot);
  }

  renewed(keyspace: Keyspace, slot: Slot): void {
    for (const guard of this.#guards) guard.renewed(keyspace, slot);
  }

  beforeClear(keyspace: Keyspace): void {
    for (const guard of this.#guards) guard.beforeClear(keyspace);
  }
}
