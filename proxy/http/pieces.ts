const FIRST_BLOCK_BYTES = 1024;
const BLOCK_BYTES = 64 * 1024;

/**
 * Puts the chunks of a body together in blocks: however small the chunks are, what is held is little more than their bytes, and a long body
 * needs no second copy.
 */
export class PieceCollector {
  readonly #declared: number;
  readonly #pieces: Buffer[] = [];
  #block = Buffer.alloc(0);
  #used = 0;
  /** Bytes so far. */
  bytes = 0;

  /** `declared`: how many bytes will come, 0 when nobody knows. */
  constructor(declared: number) {
    this.#declared = declared;
  }

  /** Takes a chunk over. */
  add(chunk: Buffer): void {
    if (this.bytes === 0 && chunk.length === this.#declared) this.#pieces.push(chunk);
    else this.#copy(chunk);
    this.bytes += chunk.length;
  }

  /** All of it. */
  finish(): readonly Buffer[] {
    this.#closeBlock();
    return this.#pieces;
  }

  #copy(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#used === this.#block.length) this.#openBlock(this.bytes + at, chunk.length - at);
      const copied = chunk.copy(this.#block, this.#used, at);
      this.#used += copied;
      at += copied;
    }
  }

  #openBlock(sofar: number, wanted: number): void {
    this.#closeBlock();
    const left = this.#declared > sofar ? this.#declared - sofar : Math.max(FIRST_BLOCK_BYTES, wanted, sofar);
    this.#block = Buffer.allocUnsafeSlow(Math.min(BLOCK_BYTES, left));
  }

  #closeBlock(): void {
    if (this.#used > 0) this.#pieces.push(this.#block.subarray(0, this.#used));
    this.#block = Buffer.alloc(0);
    this.#used = 0;
  }
}
