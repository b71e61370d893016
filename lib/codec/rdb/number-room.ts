const ROOM_BYTES = 24;
const MINUS = 0x2d;
const ZERO = 0x30;

/** Where the texts of numbers are written, by turns: one is good until the next but one. */
export class NumberRoom {
  readonly bytes = Buffer.allocUnsafeSlow(2 * ROOM_BYTES);
  /** Where the last one is. */
  start = 0;
  end = 0;
  #turn = 0;

  /** Writes the decimal text of a whole number. */
  write(value: number | bigint): void {
    this.#turn ^= ROOM_BYTES;
    this.end = this.#turn + ROOM_BYTES;
    if (typeof value !== 'number' || value !== (value | 0)) this.#writeLong(value);
    else if (value < 0) {
      this.#writeDigits(-value);
      this.bytes[--this.start] = MINUS;
    } else this.#writeDigits(value);
  }

  /** Digits from the last on; up to 2^31. */
  #writeDigits(value: number): void {
    const { bytes } = this;
    let at = this.end;
    let left = value >>> 0;
    do {
      const rest = Math.floor(left / 10);
      bytes[--at] = ZERO + left - rest * 10;
      left = rest;
    } while (left > 0);
    this.start = at;
  }

  #writeLong(value: number | bigint): void {
    const text = String(value);
    this.start = this.end - text.length;
    this.bytes.latin1Write(text, this.start);
  }
}
