import { RdbFormatError } from '../../lib/codec/rdb/index.ts';
import { AofReplay, type ReplayOptions } from './aof-replay.ts';
import { SnapshotLoader } from './load.ts';

const RDB_MAGIC = 'REDIS';

/** One part of an append-only file: a snapshot, commands, or commands behind a snapshot. Throws what its readers throw. */
export class AofPart {
  readonly #options: ReplayOptions;
  #loader: SnapshotLoader | null = null;
  #isBegun = false;
  replay: AofReplay;

  constructor(options: ReplayOptions) {
    this.#options = options;
    this.replay = new AofReplay(options, 0);
  }

  /** Whether what is being read is a snapshot. */
  get isSnapshot(): boolean {
    return this.#loader !== null && !this.#loader.isDone;
  }

  /** Entries of the snapshot. */
  get keys(): number {
    return this.#loader?.loaded ?? 0;
  }

  /** Whether the node is in the stream of what was loaded; null when nothing was. */
  get isPlaced(): boolean | null {
    if (this.replay.isUnplaced) return false;
    if (this.replay.commands > 0) return true;
    return this.#loader === null ? null : this.#options.databases.data.log.active;
  }

  /** Whether something had no version of its own, and got one of this node. */
  get gaveVersions(): boolean {
    const isStrange = this.#loader !== null && !this.#loader.hasOwnVersions;
    return isStrange || this.replay.gaveVersions;
  }

  push(slice: Buffer): void {
    if (!this.#isBegun) {
      this.#isBegun = true;
      if (slice.subarray(0, RDB_MAGIC.length).latin1Slice() === RDB_MAGIC) this.#loader = this.#newLoader();
    }
    if (!this.isSnapshot) this.replay.push(slice);
    else this.#load(this.#loader!, slice);
  }

  #newLoader(): SnapshotLoader {
    const { databases, nowMs } = this.#options;
    // What has expired is there for the commands that follow, as it was when they were written.
    return new SnapshotLoader(databases, { skipsExpired: false, nowMs });
  }

  #load(loader: SnapshotLoader, slice: Buffer): void {
    const rest = loader.push(slice);
    if (!loader.isDone) return;
    if (!this.#options.isReload) loader.goOn();
    this.replay = new AofReplay(this.#options, loader.offset);
    if (rest < slice.length) this.replay.push(slice.subarray(rest));
  }

  /** There is nothing more. */
  end(): void {
    if (this.isSnapshot) throw new RdbFormatError(`offset ${this.#loader!.offset}: the file is cut off`);
  }
}
