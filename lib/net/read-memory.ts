import { slabMemory } from '../base/index.ts';

/** As much as libuv reads at once by itself. */
const READ_BYTES = 64 * 1024;
/** What chunks that are kept are put together in; those from `LONG_BYTES` on get memory of their own, and more is expected to follow. */
const SLAB_BYTES = 128 * 1024;
const LONG_BYTES = 32 * 1024;
/** For one long read. From 256 KiB on the allocator asks the system each time. */
const LENT_BYTES = 192 * 1024;
/** Shorter reads are copied out after all: too much of the memory would be empty, and whoever bounds what it holds counts what came. */
const MIN_LENT_BYTES = (2 * LENT_BYTES) / 3;
/** 12 MiB. */
const MAX_SPARE = 64;

/** What sockets read into by turns, while what comes is short or not kept. */
const shared = Buffer.allocUnsafeSlow(READ_BYTES);
/** Memory of long reads that nobody needs any more. */
const spare: Buffer[] = [];
/** By what lies below: memory of long reads that somebody keeps. */
const lent = new WeakMap<ArrayBufferLike, Buffer>();

/** What came is `memory[start, end)`. */
export type RangeListener = (memory: Buffer, start: number, end: number) => void;

/**
 * Where one socket reads to. All share one piece of memory, out of which what is kept is copied side by side. A socket whose listener gives memory back gets
 * some of its own for each read of a long value instead, which is handed on as it is.
 */
export class ReadMemory {
  #next: Buffer | null = shared;

  /** For node, after each read: where the next one goes, or null for where the last one went. */
  take(): Buffer | null {
    const next = this.#next;
    this.#next = null;
    return next;
  }

  /** Gives what has just come, the first `length` bytes of `memory`, to `listener`, which may keep it. `lends`: what it keeps comes back by `recycle`. */
  deliver(memory: Buffer, length: number, listener: RangeListener, lends: boolean): void {
    if (memory === shared) {
      if (lends && length >= LONG_BYTES) this.#next = blank();
      copyOut(memory, length, listener);
    } else if (length >= MIN_LENT_BYTES) {
      this.#next = blank();
      lent.set(memory.buffer, memory);
      listener(memory, 0, length);
    } else {
      this.#next = shared;
      copyOut(memory, length, listener);
      putBack(memory);
    }
  }
}

/**
 * Lets memory be read into again. `pieces`: what a `RangeListener` got and nobody looks at any more, each either all that came in one call or a
 * copy; copies are left alone.
 */
export function recycle(pieces: Iterable<Buffer>): void {
  for (const { buffer } of pieces) {
    const memory = lent.get(buffer);
    if (memory === undefined) continue;
    lent.delete(buffer);
    putBack(memory);
  }
}

function blank(): Buffer {
  return spare.pop() ?? slabMemory(LENT_BYTES);
}

function putBack(memory: Buffer): void {
  if (spare.length < MAX_SPARE) spare.push(memory);
}

let slab: Buffer = Buffer.alloc(0);
let used = 0;

/** Copies the bytes behind those that came before: for many small chunks that are forgotten soon. */
function copyOut(memory: Buffer, length: number, listener: RangeListener): void {
  if (length >= LONG_BYTES) {
    const copy = slabMemory(length);
    memory.copy(copy, 0, 0, length);
    listener(copy, 0, length);
    return;
  }
  if (used + length > slab.length) {
    slab = slabMemory(SLAB_BYTES);
    used = 0;
  }
  const start = used;
  used += length;
  memory.copy(slab, start, 0, length);
  listener(slab, start, used);
}
