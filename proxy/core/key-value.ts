import { RingsideError } from '../../lib/base/index.ts';
import { type CommandPart, encodeCommand, replyNumber } from '../../lib/codec/resp/index.ts';
import { type Capability, capability } from '../engine/capability.ts';
import type {
  BoundedApi,
  IncrResult,
  LeaseWish,
  MgetResult,
  Pieces,
  Purge,
  ReadOptions,
  ReadResult,
  SetOptions,
  SetResult,
  WriteConditions,
} from './api.ts';
import { Caller, type Reply } from './caller.ts';
import { noRing } from './fan-out.ts';
import { purgeFailure, purgeParts } from './purge.ts';
import { readMany } from './read-many.ts';
import { plainResultOf, ReplyWalk, readResultOf } from './read-reply.ts';
import { errorOfReply } from './reply-errors.ts';
import { nameWrite } from './request-digest.ts';
import type { Router } from './router.ts';
import type { ShardRoute } from './topology.ts';
import { encodeWithValue, type Frame, valueIn } from './value-frame.ts';

const NOTHING: Pieces = [];

/** The near cache knows nothing of the reply. */
const NOT_KNOWN = -2;

/**
 * The data path for HTTP and gRPC: commands in, promises out, each one round trip. Ringside's nodes are asked with their own commands;
 * a redis-server with Redis's, and what it cannot do is refused before anything is sent.
 */
export class KeyValue implements BoundedApi {
  readonly #router: Router;
  readonly #caller: Caller;
  readonly #purged: (what: Purge) => Promise<void>;

  /** `purged`: all threads of the process are to forget what they keep of this; it was purged at the nodes. */
  constructor(
    router: Router,
    purged: (what: Purge) => Promise<void> = async () => {},
    deadlineMs = Number.POSITIVE_INFINITY,
  ) {
    this.#router = router;
    this.#purged = purged;
    this.#caller = new Caller(router, deadlineMs);
  }

  until(deadlineMs: number): KeyValue {
    return new KeyValue(this.#router, this.#purged, deadlineMs);
  }

  async get(key: Buffer, options: ReadOptions = {}): Promise<ReadResult> {
    const { lease = false, head = false } = options;
    const route = this.#routeOf(key);
    if (lease) demand(route, 'leases');
    if (route.engine !== 'ringside') return this.#getPlain(route, key, head);
    const asked = ['RS.GET', key, ...leaseWords(lease), ...(head ? ['NOVALUE'] : []), 'TAIL'];
    if (!head) return readResultOf(await this.#read(route, asked, true), options);
    // Next to each other on one connection: nobody's command comes between, and they cost one round trip.
    const [found, length] = await Promise.all([this.#read(route, asked), this.#read(route, ['STRLEN', key])]);
    return readResultOf(found, options, replyNumber(length.bytes, length.start));
  }

  async #getPlain(route: ShardRoute, key: Buffer, head: boolean): Promise<ReadResult> {
    if (!head && this.#router.near !== null) return this.#getKept(route, key);
    const ttl = this.#read(route, ['PTTL', key]);
    if (!head) {
      const [found, left] = await Promise.all([this.#read(route, ['GET', key], true), ttl]);
      const value = valueIn(found.bytes, found.start, found.rest);
      return plainResultOf(value, replyNumber(found.bytes, found.start), left, found.isPossiblyStale);
    }
    const [length, left] = await Promise.all([this.#read(route, ['STRLEN', key]), ttl]);
    const isThere = replyNumber(left.bytes, left.start) !== -2;
    const bytes = replyNumber(length.bytes, length.start);
    return plainResultOf(isThere ? NOTHING : null, bytes, left, length.isPossiblyStale);
  }

  /** The near cache knows the time to live of what it answers: only when it does not, the node is asked, and only then. */
  async #getKept(route: ShardRoute, key: Buffer): Promise<ReadResult> {
    const found = await this.#read(route, ['GET', key], true);
    const value = valueIn(found.bytes, found.start, found.rest);
    const bytes = replyNumber(found.bytes, found.start);
    if (found.nearTtlMs === NOT_KNOWN)
      return plainResultOf(value, bytes, await this.#read(route, ['PTTL', key]), found.isPossiblyStale);
    const ttlMs = value === null || found.nearTtlMs < 0 ? null : found.nearTtlMs;
    const none = { version: null, softTtlMs: null, isStale: false, lease: null };
    const age = found.nearAgeMs >= 0 ? { l1AgeMs: found.nearAgeMs } : {};
    return { value, bytes, ttlMs, possiblyStale: found.isPossiblyStale, ...none, ...age };
  }

  async set(key: Buffer, value: Pieces, options: SetOptions = {}): Promise<SetResult> {
    const route = this.#routeOf(key);
    const { ttlMs, softTtlMs, tags = [], leaseToken } = options;
    if (softTtlMs !== undefined) demand(route, 'softTtl');
    if (leaseToken !== undefined) demand(route, 'leases');
    if (tags.length > 0) demand(route, 'tags');
    const behind: CommandPart[] = [];
    if (ttlMs !== undefined) behind.push('PX', Math.ceil(ttlMs));
    if (options.onlyIfAbsent) behind.push('NX');
    if (route.engine !== 'ringside') return this.#setPlain(route, key, value, behind, options);
    if (softTtlMs !== undefined) behind.push('SOFTPX', Math.ceil(softTtlMs));
    if (leaseToken !== undefined) behind.push('LEASE', leaseToken);
    if (tags.length > 0) behind.push('TAGS', tags.length, ...tags);
    behind.push('PREVIOUS', ...(await conditionsOf(key, options, ['RS.SET', ...behind], value)));
    const reply = await this.#write(this.#routeOf(key), encodeWithValue(['RS.SET', key], value, behind));
    const walk = new ReplyWalk(reply.bytes, reply.start);
    walk.enter();
    const version = walk.text();
    return { version, created: walk.text() === '0' };
  }

  async #setPlain(
    route: ShardRoute,
    key: Buffer,
    value: Pieces,
    behind: readonly CommandPart[],
    options: SetOptions,
  ): Promise<SetResult> {
    const { onlyIfAbsent = false, mustExist = false } = options;
    demandConditions(route, { ...options, mustExist: false });
    const frame = encodeWithValue(['SET', key], value, mustExist ? [...behind, 'XX'] : behind);
    if (onlyIfAbsent || mustExist) {
      const reply = await this.#write(route, frame);
      if (isOk(reply)) return { created: onlyIfAbsent, version: null };
      throw new RingsideError('precondition_failed', onlyIfAbsent ? 'the key exists' : 'no such key');
    }
    // Only the write's own outcome counts: a failed look before it must not turn an unknown write into a harmless error.
    const existed = this.#read(route, ['EXISTS', key]).catch(() => null);
    await this.#write(route, frame);
    const before = await existed;
    return { version: null, created: before !== null && replyNumber(before.bytes, before.start) === 0 };
  }

  async delete(key: Buffer, conditions: WriteConditions = {}): Promise<boolean> {
    const route = this.#routeOf(key);
    demandConditions(route, conditions);
    const asked: CommandPart[] =
      route.engine === 'ringside'
        ? ['RS.DEL', key, ...(await conditionsOf(key, conditions, ['RS.DEL'], NOTHING))]
        : ['DEL', key];
    const reply = await this.#write(this.#routeOf(key), frameOf(asked));
    return replyNumber(reply.bytes, reply.start) > 0;
  }

  async incr(key: Buffer, by: bigint, conditions: WriteConditions = {}): Promise<IncrResult> {
    const route = this.#routeOf(key);
    demandConditions(route, conditions);
    if (route.engine !== 'ringside') {
      const { bytes, start } = await this.#write(route, frameOf(['INCRBY', key, by]));
      return { value: integerAt(bytes, start), version: null };
    }
    const asked = ['RS.INCR', key, by, ...(await conditionsOf(key, conditions, ['RS.INCR', by], NOTHING))];
    const { bytes, start } = await this.#write(this.#routeOf(key), frameOf(asked));
    const walk = new ReplyWalk(bytes, start);
    walk.enter();
    const value = integerAt(bytes, walk.at);
    walk.number();
    return { value, version: walk.text() };
  }

  async mget(keys: readonly Buffer[]): Promise<MgetResult[]> {
    if (keys.length === 0) return [];
    this.#checkRing();
    return readMany(this.#caller, keys);
  }

  async purge(what: Purge): Promise<void> {
    this.#checkRing();
    for (const route of this.#router.routes) {
      if (what.tags.length > 0) demand(route, 'tags');
      if (what.prefixes.length > 0) demand(route, 'prefixPurges');
    }
    const parts = purgeParts(this.#router, what);
    const outcomes = await Promise.allSettled(
      parts.map(({ route, frame }) =>
        this.#caller.call({ route, isWrite: true, keyIndex: 0 }, { bytes: frame, rest: null }),
      ),
    );
    // Also what failed in part may have been purged.
    await this.#purged(what);
    const failure = purgeFailure(parts, outcomes);
    if (failure !== null) throw failure;
  }

  #read(route: ShardRoute, parts: readonly CommandPart[], inPieces = false): Promise<Reply> {
    return this.#caller.call({ route, isWrite: false, keyIndex: 1 }, frameOf(parts), inPieces);
  }

  #write(route: ShardRoute, frame: Frame): Promise<Reply> {
    return this.#caller.call({ route, isWrite: true, keyIndex: 1 }, frame);
  }

  #routeOf(key: Buffer): ShardRoute {
    this.#checkRing();
    return this.#router.routeOf(key, 0, key.length);
  }

  #checkRing(): void {
    if (this.#router.routes.length === 0) throw errorOfReply(noRing(), 0, noRing().length);
  }
}

function frameOf(parts: readonly CommandPart[]): Frame {
  return { bytes: encodeCommand(...parts), rest: null };
}

/** What asks RS.GET for a lease. */
export function leaseWords(wish: boolean | LeaseWish): CommandPart[] {
  if (typeof wish === 'boolean') return wish ? ['LEASE'] : [];
  const { leaseMs, belowMs } = wish;
  return belowMs > 0 ? ['LEASE', leaseMs, 'BELOW', belowMs] : ['LEASE', leaseMs];
}

function isOk({ bytes, start }: Reply): boolean {
  return bytes[start] === 0x2b;
}

function integerAt(bytes: Buffer, at: number): bigint {
  return BigInt(bytes.latin1Slice(at + 1, bytes.indexOf('\r', at)));
}

/** Throws RingsideError `not_implemented` when the engine of the shard cannot do it. */
function demand(route: ShardRoute, what: Capability): void {
  const refusal = capability(route, what);
  if (refusal !== null) throw refusal;
}

function demandConditions(
  route: ShardRoute,
  { ifVersion, mustExist = false, fence, idempotencyKey }: WriteConditions,
): void {
  if (ifVersion !== undefined || mustExist) demand(route, 'versions');
  if (fence !== undefined) demand(route, 'fences');
  if (idempotencyKey !== undefined) demand(route, 'idempotency');
}

/** The conditions as options of the nodes' commands. `request` and `value` are all else that the write asks for. */
async function conditionsOf(
  key: Buffer,
  { ifVersion, mustExist = false, fence, idempotencyKey }: WriteConditions,
  request: readonly CommandPart[],
  value: Pieces,
): Promise<CommandPart[]> {
  const parts: CommandPart[] = [];
  if (ifVersion !== undefined) parts.push('IFVERSION', ifVersion);
  if (mustExist) parts.push('XX');
  if (fence !== undefined) parts.push('FENCE', fence.name, fence.token);
  if (idempotencyKey === undefined) return parts;
  const { name, digest } = await nameWrite(key, idempotencyKey, [...request, ...parts], value);
  return [...parts, 'ONCE', name, digest];
}
