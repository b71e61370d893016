import { replyLineEnd, replyNumber, skipReply } from '../../lib/codec/resp/index.ts';
import type { Request } from '../core/request.ts';
import { leaseReplyOf } from '../fill/index.ts';

const DOLLAR = 0x24;
const PERCENT = 0x25;
const STAR = 0x2a;
const PLUS = 0x2b;
const MINUS = 0x2d;
const ZERO = 0x30;
const COLON = 0x3a;
const NULL = 0x5f;
const LETTER_N = 0x6e;
const TILDE = 0x7e;

/** Reads of strings of which the answer can be made here: of one key, and of several. */
const SINGLE: ReadonlySet<string> = new Set(['GET', 'RS.GET', 'RS.MCMETA']);
const SEVERAL: ReadonlySet<string> = new Set(['MGET', 'RS.MGET', 'RS.MCGET', 'RS.MCGETS']);
const TAIL = 'TAIL';
/** Options of RS.MCMETA that take a lease. */
const TAKE_LEASE: ReadonlySet<string> = new Set(['MISS', 'BELOW']);
const NO_VALUE = 'NOVALUE';
const MISS = 'miss';

/** A read, and the keys in its command. */
export interface ReadCommand {
  /** In capitals. */
  readonly name: string;
  /**
   * `value`: of a string, one key. `values`: of several. `other`: of something else, or about a key. `leased`: whoever reads fills the key itself.
   */
  readonly kind: 'value' | 'values' | 'other' | 'leased';
  /** In the command's own memory. */
  readonly keys: readonly Buffer[];
  /** Of `value`: everything but the value. */
  readonly isHead: boolean;
}

/**
 * Whether a reply may say that a key is not there, by its first two bytes: a null, a 0, an empty collection, or any array. Of most replies with something in
 * them no more is looked at.
 */
export function mayMiss(bytes: Buffer, start: number): boolean {
  const next = bytes[start + 1];
  switch (bytes[start]) {
    case DOLLAR:
      return next === MINUS || next === ZERO;
    case COLON:
      return next === ZERO || next === MINUS;
    case PLUS:
      return next === LETTER_N;
    case PERCENT:
    case TILDE:
      return next === ZERO;
    default:
      return bytes[start] === STAR || bytes[start] === NULL;
  }
}

/** The read in `request`; null where nothing can be told of its keys. */
export function readCommandOf({ bytes, start, keyIndex }: Request): ReadCommand | null {
  const [first, ...words] = wordsOf(bytes, start);
  const name = first.latin1Slice().toUpperCase();
  if (SEVERAL.has(name)) return { name, kind: 'values', keys: words, isHead: false };
  if (SINGLE.has(name)) {
    const options = words.slice(1).map((word) => word.latin1Slice());
    const isPlain = name === 'RS.GET' ? options.join() === TAIL : !options.some((one) => TAKE_LEASE.has(one));
    const kind = isPlain ? 'value' : 'leased';
    return { name, kind, keys: words.slice(0, 1), isHead: options.includes(NO_VALUE) };
  }
  if (keyIndex < 1 || name.startsWith('RS.')) return null;
  return { name, kind: 'other', keys: [words[keyIndex - 1]], isHead: false };
}

/** The places among the keys of `read` of those that its reply at `start` says are not there. */
export function missingIn({ name, kind }: ReadCommand, bytes: Buffer, start: number): number[] {
  if (kind === 'leased') return [];
  if (kind === 'other') return isEmpty(bytes, start) ? [0] : [];
  if (kind === 'values')
    return elementsOf(bytes, start).flatMap((at, place) => (isMissing(bytes, at, name) ? [place] : []));
  if (name === 'RS.GET') return leaseReplyOf(bytes, start).state === MISS ? [0] : [];
  return isNull(bytes, start) ? [0] : [];
}

/** Whether a read that takes a lease has found a value. */
export function isLeasedFound({ name }: ReadCommand, bytes: Buffer, start: number): boolean {
  if (name !== 'RS.GET') return !isNull(bytes, start);
  const { state } = leaseReplyOf(bytes, start);
  return state === 'hit' || state === 'stale';
}

/** Where each element of the array at `start` begins. */
export function elementsOf(bytes: Buffer, start: number): number[] {
  let at = replyLineEnd(bytes, start);
  return Array.from({ length: Math.max(0, replyNumber(bytes, start)) }, () => {
    const from = at;
    at = skipReply(bytes, at);
    return from;
  });
}

/** An element of RS.MGET is an array with the state last. */
function isMissing(bytes: Buffer, at: number, name: string): boolean {
  return isNull(bytes, name === 'RS.MGET' ? replyLineEnd(bytes, at) : at);
}

function isNull(bytes: Buffer, at: number): boolean {
  return bytes[at] === NULL || bytes[at + 1] === MINUS;
}

/** Nothing, as commands say it whose key does not exist: also an array of nothing but that. */
function isEmpty(bytes: Buffer, at: number): boolean {
  if (bytes[at] === STAR) return elementsOf(bytes, at).every((element) => isEmpty(bytes, element));
  return mayMiss(bytes, at);
}

/** The arguments of an encoded command, in place. */
function wordsOf(bytes: Buffer, start: number): Buffer[] {
  let at = replyLineEnd(bytes, start);
  return Array.from({ length: replyNumber(bytes, start) }, () => {
    const from = replyLineEnd(bytes, at);
    const to = from + replyNumber(bytes, at);
    at = to + 2;
    return bytes.subarray(from, to);
  });
}
