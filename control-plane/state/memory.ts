import { RingsideError } from '../../lib/base/index.ts';
import type { StateStore, StoredState } from './store.ts';

/** Keeps the state as long as the process lives. After a restart the ring is collected from the fleet. */
export class MemoryStateStore implements StateStore {
  #stored: StoredState | null = null;

  async load(): Promise<StoredState | null> {
    return this.#stored;
  }

  async save(text: string, expected: bigint): Promise<bigint> {
    const version = this.#stored?.version ?? 0n;
    if (version !== expected) {
      throw new RingsideError('conflict', `the state is at version ${version}, not ${expected}`);
    }
    this.#stored = { text, version: version + 1n };
    return version + 1n;
  }

  async close(): Promise<void> {}
}
