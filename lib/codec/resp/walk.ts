const CR = 0x0d;
const MINUS = 0x2d;
const ZERO = 0x30;
const DOLLAR = 0x24;

/** Where the line that begins at `at` ends: the offset behind its CRLF. The line must be complete. */
export function replyLineEnd(buffer: Uint8Array, at: number): number {
  let end = at + 1;
  while (end < buffer.length && buffer[end] !== CR) end++;
  return end + 2;
}

/**
 * The number in the first line of the reply at `at`: the value of `:12`, the length of `$5`, the count of `*3`, -1 for a null.
 * Exact up to 2^53.
 */
export function replyNumber(buffer: Uint8Array, at: number): number {
  let digitAt = at + 1;
  const negative = buffer[digitAt] === MINUS;
  if (negative || buffer[digitAt] === 0x2b) digitAt++;
  let value = 0;
  for (; digitAt < buffer.length && buffer[digitAt] !== CR; digitAt++)
    value = value * 10 + (buffer[digitAt] - ZERO);
  return negative ? -value : value;
}

/**
 * The offset behind the reply at `at`, nested ones included. For walking through the elements of a frame that a
 * ReplyFramer has found: it trusts the bytes to be complete and well-formed.
 */
export function skipReply(buffer: Uint8Array, at: number): number {
  let left = 1;
  let next = at;
  while (left > 0) {
    left--;
    const lineEnd = replyLineEnd(buffer, next);
    switch (buffer[next]) {
      case 0x24: // $
      case 0x3d: // =
      case 0x21: {
        const bytes = replyNumber(buffer, next);
        next = bytes < 0 ? lineEnd : lineEnd + bytes + 2;
        break;
      }
      case 0x2a: // *
      case 0x7e: // ~
      case 0x3e: // >
        left += Math.max(0, replyNumber(buffer, next));
        next = lineEnd;
        break;
      case 0x25: // %
        left += 2 * replyNumber(buffer, next);
        next = lineEnd;
        break;
      case 0x7c: // |, and the reply it belongs to
        left += 2 * replyNumber(buffer, next) + 1;
        next = lineEnd;
        break;
      default:
        next = lineEnd;
    }
  }
  return next;
}

/** Behind the bulk string at `at`, which is as `skipReply` wants it; 0 when something else is there, null bulk strings included. */
export function skipBulk(view: DataView, at: number): number {
  if (view.getUint8(at) !== DOLLAR) return 0;
  let length = 0;
  for (let digitAt = at + 1; ; digitAt++) {
    const digit = view.getUint8(digitAt) - ZERO;
    if (digit >>> 0 > 9) return digit === CR - ZERO ? digitAt + length + 4 : 0;
    length = 10 * length + digit;
  }
}
