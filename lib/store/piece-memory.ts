import { askForCollection } from './segment-memory.ts';

/** What is smaller comes from V8 as it is: it does not add up to enough. */
export const PIECE_BYTES = 32 << 10;
/** Pieces of just that size are cut from blocks, which the allocator gets from the system and gives back by themselves. */
const BLOCK_BYTES = 256 << 10;
/** Pieces that are kept for the next ones: 4 MiB. */
const MAX_KEPT = 128;
/** A collection is asked for when so much has been dropped: V8 would not run them less often for ordinary buffers. */
const DROPPED_BYTES = 32 << 20;
/** Calls of `tend` between two askings, and how often it asks: a collection that is under way may not have seen what was dropped. */
const CALLS_PER_ASKING = 32;
const ASKINGS = 3;

/**
 * Where large values get their memory: in shared buffers, for the reason that `SegmentMemory` gives. A piece goes when nobody refers to it
 * any more, as all memory in V8 does; whoever drops many says so, and a collection is asked for.
 */
export class PieceMemory {
  readonly #kept: Buffer[] = [];
  #block: Buffer = Buffer.alloc(0);
  #droppedBytes = 0;
  #askingsLeft = 0;
  #calls = 0;

  /** Undefined bytes. */
  take(bytes: number): Buffer {
    if (bytes < PIECE_BYTES) return Buffer.allocUnsafeSlow(bytes);
    if (bytes > PIECE_BYTES) return Buffer.from(new SharedArrayBuffer(bytes));
    return this.#kept.pop() ?? this.#cut();
  }

  #cut(): Buffer {
    if (this.#block.length === 0) this.#block = Buffer.from(new SharedArrayBuffer(BLOCK_BYTES));
    const piece = this.#block.subarray(0, PIECE_BYTES);
    this.#block = this.#block.subarray(PIECE_BYTES);
    return piece;
  }

  /** Nobody may use these bytes any more: what `take` returned. */
  release(bytes: Buffer): void {
    const { buffer } = bytes;
    if (buffer instanceof ArrayBuffer) buffer.transfer(0);
    else if (bytes.length === PIECE_BYTES && this.#kept.length < MAX_KEPT) this.#kept.push(bytes);
    else this.dropped(bytes.length);
  }

  /** A value of about so many bytes has been left to V8 to collect. It has a small one in its accounts. */
  dropped(bytes: number): void {
    if (bytes >= PIECE_BYTES) this.#droppedBytes += bytes;
  }

  /** To be called from time to time, between commands: what a command has dropped it may still hold itself. */
  tend(): void {
    if (++this.#calls % CALLS_PER_ASKING > 0) return;
    if (this.#droppedBytes >= DROPPED_BYTES) {
      this.#droppedBytes = 0;
      this.#askingsLeft = ASKINGS;
    }
    if (this.#askingsLeft === 0) return;
    this.#askingsLeft--;
    askForCollection();
  }
}

/** The one that all values of a process share. */
export const pieceMemory = new PieceMemory();
