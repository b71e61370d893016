import type { Args } from '../../lib/codec/resp/index.ts';

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
/** Times are kept as doubles; what is beyond them (the year 287,396) is as good as there. */
const LATEST_MS = Number.MAX_SAFE_INTEGER;

/** How an argument counts time: in seconds or milliseconds, from now (`nowMs`) or from 1970. */
export interface TimeUnit {
  readonly seconds: boolean;
  readonly relative: boolean;
}

export const EX: TimeUnit = { seconds: true, relative: true };
export const PX: TimeUnit = { seconds: false, relative: true };
export const EXAT: TimeUnit = { seconds: true, relative: false };
export const PXAT: TimeUnit = { seconds: false, relative: false };

/** What is wrong with a time: no integer, or one that does not fit Redis's 64 bits of milliseconds. */
export type TimeError = 'not an integer' | 'out of range';

/** Argument `i` as unix milliseconds; may lie in the past. */
export function absoluteTime(args: Args, i: number, unit: TimeUnit, nowMs: number): number | TimeError {
  const plain = args.integer(i);
  if (plain !== null && plain < 1e12 && plain > -1e12) {
    const ms = unit.seconds ? plain * 1000 : plain;
    return unit.relative ? ms + nowMs : ms;
  }
  const value = args.bigint(i);
  if (value === null) return 'not an integer';
  if (unit.seconds && (value > INT64_MAX / 1000n || value < INT64_MIN / 1000n)) return 'out of range';
  const ms = unit.seconds ? value * 1000n : value;
  if (unit.relative && ms > INT64_MAX - BigInt(nowMs)) return 'out of range';
  const at = unit.relative ? ms + BigInt(nowMs) : ms;
  return at > BigInt(LATEST_MS) ? LATEST_MS : at < -BigInt(LATEST_MS) ? -LATEST_MS : Number(at);
}

/**
 * As `absoluteTime`, for commands that take only a positive time (SET, SETEX, GETEX …): returns the error's text
 * (named after `command`) otherwise.
 */
export function positiveTime(
  args: Args,
  i: number,
  unit: TimeUnit,
  nowMs: number,
  command: string,
): number | string {
  const value = args.bigint(i);
  const at = absoluteTime(args, i, unit, nowMs);
  if (at === 'not an integer' || value === null) return 'ERR value is not an integer or out of range';
  if (at === 'out of range' || value <= 0n) return invalidExpiry(command);
  return at;
}

export function invalidExpiry(command: string): string {
  return `ERR invalid expire time in '${command}' command`;
}
