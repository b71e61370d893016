import { type CommandPart, encodeCommand, replyLineEnd, replyNumber } from '../../lib/codec/resp/index.ts';
import type { Pieces } from './api.ts';

/** Values from this size on are sent in the pieces in which they came. */
const LARGE_BYTES = 16 * 1024;
const CRLF = Buffer.from('\r\n');
const NOTHING: Pieces = [];

/** An encoded command: `bytes`, and behind it `rest`. */
export interface Frame {
  readonly bytes: Buffer;
  readonly rest: Pieces | null;
}

/** A command with a value among its arguments; a long one is not copied. */
export function encodeWithValue(
  before: readonly CommandPart[],
  value: Pieces,
  behind: readonly CommandPart[],
): Frame {
  const bytes = lengthOf(value);
  if (bytes < LARGE_BYTES)
    return { bytes: encodeCommand(...before, Buffer.concat(value, bytes), ...behind), rest: null };
  const count = before.length + 1 + behind.length;
  const start = withoutCount(before, count);
  const length = Buffer.from(`$${bytes}\r\n`);
  return { bytes: Buffer.concat([start, length]), rest: [...value, CRLF, ...tailOf(behind)] };
}

/** Number of bytes. */
export function lengthOf(pieces: Pieces): number {
  let bytes = 0;
  for (const { length } of pieces) bytes += length;
  return bytes;
}

/** The arguments as they go over the wire, announced as `count`. */
function withoutCount(parts: readonly CommandPart[], count: number): Buffer {
  const whole = encodeCommand(...parts);
  return Buffer.concat([Buffer.from(`*${count}\r\n`), whole.subarray(replyLineEnd(whole, 0))]);
}

function tailOf(parts: readonly CommandPart[]): Buffer[] {
  if (parts.length === 0) return [];
  const whole = encodeCommand(...parts);
  return [whole.subarray(replyLineEnd(whole, 0))];
}

/**
 * The bulk string that begins at `at` in `bytes` and goes on in `rest`, of which it is the end; null for a null. A value that is most of the
 * buffer it came in is not copied.
 */
export function valueIn(bytes: Buffer, at: number, rest: Pieces | null): Pieces | null {
  const length = replyNumber(bytes, at);
  if (length < 0) return null;
  const from = replyLineEnd(bytes, at);
  if (rest === null) return length === 0 ? NOTHING : [keptView(bytes, from, from + length)];
  const value: Buffer[] = [];
  let left = length;
  for (const piece of [bytes.subarray(from), ...rest]) {
    if (left === 0) break;
    const own = piece.length > left ? piece.subarray(0, left) : piece;
    if (own.length > 0) value.push(own);
    left -= own.length;
  }
  return value;
}

/** A copy of the bulk string at `at`, or null. */
export function bulkIn(bytes: Buffer, at: number): Buffer | null {
  const length = replyNumber(bytes, at);
  if (length < 0) return null;
  const from = replyLineEnd(bytes, at);
  return keptView(bytes, from, from + length);
}

function keptView(bytes: Buffer, from: number, to: number): Buffer {
  const view = bytes.subarray(from, to);
  return (to - from) * 2 > bytes.length ? view : Buffer.from(view);
}
