import { replyLineEnd, replyNumber } from '../../lib/codec/resp/index.ts';
import { isErrorReply } from '../core/frames.ts';
import type { Request } from '../core/request.ts';
import { type Found, FoundKind } from './found.ts';

const BULK = 0x24;
const MINUS = 0x2d;

/** Reads what `RS.GET key TAIL` answered, in either version of RESP. False: it was an error. */
export function readFilled(reply: Request, found: Found): boolean {
  const { bytes, start } = reply;
  if (isErrorReply(bytes, start)) return false;
  const versionAt = replyLineEnd(bytes, start);
  const versionFrom = replyLineEnd(bytes, versionAt);
  const flagsAt = replyLineEnd(bytes, versionFrom);
  const ttlAt = replyLineEnd(bytes, flagsAt);
  const softAt = replyLineEnd(bytes, ttlAt);
  const stateAt = replyLineEnd(bytes, softAt);
  const tokenAt = replyLineEnd(bytes, replyLineEnd(bytes, stateAt));
  const hasToken = bytes[tokenAt] === BULK && bytes[tokenAt + 1] !== MINUS;
  const msAt = replyLineEnd(bytes, hasToken ? replyLineEnd(bytes, tokenAt) : tokenAt);
  found.version = BigInt(bytes.latin1Slice(versionFrom, flagsAt - 2));
  found.clientFlags = replyNumber(bytes, flagsAt);
  found.ttlMs = replyNumber(bytes, ttlAt);
  found.softTtlMs = replyNumber(bytes, softAt);
  readValue(reply, replyLineEnd(bytes, msAt), found);
  return true;
}

/** Reads what GET answered, and PTTL behind it, of an engine without versions. False: one was an error. */
export function readPlain(value: Request, ttl: Request, found: Found): boolean {
  if (isErrorReply(value.bytes, value.start) || isErrorReply(ttl.bytes, ttl.start)) return false;
  found.version = 0n;
  found.clientFlags = 0;
  found.ttlMs = replyNumber(ttl.bytes, ttl.start);
  found.softTtlMs = -1;
  readValue(value, value.start, found);
  return true;
}

function readValue({ bytes, end, rest, restBytes }: Request, at: number, found: Found): void {
  const isThere = bytes[at] === BULK && bytes[at + 1] !== MINUS;
  found.kind = isThere ? FoundKind.VALUE : FoundKind.MISS;
  found.ageMs = 0;
  found.bytes = bytes;
  found.start = at;
  found.end = isThere ? end : at;
  found.rest = rest;
  found.restBytes = restBytes;
}
