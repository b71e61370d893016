import { murmur3x86_32 } from '../../lib/ring/index.ts';
import { compareBytes, copyBytes, type Dice, sameBytes } from './bytes.ts';
import { HashPartition } from './hash-partition.ts';
import { RecordLog, type RecordOwner, type Ref } from './record-log.ts';

/** Two 32-bit words; a partition's rebuild is a step nobody notices up to here. */
const MAX_PARTITION = 4096;
/** Buddies below this, together, become one. */
const MERGED_PARTITION = MAX_PARTITION >> 1;
const MAX_DEPTH = 24;
/** Hashes that agree in all leading bits must not blow up the directory. */
const DIRECTORY_PER_PARTITION = 8;
/** What the objects of a table cost, and those of a partition. */
const TABLE_BYTES = 640;
const PARTITION_BYTES = 280;
/** A key of this many bytes or more has its length in four more. */
const LONG = 254;
const SIGN = 0x80000000 | 0;
const HASHES = 2 ** 32;
const NOBODY: readonly never[] = Object.freeze([]);

/** What the members of a table carry: nothing, eight bytes, or bytes of any number. */
export type Payload = 'nothing' | 'score' | 'bytes';

/** Is shown the records of a table before they change. Must neither change the table nor look for anything in it. */
export interface TableWatcher {
  /** The located record, whose place in a `scan` this is, is about to change or to go. */
  changing(place: number): void;
  /** A record of a key that was not there is about to come. */
  coming(place: number, buffer: Buffer, start: number, end: number): void;
}

/** Hears when a record has a new name. */
export type Moved = (from: Ref, to: Ref) => void;

/**
 * A table of byte strings, each with a score or a byte string or nothing: a hash index of partitions over a log of records, all off the
 * JavaScript heap. No step takes longer with its size: an index partition that is full is split in two (extendible hashing; Fagin,
 * Nievergelt, Pippenger and Strong, 1979).
 *
 * A record: length of the key, length of the payload (if it can differ), key, payload. Lengths are one byte, or LONG and four.
 *
 * `find` remembers its place: `insert` adds what it did not find, `replace` and `remove` go for what it found. A reference is valid until
 * `tidy`, which follows the last change of a command.
 */
export class MemberTable implements RecordOwner {
  /** Bytes of each payload when all have the same; whether each record says them. */
  readonly #payloadBytes: number;
  readonly #saysPayload: boolean;
  readonly #seed: number;
  readonly #log: RecordLog;
  readonly #moved: Moved | null;
  #directory: HashPartition[];
  #depth = 0;
  #partitions = 1;
  #indexBytes = 0;
  /** No partition ever held more. */
  #peak = 1;
  size = 0;
  /** Where `find` stopped. */
  #hash = 0;
  #partition: HashPartition;
  #place = 0;
  /** Where the record is that `locate` or `find` looked at. */
  bytes: Buffer = Buffer.alloc(0);
  view: DataView = new DataView(this.bytes.buffer, 0, 0);
  keyStart = 0;
  keyEnd = 0;
  payloadEnd = 0;
  /** Replaced as a whole, so that a table that nobody watches costs nothing more. */
  watchers: readonly TableWatcher[] = NOBODY;

  constructor(payload: Payload, seed: number, moved: Moved | null = null) {
    this.#payloadBytes = payload === 'score' ? 8 : 0;
    this.#saysPayload = payload === 'bytes';
    this.#seed = seed;
    this.#moved = moved;
    this.#log = new RecordLog(this);
    this.#partition = new HashPartition(0, 1);
    this.#directory = [this.#partition];
    this.#indexBytes = this.#partition.words.byteLength;
  }

  /** Bytes taken from the system, and what the objects cost. */
  get reservedBytes(): number {
    return (
      TABLE_BYTES +
      this.#log.reservedBytes +
      this.#indexBytes +
      this.#partitions * PARTITION_BYTES +
      this.#directory.length * 8
    );
  }

  #hashOf(buffer: Buffer, start: number, end: number): number {
    return murmur3x86_32(buffer, start, end, this.#seed) | 0;
  }

  /** The record of a key, then also located; 0 when it is not there. */
  find(buffer: Buffer, start: number, end: number): Ref {
    const hash = this.#hashOf(buffer, start, end);
    const partition = this.#directory[this.#directoryIndex(hash)];
    const { words } = partition;
    this.#hash = hash;
    this.#partition = partition;
    for (let word = partition.seek(hash) << 1; words[word + 1] !== 0 && words[word] === hash; word += 2) {
      if (!this.#hasKey(words[word + 1], buffer, start, end)) continue;
      this.#place = word >> 1;
      return words[word + 1];
    }
    return 0;
  }

  #directoryIndex(hash: number): number {
    return ((hash ^ SIGN) >>> 1) >>> (31 - this.#depth);
  }

  #hasKey(ref: Ref, buffer: Buffer, start: number, end: number): boolean {
    this.locate(ref);
    const length = end - start;
    return (
      this.keyEnd - this.keyStart === length && sameBytes(this.bytes, this.keyStart, buffer, start, length)
    );
  }

  /** Says where a record's key is (`keyStart` to `keyEnd` in `bytes`), and its payload (to `payloadEnd`). */
  locate(ref: Ref): void {
    const segment = this.#log.segmentOf(ref);
    this.bytes = segment.bytes;
    this.view = segment.view;
    this.#parse(segment.bytes, this.#log.offsetOf(ref));
  }

  #parse(bytes: Buffer, start: number): void {
    let at = start + 1;
    let keyLength = bytes[start];
    if (keyLength === LONG) {
      keyLength = bytes.readUInt32LE(at);
      at += 4;
    }
    let payload = this.#payloadBytes;
    if (this.#saysPayload) {
      payload = bytes[at++];
      if (payload === LONG) {
        payload = bytes.readUInt32LE(at);
        at += 4;
      }
    }
    this.keyStart = at;
    this.keyEnd = at + keyLength;
    this.payloadEnd = at + keyLength + payload;
  }

  /** Order of a record's key and other bytes: negative when the key comes before, 0 when they are equal. The record is then located. */
  compareKey(ref: Ref, buffer: Buffer, start: number, end: number): number {
    this.locate(ref);
    return compareBytes(this.bytes, this.keyStart, this.keyEnd, buffer, start, end);
  }

  /** The located record's score. */
  get score(): number {
    return this.view.getFloat64(this.keyEnd, true);
  }

  set score(score: number) {
    this.view.setFloat64(this.keyEnd, score, true);
  }

  recordBytes(bytes: Buffer, at: number): number {
    const { keyStart, keyEnd, payloadEnd } = this;
    this.#parse(bytes, at);
    const size = this.payloadEnd - at;
    this.keyStart = keyStart;
    this.keyEnd = keyEnd;
    this.payloadEnd = payloadEnd;
    return size;
  }

  /** Adds the key that `find` has just not found, with a payload of `payload` undefined bytes, and locates it. */
  insert(buffer: Buffer, start: number, end: number, payload: number): Ref {
    for (const watcher of this.watchers) watcher.coming((this.#hash ^ SIGN) >>> 0, buffer, start, end);
    const ref = this.#newRecord(end - start, payload);
    copyBytes(buffer, start, end, this.bytes, this.keyStart);
    if (this.#partition.isFull) this.#relieve();
    const partition = this.#partition;
    const before = partition.words.byteLength;
    partition.insert(this.#hash, ref);
    this.#indexBytes += partition.words.byteLength - before;
    if (partition.count > this.#peak) this.#peak = partition.count;
    this.size++;
    return ref;
  }

  /** A record with its lengths written, located. */
  #newRecord(keyLength: number, payload: number): Ref {
    const lengths = lengthBytes(keyLength) + (this.#saysPayload ? lengthBytes(payload) : 0);
    const ref = this.#log.allocate(lengths + keyLength + payload);
    const segment = this.#log.segmentOf(ref);
    const { bytes } = segment;
    let at = writeLength(bytes, this.#log.offsetOf(ref), keyLength);
    if (this.#saysPayload) at = writeLength(bytes, at, payload);
    this.bytes = bytes;
    this.view = segment.view;
    this.keyStart = at;
    this.keyEnd = at + keyLength;
    this.payloadEnd = this.keyEnd + payload;
    return ref;
  }

  /** Shows what `find` has just found to those who watch; to be called before its payload is overwritten. Locates it. */
  show(ref: Ref): void {
    this.locate(ref);
    for (const watcher of this.watchers) watcher.changing((this.#hash ^ SIGN) >>> 0);
  }

  /** Gives what `find` has just found a payload of another length (undefined bytes), and locates it. */
  replace(ref: Ref, payload: number): void {
    if (this.watchers.length > 0) this.show(ref);
    const { bytes, keyStart, keyEnd } = this;
    const to = this.#newRecord(keyEnd - keyStart, payload);
    copyBytes(bytes, keyStart, keyEnd, this.bytes, this.keyStart);
    this.#partition.words[(this.#place << 1) + 1] = to;
    this.#log.free(ref);
  }

  /** Removes what `find` has just found. */
  remove(ref: Ref): void {
    if (this.watchers.length > 0) this.show(ref);
    const partition = this.#partition;
    const before = partition.words.byteLength;
    partition.removeAt(this.#place);
    this.#indexBytes += partition.words.byteLength - before;
    this.size--;
    this.#log.free(ref);
    if (partition.depth > 0 && partition.count < MERGED_PARTITION >> 2) this.#merge();
  }

  /** Wins space back after changes, a bounded number of records at a time. References are stale then. */
  tidy(): void {
    this.#log.tidy();
  }

  moved(from: Ref, to: Ref): void {
    this.locate(to);
    const hash = this.#hashOf(this.bytes, this.keyStart, this.keyEnd);
    const partition = this.#directory[this.#directoryIndex(hash)];
    let word = partition.seek(hash) << 1;
    while (partition.words[word + 1] !== from) word += 2;
    partition.words[word + 1] = to;
    this.#moved?.(from, to);
  }

  /** Splits the partition that `find` stopped in, when it is as large as one may be. */
  #relieve(): void {
    const former = this.#partition;
    const { depth } = former;
    if (former.count < MAX_PARTITION || depth === MAX_DEPTH) return;
    if (depth === this.#depth) {
      if (this.#directory.length > this.#partitions * DIRECTORY_PER_PARTITION) return;
      this.#directory = this.#directory.flatMap((partition) => [partition, partition]);
      this.#depth++;
    }
    const first = this.#firstIndex(this.#hash, depth);
    const span = 2 ** (this.#depth - depth);
    const low = (first * 2 ** (32 - this.#depth)) ^ SIGN;
    const half = 2 ** (31 - depth);
    this.#put(first, span / 2, HashPartition.gather([former], depth + 1, low, low + half - 1));
    this.#put(
      first + span / 2,
      span / 2,
      HashPartition.gather([former], depth + 1, low + half, low + 2 * half - 1),
    );
    this.#indexBytes -= former.words.byteLength;
    former.free();
    this.#partitions--;
    this.#partition = this.#directory[this.#directoryIndex(this.#hash)];
  }

  /** First place in the directory of the partition of `depth` that a hash belongs to. */
  #firstIndex(hash: number, depth: number): number {
    return (this.#directoryIndex(hash) >>> (this.#depth - depth)) << (this.#depth - depth);
  }

  #put(first: number, span: number, partition: HashPartition): void {
    this.#directory.fill(partition, first, first + span);
    this.#indexBytes += partition.words.byteLength;
    this.#partitions++;
  }

  /** Joins the partition that `find` stopped in with its buddy, if both together are small. */
  #merge(): void {
    const { depth, count } = this.#partition;
    const first = this.#firstIndex(this.#hash, depth);
    const span = 2 ** (this.#depth - depth);
    const start = first - (first % (2 * span));
    const parts = [this.#directory[start], this.#directory[start + span]];
    const buddy = parts[0] === this.#partition ? parts[1] : parts[0];
    if (buddy.depth !== depth || buddy.count + count > MERGED_PARTITION) return;
    for (const { words } of parts) this.#indexBytes -= words.byteLength;
    this.#partitions -= 2;
    this.#put(start, 2 * span, HashPartition.gather(parts, depth - 1, SIGN, ~SIGN));
    for (const part of parts) part.free();
    if (depth === this.#depth) this.#halve();
  }

  /** Halves the directory while no partition needs its whole depth. */
  #halve(): void {
    while (this.#depth > 0 && this.#directory.every(({ depth }) => depth < this.#depth)) {
      this.#directory = this.#directory.filter((_, i) => i % 2 === 0);
      this.#depth--;
    }
  }

  /** Visits every record; it is located during the call. */
  forEach(visit: (ref: Ref) => void): void {
    this.scan(0, Number.POSITIVE_INFINITY, visit);
  }

  /**
   * Visits the records in the order of their hashes, about `count` of them, from a cursor on; returns the next cursor, 0 at the
   * end. What is there all the time is visited exactly once, however the table grows and shrinks between the calls.
   */
  scan(cursor: number, count: number, visit: (ref: Ref) => void): number {
    let left = count;
    let from = cursor >= HASHES ? HASHES : Math.floor(cursor);
    while (from < HASHES) {
      const first = (from | 0) ^ SIGN;
      const partition = this.#directory[this.#directoryIndex(first)];
      const { words } = partition;
      for (let word = partition.seek(first) << 1; word < words.length; word += 2) {
        const ref = words[word + 1];
        if (ref === 0) continue;
        // Those of one hash are never torn apart.
        if (left <= 0 && (words[word] ^ SIGN) >>> 0 !== from - 1) return (words[word] ^ SIGN) >>> 0;
        from = ((words[word] ^ SIGN) >>> 0) + 1;
        left--;
        this.locate(ref);
        visit(ref);
      }
      const span = 2 ** (this.#depth - partition.depth);
      from = (this.#firstIndex(first, partition.depth) + span) * 2 ** (32 - this.#depth);
    }
    return 0;
  }

  /** Any record, each as likely, located. There must be one. */
  random(dice: Dice): Ref {
    const partition = this.#randomPartition(dice);
    const { words, places } = partition;
    for (;;) {
      const ref = words[(dice.int(places) << 1) + 1];
      if (ref === 0) continue;
      this.locate(ref);
      return ref;
    }
  }

  /** A partition, chosen in proportion to its records: by rejection, since the directory names it in proportion to its hashes. */
  #randomPartition(dice: Dice): HashPartition {
    if (this.#depth === 0) return this.#directory[0];
    for (;;) {
      const partition = this.#directory[dice.int(this.#directory.length)];
      const span = 2 ** (this.#depth - partition.depth);
      if (dice.int(this.#peak * span) < partition.count) return partition;
    }
  }
}

function lengthBytes(length: number): number {
  return length < LONG ? 1 : 5;
}

function writeLength(bytes: Buffer, at: number, length: number): number {
  if (length < LONG) {
    bytes[at] = length;
    return at + 1;
  }
  bytes[at] = LONG;
  bytes.writeUInt32LE(length, at + 1);
  return at + 5;
}
