import { dropSlabs, slabMemory } from '../base/index.ts';

/** As much as libuv reads at once by itself. */
const READ_BYTES = 64 * 1024;
/** What chunks that are kept are put together in; those from `LONG_BYTES` on get memory of their own. */
const SLAB_BYTES = 128 * 1024;
const LONG_BYTES = 32 * 1024;
/**
 * For long reads. Not more than 256 KiB, from where on the allocator asks the system each time; and not a multiple of 64 KiB, which would leave the last few
 * bytes of values of 1 MiB to a read of their own.
 */
const LENT_BYTES = 208 * 1024;
/** As much must be awaited, so that memory is not mostly empty: whoever bounds what it holds counts what came. */
const MIN_AWAITED_BYTES = 96 * 1024;
/** What lies free at its end is read into from this much on. */
const MIN_ROOM_BYTES = 64 * 1024;
/** So many sockets of a thread at most hold memory for something long that may come next: 13 MiB. */
const MAX_EXPECTING = 64;
/** Kept at most, for each thread: 65 MiB. */
const MAX_SPARE = 320;
/** Of what was not needed for so long, half is let go. */
const TRIM_MS = 10_000;

/** What sockets read into by turns, while what comes is short or not kept. */
const shared = Buffer.allocUnsafeSlow(READ_BYTES);

/** Memory that one socket reads long pieces into, one behind the other, until all that lies in it has been given back. */
interface Lent {
  readonly memory: Buffer;
  /** Bytes from its start on that are in use, or have been. */
  used: number;
  /** Bytes that somebody keeps. */
  owed: number;
  /** Its socket reads into it next. */
  isTarget: boolean;
  /** Whose it is; null while it is spare. */
  owner: ReadMemory | null;
}

/** By what lies below. */
const lent = new WeakMap<ArrayBufferLike, Lent>();
/** Memory that nobody needs any more, what was used last at the end. */
const spare: Lent[] = [];
/** How many of them have not been needed lately. */
let idle = 0;
let isTrimming = false;
let expecting = 0;

/**
 * What came is `memory[start, end)`. Returns how many more bytes are awaited of something long that is kept in the pieces in which it comes, each of which
 * should come back by `recycle` (what does not is left to the collector); 0 if none.
 */
export type RangeListener = (memory: Buffer, start: number, end: number) => number;

/**
 * Where one socket reads to. All share one piece of memory, out of which what is kept is copied side by side. While the rest of something long is awaited, and
 * comes in long pieces, the socket reads it into memory of its own instead, and no further, and hands the pieces on as they are. The first piece of the next is
 * read there too where `mayExpect` says so, since who has sent one often sends another.
 */
export class ReadMemory {
  #next: Buffer | null = shared;
  #own: Lent | null = null;
  /** More is awaited of something that does not fit `LENT_BYTES`. */
  #isAwaiting = false;
  #isExpecting = false;
  /** Whether the listener gives back first pieces, too. */
  mayExpect = false;

  /** For node, after each read: where the next one goes, or null for where the last one went. */
  take(): Buffer | null {
    const next = this.#next;
    this.#next = null;
    return next;
  }

  /** Gives what has just come, the first `length` bytes of `memory`, to `listener`, which may keep it. */
  deliver(memory: Buffer, length: number, listener: RangeListener): void {
    const own = memory === shared ? null : this.#own;
    const isLong = length >= LONG_BYTES;
    const wasExpecting = this.#stopExpecting();
    const isKept = own !== null && (wasExpecting ? length >= READ_BYTES : isLong);
    const awaited = isKept ? handOn(own, length, listener) : copyOut(memory, length, listener);
    const next = awaited > 0 ? (isLong ? this.#roomFor(awaited) : null) : this.#expect();
    const isLongest = this.#isAwaiting || wasExpecting || awaited >= LENT_BYTES - READ_BYTES;
    this.#isAwaiting = awaited > 0 && isLongest;
    if (own !== null && next !== own) leave(own);
    if (next !== null)
      this.#next = next.memory.subarray(
        next.used,
        awaited === 0 ? LENT_BYTES : Math.min(next.used + awaited, LENT_BYTES),
      );
    else if (own !== null) this.#next = shared;
  }

  /** The socket is gone. */
  close(): void {
    this.#stopExpecting();
    if (this.#own?.owner === this && this.#own.isTarget) leave(this.#own);
    this.#own = null;
  }

  /** Memory of its own with room for more behind what lies in it; null: what is awaited is too little for any. */
  #roomFor(awaited: number): Lent | null {
    const own = this.#own;
    if (own?.owner === this && LENT_BYTES - own.used >= Math.min(awaited, MIN_ROOM_BYTES)) {
      own.isTarget = true;
      return own;
    }
    return awaited < MIN_AWAITED_BYTES ? null : this.#fresh();
  }

  /** Memory for something long that may come next; null: it does not look like it, or too many have some. */
  #expect(): Lent | null {
    if (!this.#isAwaiting || !this.mayExpect || expecting >= MAX_EXPECTING) return null;
    this.#isExpecting = true;
    expecting++;
    return this.#fresh();
  }

  #stopExpecting(): boolean {
    if (!this.#isExpecting) return false;
    this.#isExpecting = false;
    expecting--;
    return true;
  }

  #fresh(): Lent {
    const next = blank();
    next.owner = this;
    next.isTarget = true;
    this.#own = next;
    return next;
  }
}

function handOn(own: Lent, length: number, listener: RangeListener): number {
  const start = own.used;
  own.used += length;
  own.owed += length;
  return listener(own.memory, start, own.used);
}

/** Its socket reads elsewhere next. */
function leave(own: Lent): void {
  own.isTarget = false;
  if (own.owed === 0) putBack(own);
}

/** Lets memory be read into again. `pieces`: what a `RangeListener` got and nobody looks at any more, each once and as it came; copies are left alone. */
export function recycle(pieces: Iterable<Buffer>): void {
  for (const piece of pieces) recycleBytes(piece, piece.length);
}

/** As `recycle`, for `length` bytes in the memory that `memory` is a view of. */
export function recycleBytes(memory: Buffer, length: number): void {
  const own = lent.get(memory.buffer);
  if (own === undefined) return;
  if (own.owed < length) throw new Error('memory was given back twice');
  own.owed -= length;
  if (own.owed === 0 && !own.isTarget) putBack(own);
}

function blank(): Lent {
  const own = spare.pop();
  if (own === undefined) return newLent();
  idle = Math.min(idle, spare.length);
  return own;
}

function newLent(): Lent {
  const memory = slabMemory(LENT_BYTES);
  const own: Lent = { memory, used: 0, owed: 0, isTarget: false, owner: null };
  lent.set(memory.buffer, own);
  return own;
}

function putBack(own: Lent): void {
  own.used = 0;
  own.owner = null;
  if (spare.length === MAX_SPARE) return;
  spare.push(own);
  if (!isTrimming) setTimeout(trim, TRIM_MS).unref();
  isTrimming = true;
}

function trim(): void {
  dropSlabs(spare.splice(0, Math.ceil(idle / 2)).length * LENT_BYTES);
  idle = spare.length;
  isTrimming = idle > 0;
  if (isTrimming) setTimeout(trim, TRIM_MS).unref();
}

let slab: Buffer = Buffer.alloc(0);
let used = 0;

/** Copies the bytes behind those that came before: for many small chunks that are forgotten soon. */
function copyOut(memory: Buffer, length: number, listener: RangeListener): number {
  if (length >= LONG_BYTES) {
    const copy = slabMemory(length);
    memory.copy(copy, 0, 0, length);
    return listener(copy, 0, length);
  }
  if (used + length > slab.length) {
    slab = slabMemory(SLAB_BYTES);
    used = 0;
  }
  const start = used;
  used += length;
  memory.copy(slab, start, 0, length);
  return listener(slab, start, used);
}
