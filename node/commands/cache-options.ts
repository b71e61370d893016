import { RingsideError } from '../../lib/base/index.ts';
import type { Args } from '../../lib/codec/resp/index.ts';
import { type CommandSpec, MAX_FENCE_NAME_BYTES, MAX_TAG_BYTES, MAX_TAGS } from '../../lib/commands/index.ts';
import { NOT_AN_INTEGER, SYNTAX_ERROR } from './command.ts';
import { absoluteTime, EX, EXAT, invalidExpiry, PX, PXAT, type TimeUnit } from './expiry-time.ts';

/** What a key with tags is refused with when there is no memory for them. */
export const NO_ROOM_FOR_TAGS = new RingsideError(
  'overloaded',
  'the index of tags takes as much as node.limits.maxTagBytes allows',
).toResp();
/** Longest name of a write that is done once, and longest digest. */
const MAX_ONCE_BYTES = 64;
const U64 = 2n ** 64n;
const U32 = 2 ** 32;
const DIGITS = /^\d{1,20}$/;
/** Where the options of writes that may be fenced begin. */
const FENCEABLE: Readonly<Record<string, number>> = { 'rs.set': 3, 'rs.del': 2, 'rs.incr': 3 };

/** What a write goes by beside key and value, as it was given. */
export interface CacheOptions {
  /** Unix milliseconds; 0: none given. */
  expiresAt: number;
  keepTtl: boolean;
  softExpiresAt: number | undefined;
  clientFlags: number | undefined;
  tags: readonly string[] | undefined;
  mustExist: boolean;
  /** The version that the key must have, 0: it must not be there; null: whatever it has. */
  ifVersion: bigint | null;
  lease: string | null;
  fence: { readonly name: string; readonly token: bigint } | null;
  /** The write is done once, and answered alike when it comes again. Text of one byte a character. */
  once: { readonly name: string; readonly digest: string } | null;
  /** The answer tells the version before, too. */
  tellsPrevious: boolean;
}

/** Names of options, each with how it reads its operands from argument `i` on: it returns how many, or the text of an error. */
type OptionReader = (options: CacheOptions, args: Args, i: number, nowMs: number) => number | string;

const expiryIn =
  (unit: TimeUnit): OptionReader =>
  (options, args, i, nowMs) => {
    if (options.expiresAt !== 0 || options.keepTtl) return SYNTAX_ERROR;
    const at = absoluteTime(args, i, unit, nowMs);
    if (at === 'not an integer') return NOT_AN_INTEGER;
    const isPositive = at !== 'out of range' && args.bigint(i)! > 0n;
    if (!isPositive) return invalidExpiry(args.latin1(0).toLowerCase());
    options.expiresAt = at;
    return 1;
  };

/** Relative times may be 0: stale at once. Of absolute ones 0 is never. */
const softExpiryIn =
  (unit: TimeUnit): OptionReader =>
  (options, args, i, nowMs) => {
    if (options.softExpiresAt !== undefined) return SYNTAX_ERROR;
    const at = absoluteTime(args, i, unit, nowMs);
    if (at === 'not an integer') return NOT_AN_INTEGER;
    if (at === 'out of range' || args.bigint(i)! < 0n) return 'ERR invalid soft expire time';
    options.softExpiresAt = at;
    return 1;
  };

const readers: Readonly<Record<string, readonly [operands: number, read: OptionReader]>> = {
  EX: [1, expiryIn(EX)],
  PX: [1, expiryIn(PX)],
  EXAT: [1, expiryIn(EXAT)],
  PXAT: [1, expiryIn(PXAT)],
  KEEPTTL: [0, keepTtl],
  SOFTPX: [1, softExpiryIn(PX)],
  SOFTPXAT: [1, softExpiryIn(PXAT)],
  FLAGS: [1, clientFlags],
  TAGS: [1, tags],
  NX: [0, (options) => condition(options, 0n)],
  XX: [0, mustExist],
  IFVERSION: [1, ifVersion],
  LEASE: [1, lease],
  FENCE: [2, fence],
  ONCE: [2, once],
  PREVIOUS: [0, previous],
};

/** Reads the options from argument `first` on, those of `allowed` only. Returns the text of an error otherwise. */
export function parseCacheOptions(
  args: Args,
  first: number,
  nowMs: number,
  allowed: readonly string[] = Object.keys(readers),
): CacheOptions | string {
  const options: CacheOptions = {
    expiresAt: 0,
    keepTtl: false,
    softExpiresAt: undefined,
    clientFlags: undefined,
    tags: undefined,
    mustExist: false,
    ifVersion: null,
    lease: null,
    fence: null,
    once: null,
    tellsPrevious: false,
  };
  for (let i = first; i < args.count; ) {
    const name = args.upper(i);
    if (!allowed.includes(name)) return SYNTAX_ERROR;
    const [operands, read] = readers[name];
    if (i + operands >= args.count) return SYNTAX_ERROR;
    const taken = read(options, args, i + 1, nowMs);
    if (typeof taken === 'string') return taken;
    i += 1 + taken;
  }
  return options;
}

/** Whether the command is a write that carries a fencing token. */
export function isFenced(spec: CommandSpec, args: Args): boolean {
  if (spec.name === 'rs.fence') return true;
  const first = FENCEABLE[spec.name];
  if (first === undefined) return false;
  const options = parseCacheOptions(args, first, 0);
  return typeof options !== 'string' && options.fence !== null;
}

/** A version as text, or null when it is none. */
export function parseVersion(text: string): bigint | null {
  if (!DIGITS.test(text)) return null;
  const version = BigInt(text);
  return version < U64 ? version : null;
}

function keepTtl(options: CacheOptions): number | string {
  if (options.expiresAt !== 0) return SYNTAX_ERROR;
  options.keepTtl = true;
  return 0;
}

function clientFlags(options: CacheOptions, args: Args, i: number): number | string {
  const flags = args.integer(i);
  if (flags === null || flags < 0 || flags >= U32) return 'ERR flags are not a number of 32 bits';
  options.clientFlags = flags;
  return 1;
}

function tags(options: CacheOptions, args: Args, i: number): number | string {
  const count = args.integer(i);
  if (options.tags !== undefined || count === null || count < 0) return SYNTAX_ERROR;
  if (count > MAX_TAGS) return `ERR a key may have at most ${MAX_TAGS} tags`;
  if (i + count >= args.count) return SYNTAX_ERROR;
  const found = new Set<string>();
  for (let at = i + 1; at <= i + count; at++) {
    if (args.length(at) === 0 || args.length(at) > MAX_TAG_BYTES)
      return `ERR a tag has 1 to ${MAX_TAG_BYTES} bytes`;
    found.add(args.latin1(at));
  }
  options.tags = [...found];
  return 1 + count;
}

function condition(options: CacheOptions, version: bigint): number | string {
  if (options.ifVersion !== null || options.mustExist) return SYNTAX_ERROR;
  options.ifVersion = version;
  return 0;
}

function mustExist(options: CacheOptions): number | string {
  if (options.ifVersion !== null) return SYNTAX_ERROR;
  options.mustExist = true;
  return 0;
}

function ifVersion(options: CacheOptions, args: Args, i: number): number | string {
  const version = parseVersion(args.latin1(i));
  if (version === null) return 'ERR the version is not a number of 64 bits';
  const problem = condition(options, version);
  return typeof problem === 'string' ? problem : 1;
}

function lease(options: CacheOptions, args: Args, i: number): number | string {
  options.lease = args.latin1(i);
  return 1;
}

function fence(options: CacheOptions, args: Args, i: number): number | string {
  if (options.fence !== null) return SYNTAX_ERROR;
  const found = parseFence(args, i);
  if (typeof found === 'string') return found;
  options.fence = found;
  return 2;
}

function once(options: CacheOptions, args: Args, i: number): number | string {
  if (options.once !== null) return SYNTAX_ERROR;
  for (const at of [i, i + 1])
    if (args.length(at) === 0 || args.length(at) > MAX_ONCE_BYTES)
      return `ERR name and digest of a write have 1 to ${MAX_ONCE_BYTES} bytes`;
  options.once = { name: args.latin1(i), digest: args.latin1(i + 1) };
  return 2;
}

function previous(options: CacheOptions): number {
  options.tellsPrevious = true;
  return 0;
}

/** Name and token of a fence at arguments `i` and `i + 1`, or the text of an error. */
export function parseFence(args: Args, i: number): { name: string; token: bigint } | string {
  if (args.length(i) === 0 || args.length(i) > MAX_FENCE_NAME_BYTES)
    return `ERR the name of a fence has 1 to ${MAX_FENCE_NAME_BYTES} bytes`;
  const token = parseVersion(args.latin1(i + 1));
  return token === null
    ? 'ERR the fencing token is not a number of 64 bits'
    : { name: args.latin1(i), token };
}
