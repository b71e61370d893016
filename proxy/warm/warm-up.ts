import { type Clock, isRingsideError, type Logger } from '../../lib/base/index.ts';
import { replyNumber } from '../../lib/codec/resp/index.ts';
import type { Config, WarmUpConfig } from '../../lib/config/index.ts';
import { argumentRange, isErrorReply } from '../core/frames.ts';
import type { AnswerHook, Onlooker } from '../core/onlooker.ts';
import { OtherCluster, type Place } from '../core/other-cluster.ts';
import type { Request } from '../core/request.ts';
import type { Router } from '../core/router.ts';
import type { ShardRoute } from '../core/topology.ts';
import { valueIn } from '../core/value-frame.ts';
import { Turnstile } from '../fill/index.ts';
import { TokenBucket } from '../health/index.ts';
import { ColdCluster, type ColdLook } from './cold-cluster.ts';
import { HeldWrite } from './held-write.ts';
import { answerOne, answerSeveral } from './old-answer.ts';
import { type OldFound, type OldValue, readOld } from './old-value.ts';
import { isLeasedFound, mayMiss, missingIn, type ReadCommand, readCommandOf } from './read-command.ts';
import { newWarmCounts, type WarmCounts } from './warm-figures.ts';
import { writtenIn } from './written-in.ts';
import { WrittenKeys } from './written-keys.ts';

/** A lease outlives the two looks that it is taken for, and the way of the value to the node. */
const LEASE_MARGIN_MS = 1000;

/** A reply of the new cluster that says that something is not there. */
interface ColdReply {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/** Where a warm-up works. */
export interface WarmUpParts {
  readonly router: Router;
  readonly config: Config;
  readonly settings: WarmUpConfig;
  /** Of the process; undefined: this thread is the first. */
  readonly memory: SharedArrayBuffer | undefined;
  /** Threads that share the rate. */
  readonly threads: number;
}

/**
 * Takes what the clients' cluster misses from an old one, in one thread: a read that finds nothing is answered with what the old cluster has, and that is put
 * into the new one behind the reader's back, if nobody wrote the key meanwhile.
 *
 * What was written or deleted through this proxy is never looked for in the old cluster, for `holdOffMs` at least. What is put in goes under a lease of the
 * key: any write or delete since then, by whomever, keeps it out. (A redis-server has none: there it is only put in where nothing is.)
 */
export class WarmUp implements Onlooker, AnswerHook {
  readonly written: WrittenKeys;
  readonly old: OtherCluster;
  readonly #cold: ColdCluster;
  readonly #router: Router;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #settings: WarmUpConfig;
  readonly #shards: ReadonlySet<string>;
  readonly #turnstile: Turnstile;
  readonly #rate: TokenBucket;
  readonly #counts = newWarmCounts();
  /** Looks under way, by database and key. */
  readonly #looks = new Map<string, Promise<OldFound>>();

  constructor({ router, config, settings, memory, threads }: WarmUpParts) {
    const { clock, log } = router.env;
    const { from: shards, timeoutMs, maxConcurrent, ratePerSecond, holdOffMs } = settings;
    this.written = new WrittenKeys(holdOffMs, memory);
    this.old = new OtherCluster({ shards, timeoutMs, maxInFlight: 4 * maxConcurrent }, config, router.env);
    this.#cold = new ColdCluster(router, 2 * timeoutMs + LEASE_MARGIN_MS);
    this.#router = router;
    this.#clock = clock;
    this.#log = log;
    this.#settings = settings;
    this.#shards = new Set(settings.shards);
    this.#turnstile = new Turnstile(maxConcurrent, settings.maxQueued);
    this.#rate = new TokenBucket(ratePerSecond / threads, clock.monotonicMs());
  }

  /** What this thread has done so far. */
  get counts(): WarmCounts {
    return { ...this.#counts };
  }

  /** All counters begin again at 0. */
  resetCounts(): void {
    Object.assign(this.#counts, newWarmCounts());
  }

  sees(request: Request): void {
    // Ahead of one of its own commands others may be sent.
    if (request.bytes === this.#cold.asking || this.written.end !== null) return;
    if (request.isWrite) this.#noteWrite(request);
    else if (request.rest === null && this.#isCold(request.route!)) request.hook = this;
  }

  bypassed(frame: Buffer, database: number): void {
    if (this.written.end !== null) return;
    const wallMs = this.#clock.wallMs();
    const meansAny = writtenIn(frame, (buffer, start, end) => {
      this.written.add(database, buffer, start, end, wallMs);
      if (this.#settings.deleteOld) void this.#deleteOld({ database, key: buffer.subarray(start, end) });
    });
    if (meansAny) this.written.finish('flush');
  }

  fetched(route: ShardRoute, isThere: boolean): boolean {
    if (this.written.end !== null || !this.#isCold(route)) return false;
    if (isThere) this.#counts.hits++;
    return !isThere;
  }

  answered(
    request: Request,
    bytes: Buffer,
    start: number,
    end: number,
    rest: readonly Buffer[] | null,
  ): boolean {
    if (isErrorReply(bytes, start)) return false;
    const read = rest === null && mayMiss(bytes, start) ? readCommandOf(request) : null;
    const missing = read === null ? [] : missingIn(read, bytes, start);
    if (read === null || missing.length === 0) {
      if (read === null || read.kind !== 'leased' || isLeasedFound(read, bytes, start)) this.#counts.hits++;
      return false;
    }
    // The chunk it came in may be a large one.
    const reply = { bytes: Buffer.from(bytes.subarray(start, end)), start: 0, end: end - start };
    if (read.kind === 'values') void this.#answerSeveral(request, read, missing, reply);
    else void this.#answerOne(request, read, reply);
    return true;
  }

  /** What the old cluster has under a key that is being filled, by whoever has the lease; null: nothing that holds. Never rejects. */
  async find(place: Place): Promise<OldValue | null> {
    if (this.written.end !== null || this.#isOutdated(place)) return null;
    const found = await this.#inTurn(() => readOld(this.old, place));
    if (found === null || found === 'other' || this.#isOutdated(place)) return null;
    this.#counts.warmed++;
    return found;
  }

  close(): void {
    this.old.close();
  }

  #isCold({ name }: ShardRoute): boolean {
    return this.#shards.size === 0 || this.#shards.has(name);
  }

  #noteWrite(request: Request): void {
    const { bytes, start, end, keyIndex, rest, database } = request;
    if (keyIndex > 0) {
      const { start: from, end: to } = argumentRange(bytes, start, keyIndex);
      this.written.add(database, bytes, from, to, this.#clock.wallMs());
      if (this.#settings.deleteOld)
        request.hook = new HeldWrite(this.#deleteOld({ database, key: bytes.subarray(from, to) }));
    } else if (rest === null) this.bypassed(bytes.subarray(start, end), database);
  }

  /** Never rejects. */
  async #deleteOld(place: Place): Promise<void> {
    try {
      await this.old.ask(place, ['DEL', place.key], true);
    } catch (error) {
      this.#counts.failures++;
      this.#log.debug({ err: error }, 'a key was not deleted in the old cluster');
    }
  }

  #isOutdated({ database, key }: Place): boolean {
    if (!this.written.has(database, key, 0, key.length, this.#clock.wallMs())) return false;
    this.#counts.outdated++;
    return true;
  }

  async #answerOne(request: Request, read: ReadCommand, reply: ColdReply): Promise<void> {
    const place = { database: request.database, key: Buffer.from(read.keys[0]) };
    const found = read.kind === 'other' ? 'other' : await this.#lookOnce(place);
    if (found === 'other') {
      if (await this.#takeWhole(place)) this.#router.sendOn(request);
      else request.answer(reply.bytes, reply.start, reply.end);
    } else if (found === null) request.answer(reply.bytes, reply.start, reply.end);
    else answerOne(request, read, found);
  }

  async #answerSeveral(
    request: Request,
    { name, keys }: ReadCommand,
    missing: readonly number[],
    reply: ColdReply,
  ): Promise<void> {
    this.#counts.hits += keys.length - missing.length;
    const { database } = request;
    const found = new Map<number, OldValue>();
    await Promise.all(
      missing.map(async (place) => {
        const old = await this.#lookOnce({ database, key: Buffer.from(keys[place]) });
        if (old !== null && old !== 'other') found.set(place, old);
      }),
    );
    if (found.size === 0) request.answer(reply.bytes, reply.start, reply.end);
    else answerSeveral(request, name, reply, found);
  }

  /** Looks for a key in the old cluster, together with all who look for it now. Never rejects. */
  #lookOnce(place: Place): Promise<OldFound> {
    if (this.written.end !== null || this.#isOutdated(place)) return Promise.resolve(null);
    const id = `${place.database} ${place.key.latin1Slice()}`;
    const present = this.#looks.get(id);
    if (present !== undefined) return present;
    const look = this.#inTurn(() => this.#look(place)).finally(() => this.#looks.delete(id));
    this.#looks.set(id, look);
    return look;
  }

  async #look(place: Place): Promise<OldFound> {
    const askedMs = this.#clock.monotonicMs();
    const isInRate = this.#rate.take(1, askedMs);
    const [cold, old] = await Promise.all([this.#cold.look(place, isInRate), readOld(this.old, place)]);
    // What was written before the lease was taken is known here; what is written from then on voids it.
    const isOutdated = this.#isOutdated(place) || cold.isAbsent;
    if (old === null || old === 'other' || isOutdated) {
      this.#leave(place, cold, isInRate);
      if (old === null) this.#counts.misses++;
      return isOutdated ? null : old;
    }
    this.#counts.warmed++;
    if (!isInRate) this.#counts.overRate++;
    else if (cold.token !== null || !this.#cold.hasLeases(place.key))
      void this.#add(place, old, cold.token, askedMs);
    return old;
  }

  /** Nothing is to be put in. */
  #leave(place: Place, { token }: ColdLook, isInRate: boolean): void {
    if (isInRate) this.#rate.giveBack(1);
    if (token !== null) this.#cold.forgo(place, token).catch((error) => this.#noteUnstored(error));
  }

  async #add(place: Place, old: OldValue, token: string | null, askedMs: number): Promise<void> {
    try {
      const ageMs = this.#clock.monotonicMs() - askedMs;
      if (!(await this.#cold.add(place, old, token, ageMs))) {
        this.#counts.late++;
        return;
      }
      this.#counts.added++;
      this.#counts.addedBytes += old.bytes;
    } catch (error) {
      if (isRingsideError(error, 'lease_void')) this.#counts.late++;
      else this.#noteUnstored(error);
    }
  }

  #noteUnstored(error: unknown): void {
    this.#counts.unstored++;
    this.#log.debug({ err: error }, 'a value of the old cluster was not put in');
  }

  /** Takes a key over as it is, of whatever type; true: it is there now. Never rejects. */
  async #takeWhole(place: Place): Promise<boolean> {
    if (this.written.end !== null || this.#isOutdated(place)) return false;
    const isTaken = await this.#inTurn(() => this.#restore(place));
    return isTaken === true;
  }

  async #restore(place: Place): Promise<boolean> {
    const { key } = place;
    const [isThere, payload, left] = await Promise.all([
      this.#cold.exists(place),
      this.old.ask(place, ['DUMP', key]),
      this.old.ask(place, ['PTTL', key]),
    ]);
    const pieces = valueIn(payload.bytes, payload.start, payload.rest);
    const ttlMs = replyNumber(left.bytes, left.start);
    if (isThere || pieces === null || ttlMs === -2) {
      if (isThere) this.#counts.hits++;
      else this.#counts.misses++;
      return false;
    }
    if (!this.#rate.take(1, this.#clock.monotonicMs())) {
      this.#counts.overRate++;
      return false;
    }
    if (this.#isOutdated(place)) return false;
    const whole = Buffer.concat(pieces);
    await this.#cold.restore(place, whole, Math.max(0, ttlMs));
    this.#counts.warmed++;
    this.#counts.added++;
    this.#counts.addedBytes += whole.length;
    return true;
  }

  /** Waits for its turn at the old cluster. Resolves with null when there are too many, or when it fails; never rejects. */
  async #inTurn<T>(act: () => Promise<T>): Promise<T | null> {
    const enteredMs = this.#clock.monotonicMs();
    if (!(await this.#turnstile.enter())) {
      this.#counts.queueFull++;
      return null;
    }
    try {
      if (this.#clock.monotonicMs() - enteredMs > this.#settings.timeoutMs) {
        this.#counts.queueFull++;
        return null;
      }
      return await act();
    } catch (error) {
      this.#counts.failures++;
      this.#log.debug({ err: error }, 'a key was not taken from the old cluster');
      return null;
    } finally {
      this.#turnstile.leave();
    }
  }
}
