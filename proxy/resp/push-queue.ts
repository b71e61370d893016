import type { Output } from '../core/output.ts';

/** What is shorter is copied together while it has to wait: it would keep much more memory than its own. */
const COPY_BELOW_BYTES = 4096;
const BLOCK_BYTES = 16 * 1024;

/** Messages that wait to leave between the replies of one client. */
export class PushQueue {
  readonly #pieces: Buffer[] = [];
  /** Takes what is copied; its filled part is the last of the pieces. */
  #block: Buffer | null = null;
  #blockUsed = 0;
  /** All that waits. */
  bytes = 0;

  /** `isStuck`: the client has not read what it was sent, so that this will wait for longer than a turn. */
  add(bytes: Buffer, isStuck: boolean): void {
    this.bytes += bytes.length;
    if (isStuck && bytes.length < COPY_BELOW_BYTES) this.#copy(bytes);
    else {
      this.#pieces.push(bytes);
      this.#block = null;
    }
  }

  /** Hands everything to `output`, and is empty. */
  moveTo(output: Output): void {
    for (const piece of this.#pieces) output.add(piece, 0, piece.length);
    this.#pieces.length = 0;
    this.#block = null;
    this.bytes = 0;
  }

  #copy(bytes: Buffer): void {
    let block = this.#block;
    if (block === null || this.#blockUsed + bytes.length > block.length) {
      block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
      this.#block = block;
      this.#blockUsed = 0;
      this.#pieces.push(block);
    }
    this.#blockUsed += bytes.copy(block, this.#blockUsed);
    this.#pieces[this.#pieces.length - 1] = block.subarray(0, this.#blockUsed);
  }
}
