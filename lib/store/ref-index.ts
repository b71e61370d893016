import { GROUP_SLOTS, IndexPartition, type RefKeys } from './index-partition.ts';

/** Slots of a table are in use up to this part, and to `GROWN_LOAD` after it has grown. */
const MAX_LOAD = 0.94;
const GROWN_LOAD = 0.78;
/** A table emptier than this shrinks. */
const MIN_LOAD = 0.45;
/**
 * A table of this many groups is split instead of growing, unless the directory has its largest size. All tables fill up at nearly the same
 * time, the more so the larger they are: with 512 groups, several were built anew within one turn of the event loop.
 */
const MAX_GROUPS = 128;
const MAX_DEPTH = 16;
/** Two tables that together fill a table of `MAX_GROUPS` up to this part become one. */
const MERGED_LOAD = 0.5;
/** Groups that one step of a scan may find empty. */
const SCAN_GROUPS = 16;
/** Random tries to find an entry. */
const RANDOM_TRIES = 2000;
const HASHES = 2 ** 32;
/** Entries that `reserve` moves: some ten milliseconds. */
const MAX_MOVED = 2 ** 16;
/** Records that `touchEntries` reads at a time. */
const MAX_TOUCHED = 16;

/**
 * Maps keys to addresses of records (32 bits, not 0), by a hash of 32 bits: about 5.7 bytes an entry.
 *
 * Extendible hashing (Fagin, Nievergelt, Pippenger and Strong, 1979): a directory of the leading bits of the hash leads to small tables, each of
 * which grows, shrinks, splits and merges by itself, so that no step ever touches more than some two thousand entries.
 */
export class RefIndex {
  readonly #keys: RefKeys;
  /** Hashes of a table that is being built anew. */
  #hashes = new Int32Array(0);
  readonly #refs = new Int32Array(MAX_TOUCHED);
  #directory: IndexPartition[] = [];
  /** 32 less the bits of the directory (at least 1), and how many tables use all these bits. */
  #shift = 31;
  #deepest = 0;
  size = 0;
  /** Bytes taken from the system. */
  reservedBytes = 0;

  constructor(keys: RefKeys) {
    this.#keys = keys;
    this.#reset();
  }

  #reset(): void {
    const only = this.#create(0, 1);
    this.#directory = [only, only];
    this.#shift = 31;
    this.#deepest = 0;
    this.size = 0;
  }

  #create(depth: number, groups: number): IndexPartition {
    const partition = new IndexPartition(depth, groups);
    this.reservedBytes += partition.bytes;
    return partition;
  }

  /**
   * Makes room for so many entries at once, which spares reading all of them again at each growth. Does nothing when there is that room, or when there
   * are too many entries already for them to be moved in one step.
   */
  reserve(entries: number): void {
    const groups = groupsFor(entries);
    if (groups <= MAX_GROUPS || this.size > MAX_MOVED || entries <= this.#places * GROWN_LOAD) return;
    const former = new Set(this.#directory);
    const bits = Math.min(MAX_DEPTH, Math.ceil(Math.log2(groups / (MAX_GROUPS * GROWN_LOAD))));
    const perTable = Math.ceil(groups / 2 ** bits);
    this.#directory = Array.from({ length: 2 ** bits }, () => this.#create(bits, perTable));
    this.#shift = 32 - bits;
    this.#deepest = 2 ** bits;
    this.size = 0;
    for (const partition of former) this.#moveAll(partition);
  }

  /** Places there are for entries. */
  get #places(): number {
    let groups = 0;
    for (const partition of new Set(this.#directory)) groups += partition.groups;
    return groups * GROUP_SLOTS;
  }

  /** Adds all entries of a table that is not in the directory any more. */
  #moveAll(partition: IndexPartition): void {
    this.#readHashes(partition);
    const hashes = this.#hashes.subarray(0, partition.groups * GROUP_SLOTS);
    for (const [place, hash] of hashes.entries()) {
      const ref = partition.at(place);
      if (ref !== 0) this.insert(hash, ref);
    }
    this.#discard(partition);
  }

  #discard(partition: IndexPartition): void {
    this.reservedBytes -= partition.bytes;
    partition.discard();
  }

  clear(): void {
    for (const partition of new Set(this.#directory)) this.#discard(partition);
    this.#reset();
  }

  /** The address of the key with this hash, or 0. */
  find(hash: number, buffer: Buffer, start: number, end: number): number {
    return this.#directory[hash >>> this.#shift].find(hash, this.#keys, buffer, start, end);
  }

  /**
   * Reads the places of the first `count` of these hashes, to have them in the cache of the processor: the waits for memory overlap. There
   * must be one element more, which gets a number without meaning.
   */
  touch(hashes: Int32Array, count: number): void {
    let sum = 0;
    for (let i = 0; i < count; i++) sum ^= this.#directory[hashes[i] >>> this.#shift].touch(hashes[i]);
    // Or else the compiler would leave out what is read for its own sake.
    hashes[count] = sum;
  }

  /**
   * As `touch` of up to 16 hashes, and then reads the record of each, by the first tag that is alike. One step after the other for all of them: the less is done between
   * two reads, the more of them are under way.
   */
  touchEntries(hashes: Int32Array, count: number): void {
    this.touch(hashes, count);
    const refs = this.#refs;
    for (let i = 0; i < count; i++) refs[i] = this.#directory[hashes[i] >>> this.#shift].candidate(hashes[i]);
    let sum = 0;
    for (let i = 0; i < count; i++) if (refs[i] !== 0) sum ^= this.#keys.touchByte(refs[i]);
    hashes[count] = sum;
  }

  /** Adds a key that is not there. */
  insert(hash: number, ref: number): void {
    let partition = this.#directory[hash >>> this.#shift];
    while (partition.count >= partition.groups * GROUP_SLOTS * MAX_LOAD) {
      this.#grow(hash, partition);
      partition = this.#directory[hash >>> this.#shift];
    }
    partition.add(hash, ref);
    this.size++;
  }

  /** The record at `from` is now at `to`. */
  replace(hash: number, from: number, to: number): void {
    if (!this.#directory[hash >>> this.#shift].replace(hash, from, to)) throw new Error('no such entry');
  }

  remove(hash: number, ref: number): void {
    const partition = this.#directory[hash >>> this.#shift];
    if (!partition.remove(hash, ref)) throw new Error('no such entry');
    this.size--;
    if (partition.groups > 1 && partition.count < partition.groups * GROUP_SLOTS * MIN_LOAD)
      this.#shrink(hash, partition);
  }

  #grow(hash: number, partition: IndexPartition): void {
    if (partition.groups >= MAX_GROUPS && partition.depth < MAX_DEPTH) this.#split(hash, partition);
    else this.#resize(hash, partition);
  }

  /** Builds the table anew, with as many groups as it needs. */
  #resize(hash: number, partition: IndexPartition): void {
    const resized = this.#create(partition.depth, groupsFor(partition.count + 1));
    this.#readHashes(partition);
    partition.moveTo(this.#hashes, resized);
    this.#enter(hash, partition.depth, resized, resized);
    this.#discard(partition);
  }

  #split(hash: number, partition: IndexPartition): void {
    const depth = partition.depth + 1;
    if (depth > 32 - this.#shift) this.#doubleDirectory();
    const inHigh = this.#readHashes(partition);
    const low = this.#create(depth, groupsFor(partition.count - inHigh));
    const high = this.#create(depth, groupsFor(inHigh));
    partition.moveTo(this.#hashes, low, high);
    this.#enter(hash, partition.depth, low, high);
    this.#discard(partition);
    if (depth === 32 - this.#shift) this.#deepest += 2;
  }

  #shrink(hash: number, partition: IndexPartition): void {
    if (partition.depth > 0) {
      const other = this.#directory[(hash ^ (HASHES / 2 ** partition.depth)) >>> this.#shift];
      const room = MAX_GROUPS * GROUP_SLOTS * MERGED_LOAD;
      if (other.depth === partition.depth && other.count + partition.count < room) {
        this.#merge(hash, partition, other);
        return;
      }
    }
    if (groupsFor(partition.count + 1) < partition.groups) this.#resize(hash, partition);
  }

  #merge(hash: number, first: IndexPartition, second: IndexPartition): void {
    const { depth } = first;
    const merged = this.#create(depth - 1, groupsFor(first.count + second.count + 1));
    for (const half of [first, second]) {
      this.#readHashes(half);
      half.moveTo(this.#hashes, merged);
    }
    this.#enter(hash, depth - 1, merged, merged);
    this.#discard(first);
    this.#discard(second);
    if (depth === 32 - this.#shift) this.#deepest -= 2;
    while (this.#deepest === 0 && this.#shift < 31) this.#halveDirectory();
  }

  #readHashes(partition: IndexPartition): number {
    const places = partition.groups * GROUP_SLOTS;
    if (this.#hashes.length <= places) this.#hashes = new Int32Array(places + 1);
    return partition.readHashes(this.#keys, this.#hashes);
  }

  /** Puts two tables, or one twice, into the places of all hashes that begin with the first `depth` bits of this one. */
  #enter(hash: number, depth: number, low: IndexPartition, high: IndexPartition): void {
    const directory = this.#directory;
    const count = 2 ** (32 - this.#shift - depth);
    const first = Math.floor((hash >>> this.#shift) / count) * count;
    for (let i = 0; i < count; i++) directory[first + i] = i < count / 2 ? low : high;
  }

  #doubleDirectory(): void {
    const old = this.#directory;
    this.#directory = Array.from({ length: old.length * 2 }, (_, i) => old[i >> 1]);
    this.#shift--;
    this.#deepest = 0;
  }

  #halveDirectory(): void {
    const old = this.#directory;
    this.#directory = Array.from({ length: old.length / 2 }, (_, i) => old[i * 2]);
    this.#shift++;
    const bits = 32 - this.#shift;
    this.#deepest = new Set(this.#directory.filter(({ depth }) => depth === bits)).size;
  }

  /**
   * Calls `visit` for the entries of a small range of hashes and returns where the next range begins, 0 at the end. From 0 to 0, each entry that
   * is there all the time is visited exactly once, whatever is added, removed, moved or resized in between: the cursor is the lowest hash
   * not yet visited. `visit` must not mutate.
   */
  scan(cursor: number, visit: (ref: number) => void): number {
    let from = cursor;
    if (this.size === 0 || !(from < HASHES)) return 0;
    for (let left = SCAN_GROUPS, visited = 0; left > 0 && visited === 0; left--) {
      const partition = this.#directory[from >>> this.#shift];
      const { depth } = partition;
      const span = HASHES / 2 ** depth;
      const base = from - (from % span);
      const home = partition.homeOf(from);
      visited = partition.visitHome(home, from, this.#keys, visit);
      from = base + (partition.firstOf(home + 1) * span) / 65536;
      if (from >= HASHES) return 0;
    }
    return from;
  }

  /** Any entry, each as likely (nearly so when most of the tables are empty); 0 when there is none. */
  random(random: { int(n: number): number }): number {
    if (this.size === 0) return 0;
    const bits = 32 - this.#shift;
    const isOne = this.#directory[0].depth === 0;
    const places = (isOne ? this.#directory[0].groups : MAX_GROUPS) * GROUP_SLOTS;
    for (let tries = 0; tries < RANDOM_TRIES; tries++) {
      const partition = this.#directory[random.int(this.#directory.length)];
      // A table that is in the directory more often is drawn more often; its places are as many times more.
      const place = random.int(isOne ? places : places * 2 ** (bits - partition.depth));
      if (place >= partition.groups * GROUP_SLOTS) continue;
      const ref = partition.at(place);
      if (ref !== 0) return ref;
    }
    return this.#anyFrom(random.int(this.#directory.length));
  }

  /** The first entry of the tables from this one on. */
  #anyFrom(start: number): number {
    const directory = this.#directory;
    for (let i = 0; i < directory.length; i++) {
      const partition = directory[(start + i) % directory.length];
      for (let place = 0; place < partition.groups * GROUP_SLOTS && partition.count > 0; place++) {
        if (partition.at(place) !== 0) return partition.at(place);
      }
    }
    return 0;
  }
}

function groupsFor(count: number): number {
  return Math.max(1, Math.ceil(count / (GROUP_SLOTS * GROWN_LOAD)));
}
