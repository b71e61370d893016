import { markCommand } from '../cache/index.ts';
import type { Databases } from '../databases.ts';
import type { Keyspace } from '../keyspace.ts';
import type { Slot, Store } from '../store/index.ts';
import { dumpEntry } from '../values/serialize.ts';
import { FRAME_OVERHEAD_BYTES, FrameWriter } from './frame-writer.ts';
import {
  callFrameBytes,
  entryFrameBytes,
  isRestored,
  restoreFrameBytes,
  writeRestore,
  writeSnap,
  writeSnapCall,
  writeSnapEnd,
} from './frames.ts';

/** Bytes and buckets of one slice: small enough that clients do not notice it. */
const SLICE_BYTES = 64 * 1024;
const SLICE_BUCKETS = 1024;
const SLICE_FENCES = 1024;

const NO_FRAME = Buffer.alloc(0);

/** Reads all databases from one end to the other in slices, while they go on changing, and may be swapped. */
export class SnapshotReader {
  readonly #databases: Databases;
  /** What is being read, and what has been: what a database is called now may be another's name in the next slice. */
  #store: Store | null = null;
  readonly #read = new Set<Store>();
  #cursor = 0;
  readonly #fences: Iterator<[string, bigint]>;
  isDone = false;

  constructor(databases: Databases) {
    this.#databases = databases;
    this.#fences = databases.data.cache.fences.entries();
  }

  /** Frames of the next entries, then of fences, and of the end behind the last one. `offset` is where the stream stands. */
  next(offset: number): Buffer {
    const keyspace = this.#current();
    return keyspace ? this.#nextEntries(keyspace) : this.#nextFences(offset);
  }

  /** The database to go on with; what was empty when its turn came has come into the stream. */
  #current(): Keyspace | undefined {
    let next: Keyspace | undefined;
    for (const keyspace of this.#databases.all()) {
      const { store } = keyspace;
      if (store === this.#store) return keyspace;
      if (store.size > 0 && !this.#read.has(store)) next ??= keyspace;
    }
    this.#store = next?.store ?? null;
    return next;
  }

  #nextEntries(keyspace: Keyspace): Buffer {
    const { store, index } = keyspace;
    const slots: Slot[] = [];
    let bytes = FRAME_OVERHEAD_BYTES;
    const visit = (slot: Slot) => {
      if (keyspace.isPurged(slot)) return;
      slots.push(slot);
      bytes += entryFrameBytes(store, slot);
    };
    for (let buckets = 0; buckets < SLICE_BUCKETS && bytes < SLICE_BYTES; buckets++) {
      this.#cursor = store.scan(this.#cursor, visit);
      if (this.#cursor === 0) break;
    }
    const frames = slots
      .filter((slot) => isRestored(store, slot))
      .map((slot) => this.#restored(keyspace, slot));
    const writer = new FrameWriter(Buffer.allocUnsafe(bytes));
    for (const slot of slots) if (!isRestored(store, slot)) writeSnap(writer, index, store, slot);
    const marks = keyspace.marks.isUsed ? slots.map((slot) => this.#marksOf(keyspace, slot)) : [];
    if (this.#cursor === 0) {
      this.#read.add(store);
      this.#store = null;
    }
    return Buffer.concat([...frames, writer.buffer.subarray(0, writer.at), ...marks]);
  }

  #nextFences(offset: number): Buffer {
    const frames: Buffer[] = [];
    for (let i = 0; i < SLICE_FENCES && !this.isDone; i++) {
      const { done, value } = this.#fences.next();
      if (done) this.isDone = true;
      else frames.push(snapCall(0, ['RS.FENCE', value[0], String(value[1])]));
    }
    if (!this.isDone) return Buffer.concat(frames);
    const writer = new FrameWriter(Buffer.allocUnsafe(FRAME_OVERHEAD_BYTES));
    writeSnapEnd(writer, offset, this.#databases.data.versions);
    return Buffer.concat([...frames, writer.buffer.subarray(0, writer.at)]);
  }

  #marksOf({ store, marks, index }: Keyspace, slot: Slot): Buffer {
    const found = marks.of(store, slot);
    return found === null ? NO_FRAME : snapCall(index, markCommand(store.keyOf(slot), found));
  }

  #restored(keyspace: Keyspace, slot: Slot): Buffer {
    const { store, index } = keyspace;
    const payload = dumpEntry(keyspace, slot);
    const writer = new FrameWriter(Buffer.allocUnsafe(restoreFrameBytes(store, slot, payload)));
    writeRestore(writer, true, index, store, slot, payload);
    return writer.buffer.subarray(0, writer.at);
  }
}

function snapCall(database: number, parts: readonly string[]): Buffer {
  const writer = new FrameWriter(Buffer.allocUnsafe(callFrameBytes(parts)));
  writeSnapCall(writer, database, parts);
  return writer.buffer.subarray(0, writer.at);
}
