/** Entries of a bucket: one cache line. */
const WAYS = 16;
/** On average a bucket has this many entries, so that few of them are dropped before their time. */
const MEAN_FILL = 9;
const MIN_BUCKETS = 4;
const MAX_BUCKETS = 2 ** 22;
/** How long a former table is kept. */
const FORMER_WINDOWS = 2;
/** Steps of the clock in a window, how many of them are kept apart, and the bits of a step in an entry. */
const WINDOW_STEPS = 512;
const RING = 8192;
const STEP_MASK = 0xffff;

/**
 * Remembers what was evicted lately, as a first-in-first-out queue of `windowBytes` would: fingerprints of 16 bits, each with the time it came, in
 * 4 bytes. Now and then (about once in 10,000) it takes a key for one it knows.
 *
 * The clock counts evicted bytes in steps. Of each step it is known how many bytes came in it and have not been taken out again, and so which steps
 * the queue would still hold: what is taken out makes room for what is older.
 *
 * When the entries become smaller or larger than expected, a second table takes over, and the first is kept for a while.
 */
export class GhostTable {
  #table = new Int32Array(0);
  #former = new Int32Array(0);
  /** Cumulative bytes, and when the former table has nothing to say any more. */
  #clock = 0;
  #formerUntil = 0;
  /** Bytes and entries that came in each of the last steps and are still there. */
  readonly #stepBytes = new Float64Array(RING);
  readonly #stepEntries = new Int32Array(RING);
  /** The present step, the oldest one that the queue holds, and the bytes of all it holds. */
  #now = 0;
  #oldest = 0;
  #heldBytes = 0;
  /** Entries added since the table was made. */
  #entries = 0;
  /** Entries and bytes since the fit was looked at. */
  #added = 0;
  #addedBytes = 0;
  #windowBytes = 0;

  get reservedBytes(): number {
    // What has not been written to is not resident yet.
    return Math.min(this.#table.length, this.#entries * WAYS) * 4 + this.#former.length * 4 + RING * 12;
  }

  clear(): void {
    discard(this.#table);
    discard(this.#former);
    this.#table = new Int32Array(0);
    this.#former = new Int32Array(0);
    this.#entries = 0;
    this.#added = 0;
    this.#addedBytes = 0;
    this.#stepBytes.fill(0);
    this.#stepEntries.fill(0);
    this.#oldest = this.#now;
    this.#heldBytes = 0;
  }

  /** Remembers a key of which `bytes` were evicted, for the next `windowBytes`. */
  add(hash: number, bytes: number, windowBytes: number): void {
    if (windowBytes <= 0) return;
    if (this.#windowBytes === 0 || Math.abs(windowBytes - this.#windowBytes) > this.#windowBytes / 8) {
      // Steps of another length: what was noted with the former ones would be misread.
      this.clear();
      this.#windowBytes = windowBytes;
    }
    this.#clock += bytes;
    this.#turnClock();
    this.#stepBytes[this.#now % RING] += bytes;
    this.#stepEntries[this.#now % RING]++;
    this.#heldBytes += bytes;
    while (this.#heldBytes > windowBytes && this.#oldest < this.#now) this.#dropOldest();
    this.#added++;
    this.#entries++;
    this.#addedBytes += bytes;
    this.#fit(bytes);
    const table = this.#table;
    table[this.#victim(table, hash)] = ((hash & STEP_MASK) << 16) | this.#mark;
  }

  #turnClock(): void {
    const turned = Math.floor((this.#clock / this.#windowBytes) * WINDOW_STEPS);
    // After a change of the window, steps have another length; they only ever go on.
    for (let steps = Math.min(RING, turned - this.#now); steps > 0; steps--) {
      this.#now++;
      if (this.#now - this.#oldest === RING) this.#dropOldest();
      this.#stepBytes[this.#now % RING] = 0;
      this.#stepEntries[this.#now % RING] = 0;
    }
  }

  #dropOldest(): void {
    this.#heldBytes -= this.#stepBytes[this.#oldest % RING];
    this.#oldest++;
  }

  /** Whether the key is remembered; forgets it. */
  take(hash: number): boolean {
    return this.#takeFrom(this.#table, hash) || this.#takeFrom(this.#former, hash);
  }

  /** The present step as entries have it: 0 in a table means "nothing", so no step is 0. */
  get #mark(): number {
    return (this.#now % STEP_MASK) + 1;
  }

  /** In steps. */
  #ageOf(entry: number): number {
    const age = this.#mark - (entry & STEP_MASK);
    return age < 0 ? age + STEP_MASK : age;
  }

  #takeFrom(table: Int32Array, hash: number): boolean {
    if (table.length === 0) return false;
    const first = bucketOf(table, hash);
    for (let at = first; at < first + WAYS; at++) {
      const entry = table[at];
      if (entry === 0 || entry >>> 16 !== (hash & STEP_MASK)) continue;
      table[at] = 0;
      const age = this.#ageOf(entry);
      if (age > this.#now - this.#oldest) continue;
      this.#takeOut((this.#now - age) % RING);
      return true;
    }
    return false;
  }

  /** One of the entries of a step has been taken out: it counts as one of their mean size. */
  #takeOut(step: number): void {
    const entries = this.#stepEntries[step];
    if (entries === 0) return;
    const bytes = this.#stepBytes[step] / entries;
    this.#stepBytes[step] -= bytes;
    this.#stepEntries[step]--;
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
  #fit(bytes: number): void {
    if (this.#formerUntil <= this.#clock && this.#former.length > 0) {
      discard(this.#former);
      this.#former = new Int32Array(0);
    }
    const isFirst = this.#table.length === 0;
    if (!isFirst && this.#addedBytes < this.#windowBytes / 16) return;
    const mean = isFirst ? bytes : this.#addedBytes / this.#added;
    this.#added = 0;
    this.#addedBytes = 0;
    const wanted = bucketsFor(this.#windowBytes / mean);
    const present = this.#table.length / WAYS;
    if (this.#former.length > 0 || (wanted <= present * 1.5 && wanted >= present / 3)) return;
    this.#former = this.#table;
    this.#formerUntil = this.#clock + FORMER_WINDOWS * this.#windowBytes;
    this.#table = new Int32Array(wanted * WAYS);
    this.#entries = 0;
  }
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
