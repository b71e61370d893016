import { isRingsideError, RingsideError } from '../../lib/base/index.ts';
import { argsOf, encodeCommand, replyLineEnd, replyNumber, skipReply } from '../../lib/codec/resp/index.ts';
import type { KeyValueApi, MgetResult, Purge, ReadResult, SetOptions, SetResult } from './api.ts';
import { noRing } from './fan-out.ts';
import { isErrorReply } from './frames.ts';
import { groupByShard, type KeyGroup, partOf } from './gather.ts';
import { joinPieces } from './large-frame.ts';
import { purgeFailure, purgeParts } from './purge.ts';
import { errorOfReply } from './reply-errors.ts';
import { acquireRequest, type Request, releaseRequest, type Sink } from './request.ts';
import type { Router } from './router.ts';
import type { ShardRoute } from './topology.ts';

type Part = string | Buffer | number | bigint;

/** A reply that outlives its request. */
interface Reply {
  readonly bytes: Buffer;
  readonly start: number;
  readonly isPossiblyStale: boolean;
}

/** The data path for HTTP, gRPC and memcached: commands in, promises out. Redis's commands carry it, so every engine can. */
export class KeyValue implements KeyValueApi {
  readonly #router: Router;

  constructor(router: Router) {
    this.#router = router;
  }

  async get(key: Buffer): Promise<ReadResult> {
    // Next to each other on one connection: nobody's command comes between, and they cost one round trip.
    const [value, ttl] = await Promise.all([this.#read(key, 'GET'), this.#read(key, 'PTTL')]);
    const found = bulkOf(value.bytes, value.start);
    const leftMs = replyNumber(ttl.bytes, ttl.start);
    const ttlMs = found === null || leftMs === -1 ? null : Math.max(0, leftMs);
    return { value: found, ttlMs, possiblyStale: value.isPossiblyStale };
  }

  async set(key: Buffer, value: Buffer, options: SetOptions = {}): Promise<SetResult> {
    const { ttlMs, onlyIfAbsent = false, tags = [] } = options;
    if (tags.length > 0) this.#checkEngine('tags');
    const expiry = ttlMs === undefined ? [] : ['PX', Math.ceil(ttlMs)];
    const parts =
      tags.length === 0
        ? ['SET', key, value, ...expiry]
        : ['RS.SET', key, value, ...expiry, 'TAGS', tags.length, ...tags];
    if (onlyIfAbsent && tags.length > 0) return this.#setTaggedIfAbsent(key, parts);
    if (onlyIfAbsent) {
      const reply = await this.#write(key, [...parts, 'NX']);
      const stored = reply.bytes[reply.start] === 0x2b;
      return { stored, created: stored };
    }
    // Only the write's own outcome counts: a failed look before it must not turn an unknown write into a harmless error.
    const existed = this.#read(key, 'EXISTS').catch(() => null);
    await this.#write(key, parts);
    const before = await existed;
    return { stored: true, created: before !== null && replyNumber(before.bytes, before.start) === 0 };
  }

  async #setTaggedIfAbsent(key: Buffer, parts: readonly Part[]): Promise<SetResult> {
    try {
      await this.#write(key, [...parts, 'NX']);
      return { stored: true, created: true };
    } catch (error) {
      if (!isRingsideError(error, 'precondition_failed')) throw error;
      return { stored: false, created: false };
    }
  }

  async purge(what: Purge): Promise<void> {
    this.#checkRing();
    if (what.tags.length > 0) this.#checkEngine('tags');
    if (what.prefixes.length > 0) this.#checkEngine('purges by prefix');
    const parts = purgeParts(this.#router, what);
    const outcomes = await Promise.allSettled(
      parts.map(({ route, frame }) => this.#call(route, frame, true, 0)),
    );
    const failure = purgeFailure(parts, outcomes);
    if (failure !== null) throw failure;
  }

  async delete(key: Buffer): Promise<boolean> {
    const reply = await this.#write(key, ['DEL', key]);
    return replyNumber(reply.bytes, reply.start) > 0;
  }

  async mget(keys: readonly Buffer[]): Promise<MgetResult[]> {
    if (keys.length === 0) return [];
    this.#checkRing();
    const args = argsOf('MGET', ...keys);
    const groups = groupByShard(this.#router, args, 1, 1);
    const results = new Array<MgetResult>(keys.length);
    await Promise.all(
      groups.map((group) => this.#readGroup(group, partOf(args, group.positions, 1, 1), results)),
    );
    return results;
  }

  async incr(key: Buffer, by: bigint): Promise<bigint> {
    const reply = await this.#write(key, ['INCRBY', key, by]);
    return BigInt(reply.bytes.latin1Slice(reply.start + 1, replyLineEnd(reply.bytes, reply.start) - 2));
  }

  async #readGroup({ route, positions }: KeyGroup, frame: Buffer, results: MgetResult[]): Promise<void> {
    try {
      const { bytes, start, isPossiblyStale } = await this.#call(route, frame, false, 0);
      let at = replyLineEnd(bytes, start);
      for (const position of positions) {
        results[position] = { value: bulkOf(bytes, at), possiblyStale: isPossiblyStale };
        at = skipReply(bytes, at);
      }
    } catch (error) {
      for (const position of positions) results[position] = { error: error as RingsideError };
    }
  }

  #read(key: Buffer, command: string): Promise<Reply> {
    return this.#call(this.#routeOf(key), encodeCommand(command, key), false, 1);
  }

  #write(key: Buffer, parts: readonly Part[]): Promise<Reply> {
    return this.#call(this.#routeOf(key), encodeCommand(...parts), true, 1);
  }

  #routeOf(key: Buffer): ShardRoute {
    this.#checkRing();
    return this.#router.routeOf(key, 0, key.length);
  }

  #checkEngine(what: string): void {
    const { engine } = this.#router.env.settings;
    if (engine === 'redis')
      throw new RingsideError('not_implemented', `${what}: not supported by engine redis`);
  }

  #checkRing(): void {
    if (this.#router.routes.length === 0) throw errorOfReply(noRing(), 0, noRing().length);
  }

  #call(route: ShardRoute, frame: Buffer, isWrite: boolean, keyIndex: number): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const request = acquireRequest();
      request.bytes = frame;
      request.end = frame.length;
      request.isWrite = isWrite;
      request.keyIndex = keyIndex;
      request.protocol = 2;
      request.startedMs = this.#router.env.clock.monotonicMs();
      request.sink = new Call(resolve, reject);
      this.#router.submit(request, route);
    });
  }
}

class Call implements Sink {
  readonly #resolve: (reply: Reply) => void;
  readonly #reject: (error: RingsideError) => void;

  constructor(resolve: (reply: Reply) => void, reject: (error: RingsideError) => void) {
    this.#resolve = resolve;
    this.#reject = reject;
  }

  ready(request: Request): void {
    joinPieces(request);
    const { bytes, start, end, isPossiblyStale } = request;
    releaseRequest(request);
    if (isErrorReply(bytes, start)) this.#reject(errorOfReply(bytes, start, end));
    else this.#resolve({ bytes, start, isPossiblyStale });
  }
}

/** A copy of the bulk string at `at`, or null. A value that is most of the buffer it came in is not copied. */
function bulkOf(bytes: Buffer, at: number): Buffer | null {
  const length = replyNumber(bytes, at);
  if (bytes[at] !== 0x24 || length < 0) return null;
  const from = replyLineEnd(bytes, at);
  const view = bytes.subarray(from, from + length);
  return length * 2 > bytes.length ? view : Buffer.from(view);
}
