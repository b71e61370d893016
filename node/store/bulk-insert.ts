import { copy } from './bytes.ts';
import type { Entries } from './entries.ts';
import { EXPIRY, LINKS, MAX_TIME_MS, type RecordShape, type Records, WIDE_VERSION } from './records.ts';
import type { BulkInserts, NewEntry } from './store.ts';

/** Entries whose places in the index are read together. */
const BATCH = 128;

/**
 * Adds entries in numbers. Each record is written once, with all that is known of it; the index gets to know them in batches, so that the waits
 * for memory of many of them overlap: in a large index each place is a cache miss, or several.
 */
export class BulkInsert implements BulkInserts {
  readonly #entries: Entries;
  readonly #records: Records;
  readonly #shape: RecordShape = { flags: 0, extension: 0, keyLength: 0, valueLength: 0 };
  readonly #hashes = new Int32Array(BATCH + 1);
  readonly #refs = new Int32Array(BATCH);
  #pending = 0;

  constructor(entries: Entries) {
    this.#entries = entries;
    this.#records = entries.records;
  }

  add(
    key: Buffer,
    keyStart: number,
    keyEnd: number,
    value: Buffer,
    start: number,
    end: number,
    entry: NewEntry,
  ): string | null {
    const records = this.#records;
    const { expiresAt, high, low } = entry;
    const space = this.#entries.space(entry.space);
    const { policy } = space;
    const hash = records.hash(key, keyStart, keyEnd);
    const isTracked = policy.links === 'all' || (policy.links === 'volatile' && expiresAt !== 0);
    const shape = this.#shape;
    shape.flags = entry.type;
    shape.extension = (expiresAt === 0 ? 0 : EXPIRY) | (isTracked ? LINKS : 0);
    shape.keyLength = keyEnd - keyStart;
    shape.valueLength = end - start;
    const queue = policy.queueFor(hash);
    let segment = records.log.roomFor(queue, records.sizeOf(shape));
    if (!records.fits(segment, high, low)) {
      shape.extension |= WIDE_VERSION;
      segment = records.log.roomFor(queue, records.sizeOf(shape));
    }
    const ref = records.log.take(segment, records.sizeOf(shape));
    records.begin(ref, shape);
    records.writeKey(key, keyStart, keyEnd);
    copy(value, start, end, records.bytes, records.valueAt);
    records.setVersion(high, low);
    space.entries++;
    if (isTracked) policy.added(ref, false);
    if (expiresAt !== 0) this.#time(ref, expiresAt);
    if (isTracked) this.#entries.setUse(ref, entry.idleSeconds, entry.frequency);
    this.#hashes[this.#pending] = hash;
    this.#refs[this.#pending] = ref;
    return ++this.#pending === BATCH ? this.flush() : null;
  }

  #time(ref: number, expiresAt: number): void {
    const records = this.#records;
    records.locate(ref);
    records.setExpiresAt(Math.min(expiresAt, MAX_TIME_MS));
    records.segment.queue.owner.wheel.add(ref);
  }

  flush(): string | null {
    const { index } = this.#entries;
    const count = this.#pending;
    this.#pending = 0;
    index.touch(this.#hashes, count);
    let twice: string | null = null;
    for (let i = 0; i < count; i++) twice = this.#enter(this.#hashes[i], this.#refs[i]) ?? twice;
    return twice;
  }

  /** Makes the entry known; one whose key is there already goes, and the key is returned. */
  #enter(hash: number, ref: number): string | null {
    const records = this.#records;
    const { index } = this.#entries;
    records.parse(ref);
    const { bytes, keyAt, valueAt } = records;
    const isTwice = index.find(hash, bytes, keyAt, valueAt) !== 0;
    index.insert(hash, ref);
    if (!isTwice) return null;
    const key = bytes.latin1Slice(keyAt, valueAt);
    this.#entries.remove(ref);
    return key;
  }
}
