/**
 * A long value while it comes from its origin: whoever may pass it on in parts takes them from here, each at its own pace. Everybody gets the same pieces,
 * which are kept until the last one has them.
 */
export class ArrivingValue implements AsyncIterable<Buffer> {
  /** How long it will be. */
  readonly bytes: number;
  /** Milliseconds that it lives; null: nobody knows. */
  readonly ttlMs: number | null;
  readonly #pieces: Buffer[] = [];
  #waiting: (() => void)[] = [];
  #isWhole = false;
  #error: Error | null = null;

  constructor(bytes: number, ttlMs: number | null) {
    this.bytes = bytes;
    this.ttlMs = ttlMs;
  }

  /** The next piece has come. */
  push(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#wake();
  }

  /** That was the last. */
  end(): void {
    this.#isWhole = true;
    this.#wake();
  }

  /** No more will come: whoever reads it fails, behind what has come. */
  fail(error: Error): void {
    this.#error = error;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    for (let next = 0; ; ) {
      while (next < this.#pieces.length) yield this.#pieces[next++];
      if (this.#error !== null) throw this.#error;
      if (this.#isWhole) return;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const go of waiting) go();
  }
}
