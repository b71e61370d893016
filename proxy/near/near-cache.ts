import type { NearCacheConfig } from '../../lib/config/index.ts';
import type { KeysAhead } from '../../lib/store/index.ts';
import type { Purge } from '../core/api.ts';
import { argumentRange } from '../core/frames.ts';
import type { NamespaceMatcher, NamespaceRules } from '../core/namespace-rules.ts';
import type { KeptKeys, KeptRun, NearPort, NearSize, NearState, ReadOfMany } from '../core/near-port.ts';
import { markRequest, NO_MARK, type ReadPort } from '../core/read-port.ts';
import { noteAnswered, type Request } from '../core/request.ts';
import type { Router } from '../core/router.ts';
import type { ShardRoute, UpstreamNode } from '../core/topology.ts';
import { keysInFrame } from './command-keys.ts';
import type { Fill } from './fill.ts';
import { FillLinks } from './fill-links.ts';
import { Fills } from './fills.ts';
import { Found, FoundKind } from './found.ts';
import type { FrontTable } from './front-table.ts';
import { HotKeys } from './hot-keys.ts';
import { KeptElements } from './kept-elements.ts';
import { L1Store } from './l1-store.ts';
import { NearFigures, NearStat } from './near-figures.ts';
import { answerRead, canTell } from './read-answer.ts';
import { ReadForm } from './read-form.ts';
import { CommandsUnderWay } from './under-way.ts';

/** How exact times are: entries count for so much less than they may, and a timer ticks so often while there are any. */
const TICK_MS = 20;
/** So many reads of keys of one bucket under way make the next one wait for them and go once for all who come. */
const CROWD = 8;

/** Its share of the process, and where it works. */
export interface NearCacheParts {
  readonly router: Router;
  readonly namespaces: NamespaceMatcher;
  readonly config: NearCacheConfig;
  /** Threads that share the memory, and the reads. */
  readonly threads: number;
  /** Is offered the reads that are not answered from here, ahead of their leaders; null: nobody is. */
  readonly onward: ReadPort | null;
}

/**
 * The near cache (L1) of one thread: values of database 0 that the proxy keeps for a short time, and answers reads from.
 *
 * A connection reads its own writes, and never an older value after a newer one, though commands and fills go over different connections: whatever else
 * is done with a key through this thread drops what is kept of it, and nothing is fetched for keeping until that is answered. Changes that others make
 * are told by the node, in order with what was fetched.
 */
export class NearCache implements NearPort {
  readonly figures: NearFigures;
  readonly #router: Router;
  readonly #namespaces: NamespaceMatcher;
  readonly #config: NearCacheConfig;
  readonly #onward: ReadPort | null;
  readonly #store: L1Store;
  readonly #hot: HotKeys;
  /** Reads of some namespace are sampled. */
  readonly #samples: boolean;
  readonly #underWay = new CommandsUnderWay((bucket) => this.#fills.idle(bucket));
  readonly #links: FillLinks;
  readonly #fills: Fills;
  readonly #form = new ReadForm();
  readonly #found = new Found();
  readonly #elements = new KeptElements(this);
  readonly #onChanged = () => this.#ringChanged();
  /** Who led which shard at the last look. */
  #seen: readonly (ShardRoute | UpstreamNode | null)[] = [];
  #ticker: NodeJS.Timeout | undefined;
  /** Monotonic milliseconds: a lower bound that is at most a tick behind. */
  #nowMs = 0;
  /** When the last entry that was made ends. */
  #lastEndMs = 0;
  /** Where the key lies that `look` had no answer for, its hash, and whether nothing was found: the read of it comes next. */
  #lookedIn: Buffer | null = null;
  #lookedAt = 0;
  #lookedHash = 0;
  #wasAbsent = false;

  constructor({ router, namespaces, config, threads, onward }: NearCacheParts) {
    const { random } = router.env;
    this.#router = router;
    this.#namespaces = namespaces;
    this.#config = config;
    this.#onward = onward;
    this.figures = new NearFigures(namespaces.all);
    this.#samples = namespaces.all.some(({ nearCache }) => nearCache === 'hot-keys');
    this.#store = new L1Store({
      maxBytes: Math.floor(config.maxBytes / threads),
      hashSeed: random.int(2 ** 31),
      onEvicted: (namespace) => this.figures.add(NearStat.evictions, namespace),
    });
    this.#hot = new HotKeys(config.hotKeysPerSecond / threads, random, (key) => this.#hashOf(key));
    this.#links = new FillLinks(router, {
      changed: (buffer, start, end) => this.#told(buffer, start, end),
      lost: (source) => this.#lost(source),
    });
    this.#fills = new Fills({
      router,
      links: this.#links,
      underWay: this.#underWay,
      figures: this.figures,
      keeper: this,
      onward,
      keep: (fill, found) => this.#keep(fill, found),
    });
    router.changed.add(this.#onChanged);
  }

  get size(): NearSize {
    this.#hot.tick(this.#readClock());
    return { bytes: this.#store.bytes, entries: this.#store.size, hotKeys: this.#hot.size };
  }

  lookAhead(keys: KeysAhead): void {
    this.#store.lookAhead(keys);
  }

  look(buffer: Buffer, start: number, end: number, nowMs: number, isNext: boolean): Found | null {
    const rules = this.#namespaces.rulesOf(buffer, start, end);
    if (rules.nearCache === 'off') return null;
    if (nowMs > this.#nowMs) this.#nowMs = nowMs;
    if (rules.nearCache === 'hot-keys') this.#hot.saw(buffer, start, end, this.#nowMs);
    const hash = this.#store.hash(buffer, start, end);
    const found = this.#found;
    const isKnown = this.#store.find(hash, buffer, start, end, this.#nowMs, found);
    if (isKnown && found.kind !== FoundKind.PASS && !found.isStale) {
      this.figures.add(NearStat.hits, rules.index);
      if (isNext) this.#store.promote(hash, end - start, found, this.#nowMs);
      return found;
    }
    if (!isNext) return null;
    this.#lookedIn = buffer;
    this.#lookedAt = start;
    this.#lookedHash = hash;
    this.#wasAbsent = !isKnown;
    return null;
  }

  answerRun(buffer: Buffer, from: number, to: number, most: number, nowMs: number): KeptRun | null {
    if (nowMs > this.#nowMs) this.#nowMs = nowMs;
    const run = this.#store.answer(buffer, from, to, most, this.#nowMs);
    if (run === null) return null;
    for (let i = 0; i < run.commands; ) {
      const next = run.namespaceEnd(i);
      this.figures.add(NearStat.hits, run.namespaceOf(i), next - i);
      i = next;
    }
    if (this.#samples) this.#sawRun(run);
    return run;
  }

  forgetInput(): void {
    this.#store.forgetInput();
  }

  #sawRun(run: FrontTable): void {
    for (let i = 0; i < run.commands; i++) {
      if (this.#namespaces.all[run.namespaceOf(i)].nearCache !== 'hot-keys') continue;
      this.#hot.saw(run.bytes, run.keyStart(i), run.keyEnd(i), this.#nowMs);
    }
  }

  keptFor(name: ReadOfMany, protocol: 2 | 3, nowMs: number): KeptKeys {
    return this.#elements.of(name, protocol, nowMs);
  }

  /** Whether a read of this key alone would be kept. */
  isWanted(buffer: Buffer, start: number, end: number): boolean {
    const { nearCache } = this.#namespaces.rulesOf(buffer, start, end);
    if (nearCache !== 'hot-keys') return nearCache === 'always';
    return this.#hot.size > 0 && this.#hot.isHot(this.#store.hash(buffer, start, end));
  }

  takes(request: Request): boolean {
    const form = this.#form;
    if (
      request.isWrite ||
      request.rest !== null ||
      !form.recognize(request.bytes, request.start, request.end)
    ) {
      this.#passes(request);
      return false;
    }
    if (request.database !== 0) return false;
    const rules = this.#namespaces.rulesOf(request.bytes, form.keyStart, form.keyEnd);
    return rules.nearCache !== 'off' && this.#reads(request, rules);
  }

  bypassed(frame: Buffer): number {
    const buckets: number[] = [];
    const concernsAll = keysInFrame(frame, (buffer, start, end) => {
      const rules = this.#namespaces.rulesOf(buffer, start, end);
      if (rules.nearCache === 'off') return;
      buckets.push(this.#underWay.bucketOf(this.#drop(rules, buffer, start, end)));
    });
    if (!concernsAll) return this.#underWay.addSeveral(buckets);
    this.clear();
    return this.#underWay.addAll();
  }

  settled(mark: number): void {
    this.#underWay.settle(mark);
  }

  /**
   * Forgets what was purged, and keeps nothing that is being fetched by now. Nobody knows tags here, nor looks through all keys for a prefix: for those
   * everything is forgotten.
   */
  purge({ keys, tags, prefixes }: Purge): void {
    if (tags.length + prefixes.length > 0) this.clear();
    for (const key of keys) this.#forget(key);
  }

  #forget(key: Buffer): void {
    const rules = this.#namespaces.rulesOf(key, 0, key.length);
    if (rules.nearCache !== 'off') this.#drop(rules, key, 0, key.length);
  }

  /** Forgets everything; what is being fetched is not kept. */
  clear(): void {
    this.#store.clear();
    this.#fills.giveUpAll();
  }

  stateOf(key: Buffer): NearState {
    if (this.#namespaces.rulesOf(key, 0, key.length).nearCache === 'off') return { state: 'off', ageMs: 0 };
    const found = this.#found;
    const nowMs = this.#readClock();
    if (this.#store.find(this.#store.hash(key, 0, key.length), key, 0, key.length, nowMs, found)) {
      const state =
        found.kind === FoundKind.VALUE ? 'value' : found.kind === FoundKind.MISS ? 'miss' : 'pass';
      return { state, ageMs: found.ageMs };
    }
    return { state: this.#fills.has(key.latin1Slice()) ? 'filling' : 'absent', ageMs: 0 };
  }

  close(): void {
    clearInterval(this.#ticker);
    this.#router.changed.delete(this.#onChanged);
    this.#router.near = null;
  }

  /** A read that may be answered from here. */
  #reads(request: Request, rules: NamespaceRules): boolean {
    const { form, keyStart, keyEnd } = this.#form;
    const { bytes } = request;
    const nowMs = this.#nowFor(request);
    const wasSeen = this.#lookedIn === bytes && this.#lookedAt === keyStart;
    this.#lookedIn = null;
    const hash = wasSeen ? this.#lookedHash : this.#store.hash(bytes, keyStart, keyEnd);
    if (!wasSeen && rules.nearCache === 'hot-keys') this.#hot.saw(bytes, keyStart, keyEnd, nowMs);
    const found = this.#found;
    const isMine = !request.fromLeader && !this.#goesItsOwnWay(request);
    const isAbsent = wasSeen && this.#wasAbsent;
    const isKnown = isMine && !isAbsent && this.#store.find(hash, bytes, keyStart, keyEnd, nowMs, found);
    if (isKnown && found.kind !== FoundKind.PASS && canTell(form, found)) {
      this.figures.add(found.isStale ? NearStat.staleHits : NearStat.hits, rules.index);
      if (request.trace !== null) noteAnswered(request);
      answerRead(request, form, found, true);
      return true;
    }
    if (isMine && !isKnown && this.#fetches(request, rules, hash, nowMs)) return true;
    this.figures.add(NearStat.bypasses, rules.index);
    // That a key is not kept stays known where its reads may go to many places; else every other one is a fetch for all who come meanwhile.
    const stays = isKnown && found.kind === FoundKind.PASS && this.#onward !== null;
    const mark = stays
      ? this.#underWay.add(this.#underWay.bucketOf(hash))
      : this.#dropAhead(bytes, keyStart, keyEnd);
    markRequest(request, this, mark);
    return false;
  }

  /** Has the read wait for a fill, its own or one that is under way. */
  #fetches(request: Request, rules: NamespaceRules, hash: number, nowMs: number): boolean {
    const { form, keyStart, keyEnd } = this.#form;
    const bucket = this.#underWay.bucketOf(hash);
    const isWanted = this.#wants(rules, hash, bucket);
    if (!isWanted && this.#fills.size === 0) return false;
    const key = request.bytes.latin1Slice(keyStart, keyEnd);
    if (this.#fills.join(key, request, form)) return true;
    if (!isWanted || this.#underWay.concernsAll) return false;
    const parts = {
      key: Buffer.from(key, 'latin1'),
      ...{ hash, bucket, rules, route: request.route!, beganMs: nowMs },
    };
    this.#startTicking();
    return this.#fills.begin(parts, key, request, form);
  }

  #wants(rules: NamespaceRules, hash: number, bucket: number): boolean {
    return rules.nearCache === 'always' || this.#hot.isHot(hash) || this.#underWay.count(bucket) >= CROWD;
  }

  /** Whether the client's commands go over links of their own, on which nodes watch what it reads. */
  #goesItsOwnWay({ sink }: Request): boolean {
    const { ownLinks } = this.#router;
    return ownLinks.size > 0 && ownLinks.has(sink.command?.sink ?? sink);
  }

  /** A command that is no such read. */
  #passes(request: Request): void {
    if (!request.isWrite && request.database !== 0) return;
    const { bytes, start, end, keyIndex } = request;
    if (keyIndex > 0) {
      const key = argumentRange(bytes, start, keyIndex);
      markRequest(request, this, this.#dropAhead(bytes, key.start, key.end));
    } else if (request.rest === null) {
      markRequest(request, this, this.bypassed(bytes.subarray(start, end)));
    } else {
      this.clear();
      markRequest(request, this, this.#underWay.addAll());
    }
  }

  /** Drops what is known of a key, ahead of a command on it; the mark of that command. */
  #dropAhead(buffer: Buffer, start: number, end: number): number {
    const rules = this.#namespaces.rulesOf(buffer, start, end);
    if (rules.nearCache === 'off') return NO_MARK;
    return this.#underWay.add(this.#underWay.bucketOf(this.#drop(rules, buffer, start, end)));
  }

  /** Forgets a key, and has those who wait for it sent on. Returns its hash. */
  #drop(rules: NamespaceRules, buffer: Buffer, start: number, end: number): number {
    const hash = this.#store.hash(buffer, start, end);
    if (this.#store.remove(hash, buffer, start, end)) this.figures.add(NearStat.drops, rules.index);
    if (this.#fills.size > 0) this.#fills.giveUp(buffer.latin1Slice(start, end));
    return hash;
  }

  /** A node tells that a key has changed. */
  #told(buffer: Buffer, start: number, end: number): void {
    const rules = this.#namespaces.rulesOf(buffer, start, end);
    const hash = this.#store.hash(buffer, start, end);
    if (this.#store.remove(hash, buffer, start, end)) this.figures.add(NearStat.drops, rules.index);
    if (this.#fills.size > 0) this.#fills.outdate(buffer.latin1Slice(start, end));
  }

  #lost(source: number): void {
    this.#store.dropSource(source);
    this.#fills.outdateSource(source);
  }

  #keep(fill: Fill, found: Found): void {
    const { key, hash, rules } = fill.parts;
    // Whoever has an origin fetches what is missing from there.
    if (found.kind === FoundKind.MISS && rules.config?.origin) return;
    const { minTtlMs, maxTtlMs } = this.#config;
    let lifeMs = minTtlMs + this.#router.env.random.int(maxTtlMs - minTtlMs + 1);
    lifeMs = Math.min(lifeMs, Math.max(1, rules.stalenessMs - TICK_MS));
    if (found.kind === FoundKind.VALUE && found.ttlMs >= 0) lifeMs = Math.min(lifeMs, found.ttlMs - TICK_MS);
    if (lifeMs <= 0) return;
    const kind = found.kind;
    if (!this.#store.fits(key, found)) found.kind = FoundKind.PASS;
    const endsMs = fill.sentMs + lifeMs;
    const provenance = { source: fill.source, namespace: rules.index, enteredMs: fill.sentMs, endsMs };
    if (this.#store.put(hash, key, found, provenance)) this.#lastEndMs = Math.max(this.#lastEndMs, endsMs);
    found.kind = kind;
  }

  #ringChanged(): void {
    const { routes } = this.#router;
    const seen = routes.flatMap((route) => [route, route.leader]);
    const isSame = seen.length === this.#seen.length && seen.every((one, i) => one === this.#seen[i]);
    if (isSame) return;
    this.#seen = seen;
    this.clear();
    this.#links.keepOnly(new Set(routes.map(({ leader }) => leader)));
  }

  #nowFor(request: Request): number {
    if (request.startedMs > this.#nowMs) this.#nowMs = request.startedMs;
    return this.#nowMs;
  }

  #readClock(): number {
    this.#nowMs = this.#router.env.clock.monotonicMs();
    return this.#nowMs;
  }

  #startTicking(): void {
    if (this.#ticker !== undefined) return;
    this.#readClock();
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    this.#ticker.unref();
  }

  #tick(): void {
    const nowMs = this.#readClock();
    this.#fills.tick(nowMs);
    this.#hot.tick(nowMs);
    if (this.#fills.size > 0 || nowMs < this.#lastEndMs) return;
    clearInterval(this.#ticker);
    this.#ticker = undefined;
  }

  #hashOf(key: string): number {
    const bytes = Buffer.from(key, 'latin1');
    return this.#store.hash(bytes, 0, bytes.length);
  }
}
