/** A stored text with the version that the next write must name. */
export interface StoredState {
  readonly text: string;
  readonly version: bigint;
}

/**
 * Where the control plane keeps its state: one value, replaced as a whole by compare-and-swap, as etcd does it
 * by modification revision. Every implementation passes test/control-plane/state-store-contract.ts.
 */
export interface StateStore {
  /** The newest value, null when nothing was ever stored. Rejects when it cannot be read. */
  load(): Promise<StoredState | null>;
  /**
   * Replaces version `expected` (0n: nothing stored yet) and resolves with the new version once the text will
   * survive a crash of process and host. Rejects with RingsideError `conflict`, changing nothing, when another
   * writer was first; with the platform's error when the outcome is not known.
   */
  save(text: string, expected: bigint): Promise<bigint>;
  /** Lets go of locks and connections. */
  close(): Promise<void>;
}
