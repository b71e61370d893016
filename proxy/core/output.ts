import type { Socket } from 'node:net';
import { slabMemory } from '../../lib/base/index.ts';
import { writeBytes, writePieces } from '../../lib/net/index.ts';
import type { Request } from './request.ts';
import { copyRange, LONGEST_VIEW, StartViews } from './slab.ts';

const SLAB_BYTES = 256 * 1024;
const NO_BYTES = Buffer.alloc(0);
/** Ranges from this size on are written as they lie; shorter ones are copied together. */
const COPY_LIMIT_BYTES = 16 * 1024;

/**
 * Puts the byte ranges of one turn together for one socket: neighbours in the same buffer become one range, a single range is
 * written as it lies, small ones are copied into one piece, large ones go along uncopied. One write per call of `writeTo`.
 *
 * One instance serves all sockets of a thread: `add`, `add`, …, `writeTo` within one function, never across turns.
 */
export class Output {
  readonly #buffers: Buffer[] = [];
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  #count = 0;
  #slab: Buffer = slabMemory(SLAB_BYTES);
  #slabUsed = 0;
  /** Bytes of `#slab` that were added as copies since the last `writeTo`. */
  #copied = 0;
  readonly #views = new StartViews();
  /** Bytes added since the last `writeTo`. */
  bytes = 0;

  /** Appends `buffer[start, end)`. The bytes must not change until the socket has taken them. */
  add(buffer: Buffer, start: number, end: number): void {
    const last = this.#count - 1;
    this.bytes += end - start;
    if (last >= 0 && this.#ends[last] === start && this.#buffers[last] === buffer) {
      this.#ends[last] = end;
      return;
    }
    this.#buffers[this.#count] = buffer;
    this.#starts[this.#count] = start;
    this.#ends[this.#count++] = end;
  }

  /** As `add`, of bytes that are copied at once: for many short ranges that do not lie side by side. */
  addCopy(buffer: Buffer, start: number, end: number): void {
    const length = end - start;
    this.#makeRoom(length);
    const at = this.#slabUsed;
    this.#slabUsed = copyRange(buffer, start, end, this.#slab, at);
    this.#copied += length;
    this.add(this.#slab, at, this.#slabUsed);
  }

  /** Appends all bytes that a request holds. */
  addRequest(request: Request): void {
    this.add(request.bytes, request.start, request.end);
    if (request.rest !== null) for (const piece of request.rest) this.add(piece, 0, piece.length);
  }

  /** Hands everything added to `socket`. Returns false when the socket asks to wait for its `drain`. */
  writeTo(socket: Socket): boolean {
    const count = this.#count;
    if (count === 0) return true;
    const flows = this.#write(socket, count);
    this.#count = 0;
    this.bytes = 0;
    // The system has it all: the memory may be used again, while it lies in the processor's cache.
    if (socket.writableLength === 0) this.#slabUsed -= this.#copied;
    this.#copied = 0;
    return flows;
  }

  #write(socket: Socket, count: number): boolean {
    const { bytes } = this;
    if (count === 1 && bytes > LONGEST_VIEW)
      return writeBytes(socket, this.#forget(0).subarray(this.#starts[0], this.#ends[0]));
    if (bytes > SLAB_BYTES / 4) return this.#writePieces(socket);
    return writeBytes(socket, this.#copy(0, count, bytes));
  }

  /** The buffer of a range, which is held no longer. */
  #forget(i: number): Buffer {
    const buffer = this.#buffers[i];
    this.#buffers[i] = NO_BYTES;
    return buffer;
  }

  #copy(from: number, to: number, bytes: number): Buffer {
    this.#makeRoom(bytes);
    const slab = this.#slab;
    const start = this.#slabUsed;
    let at = start;
    for (let i = from; i < to; i++) at = copyRange(this.#forget(i), this.#starts[i], this.#ends[i], slab, at);
    this.#slabUsed = at;
    this.#copied += bytes;
    return start === 0 ? this.#views.of(slab, bytes) : slab.subarray(start, at);
  }

  #makeRoom(bytes: number): void {
    if (this.#slabUsed + bytes <= this.#slab.length) return;
    this.#slab = slabMemory(Math.max(SLAB_BYTES, bytes));
    this.#slabUsed = 0;
    this.#copied = 0;
  }

  #writePieces(socket: Socket): boolean {
    const pieces: Buffer[] = [];
    let from = 0;
    let small = 0;
    for (let i = 0; i < this.#count; i++) {
      const length = this.#ends[i] - this.#starts[i];
      if (length < COPY_LIMIT_BYTES) {
        small += length;
        continue;
      }
      if (small > 0) pieces.push(this.#copy(from, i, small));
      pieces.push(this.#forget(i).subarray(this.#starts[i], this.#ends[i]));
      from = i + 1;
      small = 0;
    }
    if (small > 0) pieces.push(this.#copy(from, this.#count, small));
    return writePieces(socket, pieces);
  }
}
