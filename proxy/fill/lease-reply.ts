import { replyLineEnd, replyNumber } from '../../lib/codec/resp/index.ts';

/** What `RS.GET … TAIL` says of a key; absent: whoever was to fill it found that there is nothing. */
export type KeyState = 'hit' | 'stale' | 'miss' | 'absent';

/** What `RS.GET … TAIL` answered, in either version of RESP. */
export interface LeaseReply {
  readonly state: KeyState;
  /** Milliseconds that the value lives; -1: for ever. */
  readonly ttlMs: number;
  /** Of the lease that this caller got; null: it got none. */
  readonly token: string | null;
  /** Milliseconds that it runs, or somebody else's; 0: there is none. */
  readonly leaseMs: number;
  /** Where the value begins, a bulk string or null that ends with the reply. */
  readonly valueAt: number;
}

const NULL = 0x5f;
const MINUS = 0x2d;

/** The reply at `start`, which is no error and whose head is in `bytes`. */
export function leaseReplyOf(bytes: Buffer, start: number): LeaseReply {
  const versionAt = replyLineEnd(bytes, start);
  const flagsAt = behindBulk(bytes, versionAt);
  const ttlAt = replyLineEnd(bytes, flagsAt);
  const stateAt = replyLineEnd(bytes, replyLineEnd(bytes, ttlAt));
  const tokenAt = behindBulk(bytes, stateAt);
  const leaseAt = behindBulk(bytes, tokenAt);
  return {
    state: bulkText(bytes, stateAt) as KeyState,
    ttlMs: replyNumber(bytes, ttlAt),
    token: bulkText(bytes, tokenAt),
    leaseMs: replyNumber(bytes, leaseAt),
    valueAt: replyLineEnd(bytes, leaseAt),
  };
}

function isNull(bytes: Buffer, at: number): boolean {
  return bytes[at] === NULL || bytes[at + 1] === MINUS;
}

function behindBulk(bytes: Buffer, at: number): number {
  const from = replyLineEnd(bytes, at);
  return isNull(bytes, at) ? from : from + replyNumber(bytes, at) + 2;
}

function bulkText(bytes: Buffer, at: number): string | null {
  if (isNull(bytes, at)) return null;
  const from = replyLineEnd(bytes, at);
  return bytes.latin1Slice(from, from + replyNumber(bytes, at));
}
