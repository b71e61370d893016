import type { Databases } from '../databases.ts';
import type { Slot, Store } from '../store/index.ts';
import { dumpEntry } from '../values/serialize.ts';
import { FRAME_OVERHEAD_BYTES, FrameWriter } from './frame-writer.ts';
import {
  entryFrameBytes,
  isRestored,
  restoreFrameBytes,
  writeRestore,
  writeSnap,
  writeSnapEnd,
} from './frames.ts';

/** Bytes and buckets of one slice: small enough that clients do not notice it. */
const SLICE_BYTES = 64 * 1024;
const SLICE_BUCKETS = 1024;

/** Reads all databases from one end to the other in slices, while they go on changing. */
export class SnapshotReader {
  readonly #databases: Databases;
  #database = 0;
  #cursor = 0;
  isDone = false;

  constructor(databases: Databases) {
    this.#databases = databases;
  }

  /** Frames of the next entries, and of the end behind the last one. `offset` is where the stream stands. */
  next(offset: number): Buffer {
    const { store } = this.#databases.at(this.#database);
    const slots: Slot[] = [];
    let bytes = FRAME_OVERHEAD_BYTES;
    const visit = (slot: Slot) => {
      slots.push(slot);
      bytes += entryFrameBytes(store, slot);
    };
    for (let buckets = 0; buckets < SLICE_BUCKETS && bytes < SLICE_BYTES; buckets++) {
      this.#cursor = store.scan(this.#cursor, visit);
      if (this.#cursor === 0) break;
    }
    const frames = slots.filter((slot) => isRestored(store, slot)).map((slot) => this.#restored(store, slot));
    const writer = new FrameWriter(Buffer.allocUnsafe(bytes));
    for (const slot of slots) if (!isRestored(store, slot)) writeSnap(writer, this.#database, store, slot);
    if (this.#cursor === 0) this.#nextDatabase();
    if (this.isDone) writeSnapEnd(writer, offset, this.#databases.data.versions);
    return Buffer.concat([...frames, writer.buffer.subarray(0, writer.at)]);
  }

  #restored(store: Store, slot: Slot): Buffer {
    const payload = dumpEntry(this.#databases.at(this.#database), slot);
    const writer = new FrameWriter(Buffer.allocUnsafe(restoreFrameBytes(store, slot, payload)));
    writeRestore(writer, true, this.#database, store, slot, payload);
    return writer.buffer.subarray(0, writer.at);
  }

  #nextDatabase(): void {
    do this.#database++;
    while (this.#database < this.#databases.count && !this.#databases.peek(this.#database)?.store.size);
    this.isDone = this.#database === this.#databases.count;
  }
}
