import { recycle } from '../../lib/net/index.ts';
import type { Request } from './request.ts';

/** A frame that lacks at least this much (a command: or of which as much has come) is kept in the pieces in which it comes, instead of being copied together. */
export const LARGE_BYTES = 64 * 1024;

const NO_BYTES = Buffer.alloc(0);

/** Chunks below this size are copied together: a piece costs memory of its own. */
const BLOCK_BYTES = 16 * 1024;

/** The pieces of a long frame behind its head, as they come: whole chunks of the socket, uncopied unless they are small. */
export class LargeFrame {
  readonly pieces: Buffer[] = [];
  /** Bytes in `pieces`. */
  bytes = 0;
  /** Bytes that have not come. */
  missing: number;
  /** Takes the small chunks; its filled part is the last of `pieces`. */
  #block: Buffer = NO_BYTES;
  #blockUsed = 0;

  /** `first`: what has come, but for the head. */
  constructor(missingBytes: number, first: Buffer = NO_BYTES) {
    this.missing = missingBytes;
    this.bytes = first.length;
    if (first.length > 0) this.pieces.push(first);
  }

  get isComplete(): boolean {
    return this.missing === 0;
  }

  /** Takes what belongs to the frame, and returns what lies behind it. */
  take(chunk: Buffer): Buffer {
    const length = Math.min(chunk.length, this.missing);
    const own = length === chunk.length ? chunk : chunk.subarray(0, length);
    if (length < BLOCK_BYTES) this.#copy(own);
    else {
      this.pieces.push(own);
      this.#block = NO_BYTES;
      this.#blockUsed = 0;
    }
    this.bytes += length;
    this.missing -= length;
    return length === chunk.length ? NO_BYTES : chunk.subarray(length);
  }

  #copy(small: Buffer): void {
    if (this.#blockUsed + small.length > this.#block.length) {
      this.#block = Buffer.allocUnsafe(Math.min(BLOCK_BYTES, this.missing));
      this.#blockUsed = 0;
    }
    if (this.#blockUsed > 0) this.pieces.pop();
    small.copy(this.#block, this.#blockUsed);
    this.#blockUsed += small.length;
    this.pieces.push(this.#block.subarray(0, this.#blockUsed));
  }

  /** Whether the complete frame ends as bulk strings do. */
  get endsWell(): boolean {
    return this.#fromEnd(2) === 0x0d && this.#fromEnd(1) === 0x0a;
  }

  #fromEnd(n: number): number {
    const last = this.pieces[this.pieces.length - 1];
    if (n <= last.length) return last[last.length - n];
    const before = this.pieces[this.pieces.length - 2];
    return before === undefined ? -1 : before[before.length - (n - last.length)];
  }
}

/** The node has read a large command to its end and done it: what its pieces were read into serves again, unless another node may be reading them too. */
export function recyclePieces({ rest, ownsRest, isWrite, retries }: Request): void {
  if (rest !== null && ownsRest && isWrite && retries === 0) recycle(rest);
}

/** Copies a request's pieces together, for those who must look into them. */
export function joinPieces(request: Request): void {
  const { rest } = request;
  if (rest === null) return;
  const joined = Buffer.concat([request.bytes.subarray(request.start, request.end), ...rest]);
  request.bytes = joined;
  request.start = 0;
  request.end = joined.length;
  request.rest = null;
  request.restBytes = 0;
}
