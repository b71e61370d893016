import { replyLineEnd, replyNumber } from '../../lib/codec/resp/index.ts';
import type { Request } from '../core/request.ts';
import type { AnswerWriter } from './answer-writer.ts';
import type { MemcachedKey } from './key.ts';

const MINUS = 0x2d;
const STAR = 0x2a;
const SPACE = 0x20;
const ZERO = 0x30;
/** Elements of what RS.MCGETS, and RS.MCMETA and RS.MCTOUCH, say of an item. */
const VERSIONED = 3;
const META = 7;

/** What an item lies in. */
export type ItemSource = Pick<Request, 'bytes' | 'end' | 'rest'>;

/** Whether what a reply says of a key at `at` is that there is no item. */
export function isMiss(bytes: Buffer, at: number): boolean {
  return bytes[at + 1] === MINUS;
}

/**
 * Writes `VALUE key flags bytes [cas]` and the value, of an item at `at` in a reply: a value alone, flags and value, version, flags and value, or
 * all that RS.MCTOUCH says. Returns where the item ends, in its last piece if it is in pieces.
 */
export function writeItem(
  out: AnswerWriter,
  key: MemcachedKey,
  { bytes, end, rest }: ItemSource,
  at: number,
  withVersion: boolean,
): number {
  let versionAt = 0;
  let flagsAt = 0;
  let flagsEnd = 0;
  let valueAt = at;
  if (bytes[at] === STAR) {
    const elements = bytes[at + 1] - ZERO;
    // The header has one digit.
    valueAt = at + 4;
    if (elements >= VERSIONED) {
      versionAt = replyLineEnd(bytes, valueAt);
      valueAt = replyLineEnd(bytes, versionAt);
    }
    flagsAt = valueAt + 1;
    valueAt = replyLineEnd(bytes, valueAt);
    flagsEnd = valueAt - 2;
    if (elements === META) for (let i = 0; i < 4; i++) valueAt = replyLineEnd(bytes, valueAt);
  }
  out.itemHead(key, bytes, flagsAt, flagsEnd);
  const from = replyLineEnd(bytes, valueAt);
  const to = from + replyNumber(bytes, valueAt) + 2;
  if (withVersion) {
    out.bytes(bytes, valueAt + 1, from - 2);
    out.byte(SPACE);
    out.bytes(bytes, versionAt, replyLineEnd(bytes, versionAt) - 2);
    out.text('\r\n');
    out.bytes(bytes, from, Math.min(to, end));
  } else {
    // The number, the line end and the value lie in the reply as the client gets them.
    out.bytes(bytes, valueAt + 1, Math.min(to, end));
  }
  if (to > end && rest !== null) out.pieces(rest);
  return to;
}

/** Writes a bulk string's value, whose bytes begin at `from`, with the line end behind it. */
export function writeValue(
  out: AnswerWriter,
  bytes: Buffer,
  headerAt: number,
  from: number,
  end: number,
  rest: readonly Buffer[] | null,
): void {
  const to = from + replyNumber(bytes, headerAt) + 2;
  out.bytes(bytes, from, Math.min(to, end));
  if (to > end && rest !== null) out.pieces(rest);
}
