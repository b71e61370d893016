import { replyLineEnd, replyNumber, skipReply } from '../../lib/codec/resp/index.ts';
import type { CommandSpec } from '../../lib/commands/index.ts';
import { murmur3x64_128 } from '../../lib/ring/index.ts';
import { errorCodeOf } from '../core/frames.ts';
import { leaseReplyOf } from '../fill/index.ts';

/** Longer replies are not compared. */
const MAX_BYTES = 1024 * 1024;
const TAKES_NO_LEASE = 3;
/** Their replies hold versions, or how long ago something was, which no two clusters share. */
const OWN_FIGURES: ReadonlySet<string> = new Set(['rs.mget', 'rs.mcgets', 'rs.mcmeta', 'rs.route']);
const TIMES: ReadonlySet<string> = new Set(['ttl', 'pttl', 'dump']);

/**
 * How replies to a command are compared: `whole`: byte by byte; `unordered`: the same elements in any order; `value`: the value of RS.GET alone; null: not at
 * all, since two clusters that hold the same answer differently.
 */
export type Comparison = 'whole' | 'unordered' | 'value' | null;

/** How replies to this command of so many words are compared. */
export function comparisonOf({ name, tips }: CommandSpec, words: number): Comparison {
  if (name === 'rs.get') return words === TAKES_NO_LEASE ? 'value' : null;
  if (OWN_FIGURES.has(name) || TIMES.has(name)) return null;
  if (tips.includes('nondeterministic_output_order')) return 'unordered';
  return tips.includes('nondeterministic_output') ? null : 'whole';
}

const limbs = new Uint32Array(4);

/** What a reply comes down to: equal for replies that are the same; null: it is too long. `bytes[start, end)`, and then `rest`. */
export function digestOf(
  comparison: NonNullable<Comparison>,
  bytes: Buffer,
  start: number,
  end: number,
  rest: readonly Buffer[] | null,
): string | null {
  const code = errorCodeOf(bytes, start);
  if (code !== null) return `error ${code}`;
  if (rest !== null) {
    const whole = joined(bytes.subarray(start, end), rest);
    return whole === null ? null : digestOf(comparison, whole, 0, whole.length, null);
  }
  if (end - start > MAX_BYTES) return null;
  if (comparison === 'value') return hashOf(bytes, leaseReplyOf(bytes, start).valueAt, end);
  return comparison === 'whole' ? hashOf(bytes, start, end) : setHashOf(bytes, start);
}

function joined(head: Buffer, rest: readonly Buffer[]): Buffer | null {
  const length = rest.reduce((sum, piece) => sum + piece.length, head.length);
  return length > MAX_BYTES ? null : Buffer.concat([head, ...rest], length);
}

function hashOf(bytes: Buffer, start: number, end: number): string {
  murmur3x64_128(bytes, start, end, 0, limbs);
  return `${end - start} ${limbs[0]} ${limbs[1]}`;
}

/** The sum of the hashes of the elements. */
function setHashOf(bytes: Buffer, start: number): string {
  let at = replyLineEnd(bytes, start);
  const end = skipReply(bytes, start);
  let high = 0;
  let low = 0;
  while (at < end) {
    const next = skipReply(bytes, at);
    murmur3x64_128(bytes, at, next, 0, limbs);
    high = (high + limbs[0]) >>> 0;
    low = (low + limbs[1]) >>> 0;
    at = next;
  }
  return `${replyNumber(bytes, start)} ${high} ${low}`;
}
