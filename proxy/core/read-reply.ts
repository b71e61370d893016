import { replyLineEnd, replyNumber } from '../../lib/codec/resp/index.ts';
import type { MgetResult, ReadOptions, ReadResult } from './api.ts';
import type { Reply } from './caller.ts';
import { bulkIn, lengthOf, valueIn } from './value-frame.ts';

const STALE = 'stale';
const ABSENT = 'absent';
/** Of what is not there, and of values of an engine without versions. */
const NO_VERSION = '0';
const NOT_THERE: ReadonlySet<string> = new Set(['miss', ABSENT]);

/** Goes through the elements of a reply that are short. */
export class ReplyWalk {
  readonly bytes: Buffer;
  at: number;

  /** `at`: where the first element begins. */
  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  /** Into the elements of an array. */
  enter(): void {
    this.at = replyLineEnd(this.bytes, this.at);
  }

  number(): number {
    const value = replyNumber(this.bytes, this.at);
    this.at = replyLineEnd(this.bytes, this.at);
    return value;
  }

  /** A bulk string as text of one byte a character; null for a null. */
  text(): string | null {
    const length = replyNumber(this.bytes, this.at);
    this.at = replyLineEnd(this.bytes, this.at);
    if (length < 0) return null;
    const text = this.bytes.latin1Slice(this.at, this.at + length);
    this.at += length + 2;
    return text;
  }

  /** A copy of a bulk string; null for a null. */
  bulk(): Buffer | null {
    const value = bulkIn(this.bytes, this.at);
    this.at = replyLineEnd(this.bytes, this.at) + (value === null ? 0 : value.length + 2);
    return value;
  }
}

/** What `RS.GET … TAIL` answered; `bytes` is the length of the value where only the head was asked for. */
export function readResultOf(
  reply: Reply,
  { lease = false, head = false }: ReadOptions,
  bytes = 0,
): ReadResult {
  const walk = new ReplyWalk(reply.bytes, reply.start);
  walk.enter();
  const version = walk.text()!;
  walk.number();
  const ttlMs = walk.number();
  const softTtlMs = walk.number();
  const state = walk.text()!;
  const token = walk.text();
  const ms = walk.number();
  const found = head ? [] : valueIn(reply.bytes, walk.at, reply.rest);
  const value = NOT_THERE.has(state) ? null : found;
  return {
    value,
    bytes: head ? bytes : lengthOf(value ?? []),
    version: value === null ? null : version,
    ttlMs: msOrNull(ttlMs),
    softTtlMs: msOrNull(softTtlMs),
    isStale: state === STALE,
    possiblyStale: reply.isPossiblyStale,
    ...(reply.nearAgeMs >= 0 && { l1AgeMs: reply.nearAgeMs }),
    lease: lease ? { token, ms } : null,
    isAbsent: state === ABSENT,
  };
}

/** What `GET` (or `EXISTS`, for the head) and `PTTL` of an engine without versions answered. */
export function plainResultOf(
  value: ReadResult['value'],
  bytes: number,
  ttl: Reply,
  possiblyStale: boolean,
): ReadResult {
  const ttlMs = value === null ? null : msOrNull(replyNumber(ttl.bytes, ttl.start));
  const none = { version: null, softTtlMs: null, isStale: false, lease: null };
  return { value, bytes, ttlMs, possiblyStale, ...none };
}

/** The next of what `RS.MGET` answered. */
export function nextOfMany(walk: ReplyWalk, possiblyStale: boolean): MgetResult {
  walk.enter();
  const value = walk.bulk();
  const version = walk.text();
  const ttlMs = msOrNull(walk.number());
  const isStale = walk.text() === STALE;
  return { value, version: version === NO_VERSION ? null : version, ttlMs, isStale, possiblyStale };
}

/** -1 says for ever, -2 that there is no key. */
function msOrNull(ms: number): number | null {
  return ms < 0 ? null : ms;
}
