import type { Random } from '../../../lib/base/index.ts';

/** What the inputs for one codec are made of. */
export interface Grammar {
  /** Whole frames as peers send them. */
  readonly frames: readonly Buffer[];
  /** Bytes that mean something in this protocol. */
  readonly tokens: readonly Buffer[];
  /** Put in the place of a number. */
  readonly numbers: readonly Buffer[];
}

const MAX_INPUT_BYTES = 4096;
const MAX_FRAMES = 4;
const MAX_MUTATIONS = 6;
/** Longer than any limit of the codecs under test, so that each is reached. */
const MAX_RUN_BYTES = 700;
const CR = 0x0d;
const LINE_END = Buffer.from('\r\n');

const isDigit = (byte: number) => byte >= 0x30 && byte <= 0x39;

/** Numbers at which parsers of lengths go wrong. */
export const oddNumbers = [
  ...['0', '1', '2', '-0', '-1', '-2', '00', '01', '+1', '', ' 1', '1 ', '1e3', '0x10', '1.0', '--1', '9'],
  ...['255', '256', '65535', '65536', '2147483645', '2147483647', '2147483648', '4294967295', '4294967296'],
  ...['9007199254740993', '9223372036854775807', '9223372036854775808', '-9223372036854775808'],
  ...['18446744073709551615', '18446744073709551616', '99999999999999999999999999', '1\0', '١'],
].map((text) => Buffer.from(text));

/**
 * Makes inputs out of real frames: a few of them in a row, then changes that know the grammar (numbers, line ends, tokens, other frames) and
 * some that do not (bits, ranges). The same random numbers give the same inputs.
 */
export class Mutator {
  readonly #random: Random;
  readonly #grammar: Grammar;
  readonly #bytes = Buffer.alloc(MAX_INPUT_BYTES);
  readonly #spare = Buffer.alloc(MAX_INPUT_BYTES);
  #length = 0;

  constructor(grammar: Grammar, random: Random) {
    this.#grammar = grammar;
    this.#random = random;
  }

  /** The next input; its bytes are true until the next call. */
  next(): Buffer {
    this.#length = 0;
    for (let left = 1 + this.#random.int(MAX_FRAMES); left > 0; left--) {
      this.#splice(this.#length, 0, this.#pick(this.#grammar.frames));
    }
    for (let left = this.#random.int(MAX_MUTATIONS + 1); left > 0; left--) this.#mutate();
    return this.#bytes.subarray(0, this.#length);
  }

  #mutate(): void {
    const random = this.#random;
    const at = random.int(this.#length + 1);
    switch (random.int(10)) {
      case 0:
        this.#bytes[at] ^= 1 << random.int(8);
        break;
      case 1:
        this.#bytes[at] = random.int(256);
        break;
      case 2:
        this.#splice(at, random.int(12), this.#pick(this.#grammar.tokens));
        break;
      case 3:
        this.#splice(at, 1 + random.int(24), NOTHING);
        break;
      case 4:
        this.#splice(at, 0, this.#range());
        break;
      case 5:
        if (random.int(4) === 0) this.#length = at;
        break;
      case 6:
      case 7:
        this.#changeNumber(at);
        break;
      case 8:
        this.#changeLineEnd(at);
        break;
      default:
        this.#stretch(at);
    }
  }

  /** A range of the input itself, or of another frame. */
  #range(): Buffer {
    const random = this.#random;
    const isOwn = random.int(2) === 0;
    const source = isOwn ? this.#bytes.subarray(0, this.#length) : this.#pick(this.#grammar.frames);
    const from = random.int(source.length + 1);
    const range = source.subarray(from, from + random.int(64));
    if (!isOwn) return range;
    const copied = range.copy(this.#spare);
    return this.#spare.subarray(0, copied);
  }

  /** The first number from `at` on becomes an odd one, or its neighbour. */
  #changeNumber(at: number): void {
    const bytes = this.#bytes;
    let from = at;
    while (from < this.#length && !isDigit(bytes[from])) from++;
    let to = from;
    while (to < this.#length && isDigit(bytes[to])) to++;
    if (to === from) return;
    if (this.#random.int(3) > 0) {
      this.#splice(from, to - from, this.#pick(this.#grammar.numbers));
      return;
    }
    const neighbour = Number(bytes.latin1Slice(from, to)) + this.#random.int(5) - 2;
    this.#splice(from, to - from, Buffer.from(`${neighbour}`));
  }

  /** The first line end from `at` on loses a part, or comes twice. */
  #changeLineEnd(at: number): void {
    const found = this.#bytes.indexOf(CR, at);
    if (found < 0 || found + 2 > this.#length) return;
    const kind = this.#random.int(3);
    if (kind === 2) this.#splice(found, 0, LINE_END);
    else this.#splice(found + kind, 1, NOTHING);
  }

  /** Very long where it was short: limits are reached. */
  #stretch(at: number): void {
    const length = this.#random.int(MAX_RUN_BYTES);
    const byte = this.#random.int(2) === 0 ? 0x31 : this.#bytes[this.#random.int(this.#length + 1)];
    this.#splice(at, 0, this.#spare.subarray(0, length).fill(byte));
  }

  #splice(at: number, remove: number, insert: Buffer): void {
    const from = Math.min(at, this.#length);
    const tail = Math.min(from + remove, this.#length);
    const inserted = Math.min(insert.length, MAX_INPUT_BYTES - from);
    this.#bytes.copyWithin(from + inserted, tail, this.#length);
    insert.copy(this.#bytes, from, 0, inserted);
    this.#length = Math.min(this.#length - (tail - from) + inserted, MAX_INPUT_BYTES);
  }

  #pick<T>(of: readonly T[]): T {
    return of[this.#random.int(of.length)];
  }
}

const NOTHING = Buffer.alloc(0);
