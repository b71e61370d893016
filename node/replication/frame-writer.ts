const CR = 0x0d;
const LF = 0x0a;
const ASTERISK = 0x2a;
const DOLLAR = 0x24;
const ZERO = 0x30;
const HEX = Buffer.from('0123456789abcdef');
/** Strings up to this length are copied by a loop, which beats the call into native code. */
const LOOP_BYTES = 24;

/** Room that is always enough for a frame beside its key and its value, with what may go before it: SELECT and a version. */
export const FRAME_OVERHEAD_BYTES = 256;
/** The latest expiry that Redis takes; numbers cannot tell it from its neighbours. */
const LAST_INT64 = '9223372036854775807';

/** Writes RESP commands into a buffer whose room the caller has made sure of. */
export class FrameWriter {
  buffer: Buffer;
  at = 0;

  constructor(buffer: Buffer) {
    this.buffer = buffer;
  }

  /** `count` arguments follow. */
  arrayHeader(count: number): void {
    this.buffer[this.at++] = ASTERISK;
    this.#decimal(count);
    this.#lineEnd();
  }

  #text(text: string): void {
    const { length } = text;
    if (length > LOOP_BYTES) this.buffer.latin1Write(text, this.at);
    else for (let i = 0; i < length; i++) this.buffer[this.at + i] = text.charCodeAt(i);
    this.at += length;
  }

  /** A bulk string of one byte a character. */
  bulkText(text: string): void {
    this.#header(text.length);
    this.#text(text);
    this.#lineEnd();
  }

  bulkBytes(source: Buffer, start: number, end: number): void {
    const length = end - start;
    this.#header(length);
    if (length > LOOP_BYTES) source.copy(this.buffer, this.at, start, end);
    else for (let i = 0; i < length; i++) this.buffer[this.at + i] = source[start + i];
    this.at += length;
    this.#lineEnd();
  }

  /** A whole number in decimal; not negative. What is beyond Redis's numbers becomes its highest. */
  bulkNumber(value: number): void {
    if (value >= 2 ** 63) {
      this.bulkText(LAST_INT64);
      return;
    }
    this.#header(digits(value));
    this.#decimal(value);
    this.#lineEnd();
  }

  /** Bytes as they are, one a character: parts of frames that are always the same. */
  fixed(text: string): void {
    this.#text(text);
  }

  /** Whole frames as they are. */
  frames(source: Buffer, start: number, end: number): void {
    this.at += source.copy(this.buffer, this.at, start, end);
  }

  /** A version as 16 hexadecimal digits, and the end of the argument that it is the last part of. */
  versionEnd(high: number, low: number): void {
    this.#word(high);
    this.#word(low);
    this.#lineEnd();
  }

  #header(length: number): void {
    this.buffer[this.at++] = DOLLAR;
    this.#decimal(length);
    this.#lineEnd();
  }

  #lineEnd(): void {
    this.buffer[this.at++] = CR;
    this.buffer[this.at++] = LF;
  }

  #decimal(value: number): void {
    const end = this.at + digits(value);
    let rest = value;
    for (let i = end - 1; i >= this.at; i--) {
      const quotient = Math.floor(rest / 10);
      // The difference first: ZERO + rest may be beyond 2^53.
      this.buffer[i] = ZERO + (rest - quotient * 10);
      rest = quotient;
    }
    this.at = end;
  }

  #word(word: number): void {
    for (let shift = 28; shift >= 0; shift -= 4) this.buffer[this.at++] = HEX[(word >>> shift) & 15];
  }
}

function digits(value: number): number {
  let count = 1;
  for (let limit = 10; value >= limit; limit *= 10) count++;
  return count;
}
