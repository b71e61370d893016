import { type ErrorCode, RingsideError } from '../../lib/base/index.ts';
import { replyLineEnd, replyNumber } from '../../lib/codec/resp/index.ts';

/** An error reply of the catalogue. */
export function errorReply(code: ErrorCode, message: string): Buffer {
  return Buffer.from(`-${new RingsideError(code, message).toResp()}\r\n`);
}

/** An error reply whose whole text is given. */
export function plainError(text: string): Buffer {
  return Buffer.from(`-${text}\r\n`);
}

/** The text of an error reply, without `-` and line end. */
export function errorText(reply: Buffer, start: number, end: number): string {
  return reply.utf8Slice(start + 1, end - 2);
}

/** A reply that begins with `-`. */
export function isErrorReply(reply: Buffer, start: number): boolean {
  return reply[start] === 0x2d;
}

const MAX_CODE_BYTES = 33;

/** The first word of an error reply; null of any other reply. */
export function errorCodeOf(reply: Buffer, start: number): string | null {
  if (!isErrorReply(reply, start)) return null;
  return (
    /^[A-Z][A-Z0-9]*/.exec(
      reply.latin1Slice(start + 1, Math.min(reply.length, start + MAX_CODE_BYTES)),
    )?.[0] ?? 'ERR'
  );
}

/** Whether the error reply's code (its first word) is `code`. */
export function hasErrorCode(reply: Buffer, start: number, code: string): boolean {
  for (let i = 0; i < code.length; i++) if (reply[start + 1 + i] !== code.charCodeAt(i)) return false;
  const after = reply[start + 1 + code.length];
  return after === 0x20 || after === 0x0d;
}

/** Argument `index` of an encoded command (`*N`, then bulk strings), as a range. The frame must be complete. */
export function argumentRange(frame: Buffer, start: number, index: number): { start: number; end: number } {
  let at = replyLineEnd(frame, start);
  for (let i = 0; ; i++) {
    const length = replyNumber(frame, at);
    const from = replyLineEnd(frame, at);
    if (i === index) return { start: from, end: from + length };
    at = from + length + 2;
  }
}

const MGET_HEADS: Buffer[] = [];
const MSET_HEADS: Buffer[] = [];

/** How an MGET of so many keys begins: all of it but the keys. */
export function mgetHead(keys: number): Buffer {
  MGET_HEADS[keys] ??= Buffer.from(`*${1 + keys}\r\n$4\r\nMGET\r\n`, 'latin1');
  return MGET_HEADS[keys];
}

/** How an MSET of so many keys begins: all of it but the keys and values. */
export function msetHead(keys: number): Buffer {
  MSET_HEADS[keys] ??= Buffer.from(`*${1 + 2 * keys}\r\n$4\r\nMSET\r\n`, 'latin1');
  return MSET_HEADS[keys];
}
