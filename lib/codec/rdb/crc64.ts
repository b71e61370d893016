/* The polynomial of Jones (ad93d23594c935a9), bits reversed, in two halves. */
const POLYNOMIAL_HIGH = 0x95ac9329;
const POLYNOMIAL_LOW = 0xac4bc9b5;

const tableHigh = new Int32Array(256);
const tableLow = new Int32Array(256);

for (let byte = 0; byte < 256; byte++) {
  let high = 0;
  let low = byte;
  for (let bit = 0; bit < 8; bit++) {
    const carry = low & 1;
    low = (low >>> 1) | (high << 31);
    high >>>= 1;
    if (carry) high ^= POLYNOMIAL_HIGH;
    if (carry) low ^= POLYNOMIAL_LOW;
  }
  tableHigh[byte] = high;
  tableLow[byte] = low;
}

/**
 * The CRC-64 of Redis's dumps and files: polynomial of Jones, reflected, begun with 0, not inverted; `123456789` gives e9c6d914c4b8d9ca.
 * One byte a step, by table (Sarwate, 1988), in two 32-bit halves so that nothing is allocated.
 */
export class Crc64 {
  #high = 0;
  #low = 0;

  /** Goes on with these bytes. */
  update(buffer: Uint8Array, start: number, end: number): this {
    let high = this.#high;
    let low = this.#low;
    for (let i = start; i < end; i++) {
      const index = (low ^ buffer[i]) & 255;
      low = ((low >>> 8) | (high << 24)) ^ tableLow[index];
      high = (high >>> 8) ^ tableHigh[index];
    }
    this.#high = high;
    this.#low = low;
    return this;
  }

  /** Writes the eight bytes, the lowest first. */
  writeTo(target: Buffer, at: number): void {
    target.writeInt32LE(this.#low, at);
    target.writeInt32LE(this.#high, at + 4);
  }

  /** Whether these eight bytes are it. */
  equals(buffer: Buffer, at: number): boolean {
    return buffer.readInt32LE(at) === this.#low && buffer.readInt32LE(at + 4) === this.#high;
  }
}
