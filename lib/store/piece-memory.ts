import { askForCollection } from './segment-memory.ts';

/** The two sizes in which values take most of their memory: pieces are cut from blocks, which the allocator gets from the system each by itself. */
export const PIECE_BYTES = 32 << 10;
export const BLOCK_BYTES = 256 << 10;
/** So much of each size is kept for the next ones. */
const MAX_KEPT_BYTES = 4 << 20;
/** A collection is asked for when so much has been dropped: V8 would not run them less often for ordinary buffers. */
const DROPPED_BYTES = 32 << 20;
/** Calls of `tend` between two askings, and how often it asks: a collection that is under way may not have seen what was dropped. */
const CALLS_PER_ASKING = 32;
const ASKINGS = 3;

/**
 * Where large values get their memory: what they grow by is in shared buffers, for the reason that `SegmentMemory` gives. A piece or block
 * goes when nobody refers to it any more, as all memory in V8 does; whoever drops many says so, and a collection is asked for. Other sizes
 * are not many, and come from ordinary buffers.
 */
export class PieceMemory {
  readonly #pieces: Buffer[] = [];
  readonly #blocks: Buffer[] = [];
  #block: Buffer = Buffer.alloc(0);
  #droppedBytes = 0;
  #askingsLeft = 0;
  #calls = 0;

  /** Undefined bytes. */
  take(bytes: number): Buffer {
    if (bytes === PIECE_BYTES) return this.#pieces.pop() ?? this.#cut();
    if (bytes === BLOCK_BYTES) return this.#blocks.pop() ?? Buffer.from(new SharedArrayBuffer(bytes));
    return Buffer.allocUnsafeSlow(bytes);
  }

  #cut(): Buffer {
    if (this.#block.length === 0) this.#block = this.take(BLOCK_BYTES);
    const piece = this.#block.subarray(0, PIECE_BYTES);
    this.#block = this.#block.subarray(PIECE_BYTES);
    return piece;
  }

  /** Nobody may use these bytes any more: what `take` returned. */
  release(bytes: Buffer): void {
    const { buffer, length } = bytes;
    const kept = length === PIECE_BYTES ? this.#pieces : this.#blocks;
    if (buffer instanceof ArrayBuffer) buffer.transfer(0);
    else if ((kept.length + 1) * length <= MAX_KEPT_BYTES) kept.push(bytes);
    else this.dropped(length);
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
