/** Smaller pieces do not add up to enough. */
const LEAST_SHARED_BYTES = 1 << 20;
/** So much is kept for reuse, and twice as much may wait for a collection: a part of what is in use, but at least so many bytes. */
const IDLE_PARTS = 64;
const LEAST_IDLE_BYTES = 8 << 20;
/** And never more is kept than this part of what is in use. */
const MOST_KEPT_PART = 1 / 8;
/** More than V8 lets anybody allocate beside its heap before it collects. Never touched, so it takes no memory. */
const NUDGE_BYTES = 128 << 20;

/** What may wait for the next `tend`, of the most there have been: each collection stops the process twice for several milliseconds. */
const WAITING_PARTS = 4;
/** Calls of `tend` before a collection is asked for again, some seconds, and how often it is. */
const CALLS_PER_ASKING = 1024;
const MAX_ASKINGS = 4;

/**
 * Where segments get their memory.
 *
 * V8 runs a full collection whenever some 30 MB of ArrayBuffers have come into being, each a pause of several milliseconds, though there is
 * nothing to collect: a store that fills at 300 MB/s would stand still ten times a second. It does not count shared buffers, so what a store
 * grows by comes from these. They cannot be given back at once as others can (`transfer`): a few are kept for the next segments, and when
 * many have been let go, a collection is asked for. What does not make the store larger than it has been comes from ordinary buffers.
 */
export class SegmentMemory {
  readonly #kept: SharedArrayBuffer[] = [];
  readonly #collected = new FinalizationRegistry<number>((bytes) => {
    this.#uncollectedBytes -= bytes;
  });
  /** Bytes in use, and the most there have been since there were twice as many as now. */
  #used = 0;
  #most = 0;
  #keptBytes = 0;
  /** Bytes let go that V8 has not collected, and those of them let go since it was asked to. */
  #uncollectedBytes = 0;
  #unaskedBytes = 0;
  #calls = 0;
  /** Somebody may still hold the last piece: that is not worth a collection for ever. */
  #askingsLeft = 0;

  /** Bytes kept that no segment uses. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  take(bytes: number): Buffer {
    const kept = this.#kept.findLastIndex(({ byteLength }) => byteLength === bytes);
    this.#used += bytes;
    const isGrowing = this.#used > this.#most;
    if (isGrowing) this.#most = this.#used;
    if (kept >= 0) {
      this.#keptBytes -= bytes;
      return Buffer.from(this.#kept.splice(kept, 1)[0]);
    }
    if (isGrowing && bytes >= LEAST_SHARED_BYTES) return Buffer.from(new SharedArrayBuffer(bytes));
    return Buffer.allocUnsafeSlow(bytes);
  }

  /** Nobody may use these bytes any more. */
  release({ buffer }: Buffer): void {
    this.#used -= buffer.byteLength;
    if (this.#used < this.#most / 2) this.#most = this.#used;
    if (buffer instanceof ArrayBuffer) {
      buffer.transfer(0);
    } else {
      this.#kept.push(buffer);
      this.#keptBytes += buffer.byteLength;
    }
    const most = Math.min(this.#used * MOST_KEPT_PART, this.#allowance);
    while (this.#keptBytes > most) this.#letGo();
  }

  get #allowance(): number {
    return Math.max(this.#used / IDLE_PARTS, LEAST_IDLE_BYTES);
  }

  #letGo(): void {
    const buffer = this.#kept.shift()!;
    this.#keptBytes -= buffer.byteLength;
    this.#uncollectedBytes += buffer.byteLength;
    this.#unaskedBytes += buffer.byteLength;
    this.#collected.register(buffer, buffer.byteLength);
    this.#askingsLeft = MAX_ASKINGS;
    if (this.#unaskedBytes > Math.max(2 * this.#allowance, this.#most / WAITING_PARTS)) this.#ask();
  }

  /** To be called from time to time: a collection that was already under way has not seen what was let go meanwhile. */
  tend(): void {
    if (this.#askingsLeft === 0 || this.#uncollectedBytes <= 2 * this.#allowance) return;
    if (++this.#calls % CALLS_PER_ASKING === 0) this.#ask();
  }

  #ask(): void {
    this.#unaskedBytes = 0;
    this.#askingsLeft--;
    askForCollection();
  }
}

/** Has V8 collect garbage soon, though it does not see how much memory that would free. */
export function askForCollection(): void {
  new ArrayBuffer(NUDGE_BYTES).transfer(0);
}
