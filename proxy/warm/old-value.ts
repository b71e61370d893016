import { isRingsideError } from '../../lib/base/index.ts';
import { replyLineEnd, replyNumber } from '../../lib/codec/resp/index.ts';
import type { Reply } from '../core/caller.ts';
import type { OtherCluster, Place } from '../core/other-cluster.ts';
import { leaseReplyOf } from '../fill/index.ts';

/** Values up to this size are copied out of what they came in. */
const COPY_BYTES = 16 * 1024;

/** A value of the old cluster. */
export interface OldValue {
  /** It as a bulk string of RESP: `head`, and behind it `rest`. */
  readonly head: Buffer;
  readonly rest: readonly Buffer[] | null;
  readonly restBytes: number;
  /** Length of the value alone. */
  readonly bytes: number;
  /** 64 bits; 0 where the engine has none. */
  readonly version: bigint;
  /** 32 bits of the client. */
  readonly flags: number;
  /** Milliseconds that were left when it was read; -1: for ever. */
  readonly ttlMs: number;
  /** Milliseconds until it is stale, likewise; 0: it was; -1: never. */
  readonly softTtlMs: number;
}

/** What the old cluster has under a key: a value; `other`: something that is no string; null: nothing. */
export type OldFound = OldValue | 'other' | null;

/** Reads a key of the old cluster, with all that belongs to the value. Rejects with a RingsideError. */
export async function readOld(old: OtherCluster, place: Place): Promise<OldFound> {
  const { key } = place;
  try {
    if (old.router.routeOf(key, 0, key.length).engine === 'ringside')
      return ofRingside(await old.ask(place, ['RS.GET', key, 'TAIL']));
    const [found, left] = await Promise.all([old.ask(place, ['GET', key]), old.ask(place, ['PTTL', key])]);
    const ttlMs = replyNumber(left.bytes, left.start);
    // It has ended between the two.
    return ttlMs === -2 ? null : valueAt(found, found.start, { version: 0n, flags: 0, ttlMs, softTtlMs: -1 });
  } catch (error) {
    if (isRingsideError(error, 'wrong_type')) return 'other';
    throw error;
  }
}

function ofRingside(reply: Reply): OldValue | null {
  const { bytes, start } = reply;
  const { state, valueAt: at, ttlMs } = leaseReplyOf(bytes, start);
  if (state === 'miss' || state === 'absent') return null;
  const versionAt = replyLineEnd(bytes, replyLineEnd(bytes, start));
  const flagsAt = replyLineEnd(bytes, versionAt);
  return valueAt(reply, at, {
    version: BigInt(bytes.latin1Slice(versionAt, flagsAt - 2)),
    flags: replyNumber(bytes, flagsAt),
    ttlMs,
    softTtlMs: replyNumber(bytes, replyLineEnd(bytes, replyLineEnd(bytes, flagsAt))),
  });
}

/** The bulk string at `at`, which ends with the reply; null: it is a null. */
function valueAt(
  { bytes, rest }: Reply,
  at: number,
  marks: Pick<OldValue, 'version' | 'flags' | 'ttlMs' | 'softTtlMs'>,
): OldValue | null {
  const length = replyNumber(bytes, at);
  if (bytes[at] !== 0x24 || length < 0) return null;
  const from = replyLineEnd(bytes, at);
  if (rest === null) {
    const whole = bytes.subarray(at, from + length + 2);
    const head = whole.length <= COPY_BYTES ? Buffer.from(whole) : whole;
    return { head, rest: null, restBytes: 0, bytes: length, ...marks };
  }
  const head = bytes.subarray(at);
  return { head, rest, restBytes: from - at + length + 2 - head.length, bytes: length, ...marks };
}
