import { sizeInBytes } from '../../lib/base/index.ts';

/** A text that is no value of its kind, and why, in Redis's words. */
export class Invalid {
  readonly why: string;

  constructor(why: string) {
    this.why = why;
  }
}

/** How a setting is written. `format` gives what CONFIG GET shows; `parse` takes that back. */
export interface Kind<T> {
  parse(text: string): T | Invalid;
  format(value: T): string;
}

/** Bounds of a number, both allowed. */
export interface Bounds {
  readonly min?: bigint;
  readonly max?: bigint;
}

export const INT_MAX = 2n ** 31n - 1n;
export const UINT_MAX = 2n ** 32n - 1n;
export const LONG_MAX = 2n ** 63n - 1n;
export const ULONG_MAX = 2n ** 64n - 1n;

const WHOLE_NUMBER = /^(0|-?[1-9]\d{0,18})$/;
const MAX_PERCENT = 100n;

/** `yes` or `no`. */
export const yesNo: Kind<boolean> = {
  parse(text) {
    const word = text.toLowerCase();
    return word === 'yes' ? true : word === 'no' ? false : new Invalid("argument must be 'yes' or 'no'");
  },
  format: (value) => (value ? 'yes' : 'no'),
};

function inBounds(value: bigint, { min = 0n, max = INT_MAX }: Bounds): bigint | Invalid {
  if (value >= min && value <= max) return value;
  return new Invalid(`argument must be between ${min} and ${max} inclusive`);
}

/** A whole number, by default from 0 to 2^31 - 1. */
export function integer(bounds: Bounds = {}): Kind<bigint> {
  return {
    parse: (text) =>
      WHOLE_NUMBER.test(text)
        ? inBounds(BigInt(text), bounds)
        : new Invalid("argument couldn't be parsed into an integer"),
    format: String,
  };
}

/** Bytes, also with Redis's units, by default from 0 to 2^63 - 1. */
export function memory(bounds: Bounds = {}): Kind<bigint> {
  const { max = LONG_MAX } = bounds;
  return {
    parse(text) {
      const bytes = bytesOf(text);
      return bytes === null
        ? new Invalid('argument must be a memory value')
        : inBounds(bytes, { ...bounds, max });
    },
    format: String,
  };
}

/** As `memory`, or a percentage up to 100 %, kept as a negative number. */
export function memoryOrPercent({ max = LONG_MAX }: Bounds = {}): Kind<bigint> {
  return {
    parse(text) {
      const bytes = bytesOf(text);
      if (bytes !== null) return inBounds(bytes, { max });
      const percent = /^(\d{1,18})%$/.exec(text);
      if (!percent) return new Invalid('argument must be a memory or percent value');
      const value = BigInt(percent[1]);
      if (value > MAX_PERCENT)
        return new Invalid(`percentage argument must be less or equal to ${MAX_PERCENT}`);
      return -value;
    },
    format: (value) => (value < 0n ? `${-value}%` : String(value)),
  };
}

function bytesOf(text: string): bigint | null {
  if (/^\d{1,20}$/.test(text)) return BigInt(text);
  const bytes = sizeInBytes(text);
  return Number.isNaN(bytes) ? null : BigInt(bytes);
}

/** One of these words, in any case. */
export function oneOf<T extends string>(...words: readonly T[]): Kind<T> {
  return {
    parse(text) {
      const word = words.find((candidate) => candidate === text.toLowerCase());
      return word ?? new Invalid(`argument(s) must be one of the following: ${words.join(', ')}`);
    },
    format: (value) => value,
  };
}

/** Any text. */
export const anyText: Kind<string> = { parse: (text) => text, format: (text) => text };
