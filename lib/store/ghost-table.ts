/** Entries of a bucket: one cache line. */
const WAYS = 16;
/** On average a bucket has this many entries, so that few of them are dropped before their time. */
const MEAN_FILL = 9;
const MIN_BUCKETS = 4;
const MAX_BUCKETS = 2 ** 22;
/**
 * An entry in 32 bits: a fingerprint of 15, the step in which it came in 10, its size in 7. Sizes are told to a quarter of an octave.
 */
const PRINT_SHIFT = 17;
const PRINT_MASK = 0x7fff;
const STEP_SHIFT = 7;
const STEP_MASK = 0x3ff;
const SIZE_MASK = 0x7f;
const SIZES_PER_OCTAVE = 4;
/** How many steps can be told apart, and how many of them make a window. Steps count from 1: an entry of 0 is none. */
const RING = 1023;
const WINDOW_STEPS = 128;
/** Words of one page of memory, which the system gives when it is first written to. */
const PAGE_WORDS = 1024;

/**
 * Remembers what was evicted lately, as a first-in-first-out queue of `windowBytes` would, in 4 bytes an entry. About once in 4,000 it takes
 * a key for one it knows.
 *
 * The clock counts evicted bytes in steps. Of each step it is known how many bytes came in it and have not been taken out again, and so how far
 * back the queue would reach: what is taken out makes room for what is older.
 *
 * When the entries become smaller or larger than expected, a second table takes over, and the first is kept as long as the queue reaches
 * back to it.
 */
export class GhostTable {
  #table = new Int32Array(0);
  #former = new Int32Array(0);
  /** The last step in which something came into the former table. */
  #formerStep = 0;
  /** Bytes that came in each of the last steps and are still there, and the same with sizes as entries tell them. */
  readonly #stepBytes = new Float64Array(RING);
  readonly #toldBytes = new Float64Array(RING);
  /** The present step, bytes that came in it, the oldest step that the queue holds, and the bytes of all it holds. */
  #step = 0;
  #bytesInStep = 0;
  #oldest = 0;
  #heldBytes = 0;
  /** Entries added since the table was made. */
  #entries = 0;
  /** Words of the table that `prepare` has written to. */
  #ready = 0;
  /** Entries and bytes since the fit was looked at. */
  #added = 0;
  #addedBytes = 0;

  get reservedBytes(): number {
    // What has not been written to is not resident yet.
    if (this.#table.length === 0) return 0;
    const table = Math.max(this.#ready, Math.min(this.#table.length, this.#entries * WAYS)) * 4;
    return table + this.#former.length * 4 + this.#stepBytes.byteLength + this.#toldBytes.byteLength;
  }

  clear(): void {
    if (this.#table.length === 0) return;
    discard(this.#table);
    discard(this.#former);
    this.#table = new Int32Array(0);
    this.#former = new Int32Array(0);
    this.#stepBytes.fill(0);
    this.#toldBytes.fill(0);
    this.#oldest = this.#step;
    this.#heldBytes = 0;
    this.#entries = 0;
    this.#ready = 0;
    this.#added = 0;
    this.#addedBytes = 0;
  }

  /**
   * Takes memory for as many entries as will be remembered, `pages` at a call: otherwise the first ones to be added take it all within a moment, when
   * there is least of it. True once there is no more to take.
   */
  prepare(windowBytes: number, meanBytes: number, pages: number): boolean {
    if (this.#table.length === 0) this.#table = new Int32Array(bucketsFor(windowBytes / meanBytes) * WAYS);
    const table = this.#table;
    const end = Math.min(table.length, this.#ready + pages * PAGE_WORDS);
    for (let at = this.#ready; at < end; at += PAGE_WORDS) table[at] |= 0;
    this.#ready = end;
    return end === table.length;
  }

  /**
   * Remembers a key of which `bytes` were evicted, until `windowBytes` are remembered that came later; what is
   * larger than that it does not remember. `meanBytes`: what entries take on
   * average, as far as the caller knows.
   */
  add(hash: number, bytes: number, windowBytes: number, meanBytes: number = bytes): void {
    if (bytes > windowBytes) return;
    this.#bytesInStep += bytes;
    if (this.#bytesInStep * WINDOW_STEPS >= windowBytes) this.#nextStep();
    const size = sizeClass(bytes);
    const at = this.#step % RING;
    this.#stepBytes[at] += bytes;
    this.#toldBytes[at] += toldBytes(size);
    this.#heldBytes += bytes;
    while (this.#heldBytes > windowBytes && this.#oldest < this.#step) this.#dropOldest();
    this.#added++;
    this.#entries++;
    this.#addedBytes += bytes;
    this.#fit(meanBytes, windowBytes);
    const table = this.#table;
    table[this.#victim(table, hash)] = ((hash & PRINT_MASK) << PRINT_SHIFT) | ((at + 1) << STEP_SHIFT) | size;
  }

  #nextStep(): void {
    this.#bytesInStep = 0;
    this.#step++;
    if (this.#step - this.#oldest === RING) this.#dropOldest();
    this.#stepBytes[this.#step % RING] = 0;
    this.#toldBytes[this.#step % RING] = 0;
  }

  #dropOldest(): void {
    this.#heldBytes -= this.#stepBytes[this.#oldest % RING];
    this.#oldest++;
  }

  /** Bytes it remembers. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Whether the key is remembered; forgets it. */
  take(hash: number): boolean {
    return this.#takeFrom(this.#table, hash) || this.#takeFrom(this.#former, hash);
  }

  /** In steps. */
  #ageOf(entry: number): number {
    const age = (this.#step % RING) + 1 - ((entry >>> STEP_SHIFT) & STEP_MASK);
    return age < 0 ? age + RING : age;
  }

  #takeFrom(table: Int32Array, hash: number): boolean {
    if (table.length === 0) return false;
    const print = hash & PRINT_MASK;
    const first = bucketOf(table, hash);
    for (let at = first; at < first + WAYS; at++) {
      const entry = table[at];
      if (entry === 0 || entry >>> PRINT_SHIFT !== print) continue;
      table[at] = 0;
      const age = this.#ageOf(entry);
      if (age > this.#step - this.#oldest) continue;
      this.#takeOut((this.#step - age) % RING, toldBytes(entry & SIZE_MASK));
      return true;
    }
    return false;
  }

  #takeOut(step: number, told: number): void {
    const all = this.#toldBytes[step];
    if (all <= 0) return;
    const bytes = Math.min(1, told / all) * this.#stepBytes[step];
    this.#stepBytes[step] -= bytes;
    this.#toldBytes[step] -= told;
    this.#heldBytes -= bytes;
  }

  /** A free place of the bucket, else the oldest. */
  #victim(table: Int32Array, hash: number): number {
    const first = bucketOf(table, hash);
    let victim = first;
    let oldest = -1;
    for (let at = first; at < first + WAYS; at++) {
      if (table[at] === 0) return at;
      const age = this.#ageOf(table[at]);
      if (age <= oldest) continue;
      oldest = age;
      victim = at;
    }
    return victim;
  }

  /** Makes a new table when the present one is much too small or too large for the entries of a window. */
  #fit(meanBytes: number, windowBytes: number): void {
    if (this.#former.length > 0 && this.#oldest > this.#formerStep) {
      discard(this.#former);
      this.#former = new Int32Array(0);
    }
    const isFirst = this.#table.length === 0;
    if (!isFirst && this.#addedBytes < windowBytes / 16) return;
    // What goes may be large for a while; room for entries of the mean size is kept.
    const mean = isFirst ? meanBytes : Math.min(meanBytes, this.#addedBytes / this.#added);
    this.#added = 0;
    this.#addedBytes = 0;
    const wanted = bucketsFor(windowBytes / mean);
    const present = this.#table.length / WAYS;
    if (this.#former.length > 0 || (wanted <= present * 1.2 && wanted >= present / 3)) return;
    this.#former = this.#table;
    this.#formerStep = this.#step;
    this.#table = new Int32Array(wanted * WAYS);
    this.#entries = 0;
    this.#ready = 0;
  }
}

function sizeClass(bytes: number): number {
  return Math.min(SIZE_MASK, Math.round(Math.log2(bytes) * SIZES_PER_OCTAVE));
}

function toldBytes(size: number): number {
  return 2 ** (size / SIZES_PER_OCTAVE);
}

function bucketsFor(entries: number): number {
  return Math.min(MAX_BUCKETS, Math.max(MIN_BUCKETS, Math.ceil(entries / MEAN_FILL)));
}

/** The first place of the bucket: from the leading bits, since the fingerprint has the others. */
function bucketOf(table: Int32Array, hash: number): number {
  return Math.floor(((hash >>> 0) / 2 ** 32) * (table.length / WAYS)) * WAYS;
}

/** Gives the memory back now rather than at some garbage collection. */
function discard(table: Int32Array): void {
  (table.buffer as ArrayBuffer).transfer(0);
}
