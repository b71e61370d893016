/* The polynomial of Jones (ad93d23594c935a9), bits reversed, in two halves. */
const POLYNOMIAL_HIGH = 0x95ac9329;
const POLYNOMIAL_LOW = 0xac4bc9b5;

/** Bytes of a step. */
const STEP = 8;
/** So much is summed in one call: a loop over all of a long stretch would be compiled in the midst of it, anew each time. */
const STRETCH_BYTES = 2048;

/** For each place of a step, counted from its end, and each byte: what the byte comes to there. */
const high = new Int32Array(256 * STEP);
const low = new Int32Array(256 * STEP);

for (let byte = 0; byte < 256; byte++) {
  let upper = 0;
  let lower = byte;
  for (let bit = 0; bit < 8; bit++) {
    const carry = lower & 1;
    lower = (lower >>> 1) | (upper << 31);
    upper >>>= 1;
    if (carry) upper ^= POLYNOMIAL_HIGH;
    if (carry) lower ^= POLYNOMIAL_LOW;
  }
  high[byte] = upper;
  low[byte] = lower;
}
for (let i = 256; i < 256 * STEP; i++) {
  const index = low[i - 256] & 255;
  low[i] = ((low[i - 256] >>> 8) | (high[i - 256] << 24)) ^ low[index];
  high[i] = (high[i - 256] >>> 8) ^ high[index];
}

/**
 * The CRC-64 of Redis's dumps and files: polynomial of Jones, reflected, begun with 0, not inverted; `123456789` gives e9c6d914c4b8d9ca.
 * Eight bytes a step, by tables ("slicing-by-8"; Kounavis and Berry, 2005), in two 32-bit halves so that nothing is allocated.
 */
export class Crc64 {
  #high = 0;
  #low = 0;

  /** Goes on with these bytes. */
  update(buffer: Uint8Array, start: number, end: number): this {
    for (let at = start; at < end; at += STRETCH_BYTES)
      this.#add(buffer, at, Math.min(end, at + STRETCH_BYTES));
    return this;
  }

  #add(buffer: Uint8Array, start: number, end: number): void {
    let upper = this.#high;
    let lower = this.#low;
    let i = start;
    for (; i + STEP <= end; i += STEP) {
      const a = 1792 + ((lower ^ buffer[i]) & 255);
      const b = 1536 + (((lower >>> 8) ^ buffer[i + 1]) & 255);
      const c = 1280 + (((lower >>> 16) ^ buffer[i + 2]) & 255);
      const d = 1024 + ((lower >>> 24) ^ buffer[i + 3]);
      const e = 768 + ((upper ^ buffer[i + 4]) & 255);
      const f = 512 + (((upper >>> 8) ^ buffer[i + 5]) & 255);
      const g = 256 + (((upper >>> 16) ^ buffer[i + 6]) & 255);
      const h = (upper >>> 24) ^ buffer[i + 7];
      lower = low[a] ^ low[b] ^ low[c] ^ low[d] ^ low[e] ^ low[f] ^ low[g] ^ low[h];
      upper = high[a] ^ high[b] ^ high[c] ^ high[d] ^ high[e] ^ high[f] ^ high[g] ^ high[h];
    }
    for (; i < end; i++) {
      const index = (lower ^ buffer[i]) & 255;
      lower = ((lower >>> 8) | (upper << 24)) ^ low[index];
      upper = (upper >>> 8) ^ high[index];
    }
    this.#high = upper;
    this.#low = lower;
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
