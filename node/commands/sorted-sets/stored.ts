import type { Args, RespWriter } from '../../../lib/codec/resp/index.ts';
import { NOTIFY_GENERIC, NOTIFY_ZSET } from '../../data-set.ts';
import type { Keyspace } from '../../keyspace.ts';
import { refusalOfValue } from '../../value-limit.ts';
import { ZsetValue } from '../../values/index.ts';

/** A member and its score; the member as text of one byte a character. */
export interface Scored {
  readonly member: string;
  readonly score: number;
}

/** The order of a sorted set. */
export function compareScored(a: Scored, b: Scored): number {
  if (a.score !== b.score) return a.score < b.score ? -1 : 1;
  return a.member < b.member ? -1 : a.member > b.member ? 1 : 0;
}

function setMember(zset: ZsetValue, member: string, score: number): void {
  const bytes = Buffer.from(member, 'latin1');
  zset.set(score, bytes, 0, bytes.length);
}

function restoreNegativeZeros(zset: ZsetValue, members: readonly Scored[]): void {
  for (const { member, score } of members) {
    if (!Object.is(score, -0)) continue;
    const bytes = Buffer.from(member, 'latin1');
    zset.delete(bytes, 0, bytes.length);
    zset.set(score, bytes, 0, bytes.length);
  }
}

/**
 * Puts a sorted set of these members, each once, in the place of whatever is at argument `keyAt`, or nothing when there are none, and
 * replies with how many there are, or why that must not be.
 */
export function storeMembers(
  keyspace: Keyspace,
  args: Args,
  keyAt: number,
  members: readonly Scored[],
  event: string,
  reply: RespWriter,
): void {
  const { buffer } = args;
  const start = args.start(keyAt);
  const end = args.end(keyAt);
  const longest = () => members.reduce((bytes, { member }) => Math.max(bytes, member.length), 0);
  const refusal = refusalOfValue(keyspace, args, keyAt, longest);
  if (refusal !== null) {
    reply.error(refusal);
    return;
  }
  const old = keyspace.write(buffer, start, end);
  if (members.length === 0) {
    if (old !== 0) {
      keyspace.remove(old);
      keyspace.notify(NOTIFY_GENERIC, 'del', buffer, start, end);
    } else {
      keyspace.voidLease(buffer, start, end);
    }
    reply.integer(0);
    return;
  }
  if (old !== 0) keyspace.replace(old);
  const zset = ZsetValue.create(keyspace, buffer, start, end);
  for (const { member, score } of members) setMember(zset, member, score);
  // While it was small, it forgot the sign of zero; in Redis it was never small.
  if (zset.encoding === 'skiplist') restoreNegativeZeros(zset, members);
  keyspace.modified(zset.slot);
  keyspace.logValue(zset.slot);
  keyspace.signalReady(buffer, start, end);
  keyspace.notify(NOTIFY_ZSET, event, buffer, start, end);
  reply.integer(members.length);
}
