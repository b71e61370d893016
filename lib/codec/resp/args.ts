/**
 * The arguments of one command (the name is argument 0) as byte ranges in a buffer.
 *
 * Valid until the parser moves on; what is kept must be copied. Nothing here allocates except
 * `bytes`, `copy`, `latin1`, `utf8`, `upper` and `bigint`.
 */
export interface Args {
  /** Number of arguments, the command's name included. */
  readonly count: number;
  /** Holds the bytes of every argument. */
  readonly buffer: Buffer;
  /** The command as it goes over the wire is in `buffer`, from here to `frameEnd`; there is but one way to write it. */
  readonly frameStart: number;
  readonly frameEnd: number;
  /** Offset in `buffer` of argument `i`. */
  start(i: number): number;
  /** Offset in `buffer` behind argument `i`. */
  end(i: number): number;
  /** Bytes of argument `i`. */
  length(i: number): number;
  /** A view of argument `i`. */
  bytes(i: number): Buffer;
  /** A copy of argument `i`, in memory of its own. */
  copy(i: number): Buffer;
  /** Argument `i`, one character per byte. */
  latin1(i: number): string;
  /** Argument `i` as UTF-8 text. */
  utf8(i: number): string;
  /** Argument `i`, one character per byte, ASCII letters in upper case. */
  upper(i: number): string;
  /** Whether argument `i` is `upperAscii` in any case. */
  equalsIgnoreCase(i: number, upperAscii: string): boolean;
  /** Argument `i` as a whole number in Redis's strict syntax; null when it is none or beyond 2^53 - 1. */
  integer(i: number): number | null;
  /** Argument `i` as a signed 64-bit number in Redis's strict syntax; null when it is none. */
  bigint(i: number): bigint | null;
  /** Argument `i` as a decimal number (`inf` allowed); null when it is none. */
  number(i: number): number | null;
}

/** Whether the bytes are `upperAscii` in any case. */
export function equalsAsciiIgnoreCase(
  buffer: Uint8Array,
  start: number,
  end: number,
  upperAscii: string,
): boolean {
  const length = end - start;
  if (length !== upperAscii.length) return false;
  for (let i = 0; i < length; i++) {
    let byte = buffer[start + i];
    if (byte >= 0x61 && byte <= 0x7a) byte -= 0x20;
    if (byte !== upperAscii.charCodeAt(i)) return false;
  }
  return true;
}
