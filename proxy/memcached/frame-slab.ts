import { slabMemory } from '../../lib/base/index.ts';
import { copyRange } from '../core/slab.ts';

const SLAB_BYTES = 64 * 1024;
const CR = 0x0d;
const LF = 0x0a;
const STAR = 0x2a;
const DOLLAR = 0x24;
const ZERO = 0x30;

/** Bytes that an argument takes beside its own: type, length and two line ends. */
export const ARGUMENT_BYTES = 16;

/**
 * Encodes commands for the nodes side by side, so that all of one turn leave as one piece. Call `begin`, then as many arguments as it was told;
 * `buffer[start, end)` is the frame, which nobody changes any more.
 */
export class FrameSlab {
  buffer: Buffer = slabMemory(SLAB_BYTES);
  start = 0;
  end = 0;

  /** A command whose `head` is encoded already; what follows takes at most `bytes`, and `ARGUMENT_BYTES` for each argument. */
  beginWith(head: Buffer, bytes: number): void {
    this.#reserve(head.length + bytes);
    this.end = copyRange(head, 0, head.length, this.buffer, this.end);
  }

  /** A command of `count` arguments, which all together take at most `bytes` and `ARGUMENT_BYTES` each. */
  begin(count: number, bytes: number): void {
    this.#reserve(ARGUMENT_BYTES * (count + 1) + bytes);
    this.#header(STAR, count);
  }

  /** An argument of ASCII. */
  text(text: string): void {
    this.#header(DOLLAR, text.length);
    const { buffer } = this;
    let at = this.end;
    for (let i = 0; i < text.length; i++) buffer[at++] = text.charCodeAt(i);
    this.#endLine(at);
  }

  /** An argument, `source[start, end)`. */
  bytes(source: Buffer, start: number, end: number): void {
    this.#header(DOLLAR, end - start);
    this.#endLine(copyRange(source, start, end, this.buffer, this.end));
  }

  /** The head of an argument of `length` bytes that come from elsewhere, with the line end behind them. */
  openArgument(length: number): void {
    this.#header(DOLLAR, length);
  }

  /** Begins a piece that holds arguments behind those that come from elsewhere; `bytes` as for `begin`. */
  beginTail(count: number, bytes: number): void {
    this.#reserve(ARGUMENT_BYTES * count + bytes);
  }

  #reserve(bytes: number): void {
    if (this.end + bytes > this.buffer.length) {
      this.buffer = slabMemory(Math.max(SLAB_BYTES, bytes));
      this.end = 0;
    }
    this.start = this.end;
  }

  #header(type: number, value: number): void {
    const { buffer } = this;
    let at = this.end;
    buffer[at++] = type;
    let digits = 1;
    for (let power = 10; value >= power; power *= 10) digits++;
    at += digits;
    let left = value | 0;
    for (let i = at - 1; i >= at - digits; i--) {
      const rest = (left / 10) | 0;
      buffer[i] = ZERO + left - rest * 10;
      left = rest;
    }
    this.#endLine(at);
  }

  #endLine(at: number): void {
    this.buffer[at] = CR;
    this.buffer[at + 1] = LF;
    this.end = at + 2;
  }
}
