import type { Socket } from 'node:net';
import { slabMemory } from '../../lib/base/index.ts';
import { writeBytes } from '../../lib/net/index.ts';
import type { Output } from '../core/output.ts';
import { copyRange, StartViews } from '../core/slab.ts';
import type { MemcachedKey } from './key.ts';

const SLAB_BYTES = 128 * 1024;
/** Texts shorter than this are written by a loop: a native call costs more. */
const LOOP_BYTES = 24;
/** From here on bytes go to the socket as they lie. */
const COPY_LIMIT_BYTES = 4096;
/** Digits of the largest exact number. */
const NUMBER_BYTES = 16;
const ZERO = 0x30;
const SPACE = 0x20;
const VALUE = Buffer.from('VALUE ');

/**
 * Puts answers together: short pieces side by side in a slab, long ones as they lie. One for all connections of a listener: `text`, `bytes`, …,
 * `writeTo` within one function, never across turns.
 */
export class AnswerWriter {
  readonly #output: Output;
  #slab: Buffer = slabMemory(SLAB_BYTES);
  readonly #views = new StartViews();
  /** Where in the slab the answers since the last `writeTo` begin; 0 of those that began in an earlier slab. */
  #begin = 0;
  /** Where those begin that `#output` does not have. */
  #from = 0;
  #at = 0;
  /** Bytes that `#output` has. */
  #cutBytes = 0;

  constructor(output: Output) {
    this.#output = output;
  }

  /** The error that was written last; null: none since somebody set it so. */
  failure: string | null = null;
  /** How many since somebody set it to 0. */
  failures = 0;

  /** Bytes since the last `writeTo`. */
  get size(): number {
    return this.#cutBytes + this.#at - this.#from;
  }

  /** Appends ASCII. */
  text(text: string): void {
    const { length } = text;
    this.#reserve(length);
    if (length < LOOP_BYTES) {
      const slab = this.#slab;
      const at = this.#at;
      for (let i = 0; i < length; i++) slab[at + i] = text.charCodeAt(i);
    } else this.#slab.latin1Write(text, this.#at, length);
    this.#at += length;
  }

  /** Appends the line of an error, without line end. */
  error(line: string): void {
    this.failure = line;
    this.failures++;
    this.text(`${line}\r\n`);
  }

  byte(byte: number): void {
    this.#reserve(1);
    this.#slab[this.#at++] = byte;
  }

  /** Appends `buffer[start, end)`, whose bytes must not change until the socket has taken them. */
  bytes(buffer: Buffer, start: number, end: number): void {
    const length = end - start;
    if (length >= COPY_LIMIT_BYTES) {
      this.#cut();
      this.#output.add(buffer, start, end);
      this.#cutBytes += length;
      return;
    }
    this.#reserve(length);
    this.#at = copyRange(buffer, start, end, this.#slab, this.#at);
  }

  /** Appends `VALUE key flags `; the flags are `source[flagsStart, flagsEnd)`, or 0 where that is empty. */
  itemHead(key: MemcachedKey, source: Buffer, flagsStart: number, flagsEnd: number): void {
    this.#reserve(VALUE.length + key.end - key.start + flagsEnd - flagsStart + 3);
    const slab = this.#slab;
    let at = this.#at;
    for (let i = 0; i < VALUE.length; i++) slab[at++] = VALUE[i];
    at = copyRange(key.buffer, key.start, key.end, slab, at);
    slab[at++] = SPACE;
    if (flagsStart === flagsEnd) slab[at++] = ZERO;
    else for (let i = flagsStart; i < flagsEnd; i++) slab[at++] = source[i];
    slab[at++] = SPACE;
    this.#at = at;
  }

  /** Appends what follows in pieces. */
  pieces(pieces: readonly Buffer[]): void {
    for (const piece of pieces) this.bytes(piece, 0, piece.length);
  }

  /** Appends a whole number, 0 or more, up to 2^53. */
  number(value: number): void {
    this.#reserve(NUMBER_BYTES);
    const slab = this.#slab;
    let digits = 1;
    for (let power = 10; value >= power; power *= 10) digits++;
    let left = value;
    for (let at = this.#at + digits - 1; at >= this.#at; at--) {
      const rest = Math.floor(left / 10);
      slab[at] = ZERO + left - rest * 10;
      left = rest;
    }
    this.#at += digits;
  }

  /** Hands everything to `socket`. Returns false when the socket asks to wait for its `drain`. */
  writeTo(socket: Socket): boolean {
    const flows =
      this.#begin === 0 && this.#cutBytes === 0 ? this.#writeSlab(socket) : this.#writeAll(socket);
    // The system has it all: its place in the slab may be used again. What other sockets have not written yet lies ahead of it.
    if (socket.writableLength === 0) this.#at = this.#begin;
    this.#begin = this.#from = this.#at;
    this.#cutBytes = 0;
    return flows;
  }

  #writeSlab(socket: Socket): boolean {
    return this.#at === 0 || writeBytes(socket, this.#views.of(this.#slab, this.#at));
  }

  #writeAll(socket: Socket): boolean {
    this.#cut();
    return this.#output.writeTo(socket);
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#slab.length) return;
    this.#cut();
    this.#slab = slabMemory(Math.max(SLAB_BYTES, bytes));
    this.#begin = this.#from = this.#at = 0;
  }

  #cut(): void {
    if (this.#at === this.#from) return;
    this.#output.add(this.#slab, this.#from, this.#at);
    this.#cutBytes += this.#at - this.#from;
    this.#from = this.#at;
  }
}
