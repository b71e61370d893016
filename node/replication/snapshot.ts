import type { Slot, Store } from '../store/index.ts';
import { FRAME_OVERHEAD_BYTES, FrameWriter } from './frame-writer.ts';
import { entryFrameBytes, writeSnap, writeSnapEnd } from './frames.ts';

/** Bytes and buckets of one slice: small enough that clients do not notice it. */
const SLICE_BYTES = 64 * 1024;
const SLICE_BUCKETS = 1024;

/** Reads a store from one end to the other in slices, while it goes on changing. */
export class SnapshotReader {
  readonly #store: Store;
  readonly #versions: { readonly high: number; readonly low: number };
  #cursor = 0;
  isDone = false;

  constructor(store: Store, versions: { readonly high: number; readonly low: number }) {
    this.#store = store;
    this.#versions = versions;
  }

  /** Frames of the next entries, and of the end behind the last one. `offset` is where the stream stands. */
  next(offset: number): Buffer {
    const slots: Slot[] = [];
    let bytes = FRAME_OVERHEAD_BYTES;
    const visit = (slot: Slot) => {
      slots.push(slot);
      bytes += entryFrameBytes(this.#store, slot);
    };
    for (let buckets = 0; buckets < SLICE_BUCKETS && bytes < SLICE_BYTES && !this.isDone; buckets++) {
      this.#cursor = this.#store.scan(this.#cursor, visit);
      this.isDone = this.#cursor === 0;
    }
    const writer = new FrameWriter(Buffer.allocUnsafe(bytes));
    for (const slot of slots) writeSnap(writer, this.#store, slot);
    if (this.isDone) writeSnapEnd(writer, offset, this.#versions.high, this.#versions.low);
    return writer.buffer.subarray(0, writer.at);
  }
}
