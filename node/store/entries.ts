import { type Random, seededRandom } from '../../lib/base/index.ts';
import {
  Compactor,
  DueQueue,
  type KeysAhead,
  RefIndex,
  readWord,
  type Segment,
  type SegmentQueue,
} from '../../lib/store/index.ts';
import type { EvictionRule } from './eviction-rule.ts';
import { ObjectTable } from './object-table.ts';
import { createPolicy } from './policies.ts';
import { LfuPolicy } from './policy-lfu.ts';
import { LruPolicy } from './policy-lru.ts';
import { S3FifoPolicy } from './policy-s3-fifo.ts';
import { RecordLinks } from './record-links.ts';
import { RecordWriter, type Rewrite } from './record-writer.ts';
import { EXPIRY, LINKS, OBJECT, type RecordShape, Records, WIDE_VERSION } from './records.ts';
import { Space } from './space.ts';
import type { BytesByClass } from './store.ts';

/** What the index takes for an entry, on average. */
export const INDEX_BYTES = 6;
const GIB = 2 ** 30;
const MAX_SEGMENT_BYTES = 4 << 20;
const MIN_SEGMENT_BYTES = 64 << 10;
/** A segment is at most this part of the budget, which is what eviction gives back at once. */
const BUDGET_SEGMENTS = 256;
/** Records moved for each one removed, when there is too much idle also for so many bytes that are written, and by one call at most. */
const MOVES_PER_REMOVAL = 16;
const BYTES_PER_MOVE = 64;
const MAX_MOVES = 256;
/** For each byte that is written, this many idle bytes more may be charged. */
const IDLE_CHARGE = 4;
/** Each policy's queue and wheel. */
const SPACE_BYTES = 2400;

/** How a store is made. */
export interface StoreOptions {
  /** Keeps clients from choosing keys that collide. */
  readonly hashSeed: number;
  /** What it may have to hold at most, in bytes, 0 when nobody knows: addresses reach further the coarser they are. */
  readonly maxBytes?: number;
}

function unitShiftFor(maxBytes: number): number {
  if (maxBytes === 0) return 2;
  return [1, 2, 3].find((shift) => maxBytes <= GIB * 2 ** (shift + 1)) ?? 4;
}

function segmentBytesFor(maxBytes: number): number {
  let bytes = MAX_SEGMENT_BYTES;
  while (maxBytes > 0 && bytes > MIN_SEGMENT_BYTES && bytes * BUDGET_SEGMENTS > maxBytes) bytes /= 2;
  return bytes;
}

/**
 * The entries of a store: their records, the index that finds them by key, and who else refers to them: the timing wheel and the policy of
 * their space. Whatever moves or changes a record goes through here, so that all agree.
 */
export class Entries {
  readonly records: Records;
  readonly index: RefIndex;
  readonly objects = new ObjectTable();
  readonly spaces: Space[] = [];
  readonly #random: Random;
  readonly #maxBytes: number;
  readonly #writer: RecordWriter;
  readonly #compactor: Compactor<Space>;
  readonly #expiryLinks: RecordLinks;
  readonly #policyLinks: RecordLinks;
  readonly #shape: RecordShape = { flags: 0, extension: 0, keyLength: 0, valueLength: 0 };
  /** Of the record that is being written anew: whether wheel and policy know it. */
  #isTimed = false;
  #isTracked = false;
  #removals = 0;
  /** Idle bytes that are charged, and what policies take, as of the last `maintain`. */
  #idle = 0;
  #policyBytes = 0;
  #taken = 0;
  /** What policies note as time of use. */
  nowSeconds = 0;
  /** Bytes of all objects. */
  objectBytes = 0;

  constructor({ hashSeed, maxBytes = 0 }: StoreOptions) {
    const limits = { unitShift: unitShiftFor(maxBytes), segmentBytes: segmentBytesFor(maxBytes) };
    this.#maxBytes = maxBytes;
    this.records = new Records(limits, hashSeed);
    this.index = new RefIndex(this.records);
    this.#random = seededRandom(hashSeed ^ 0x5bd1e995);
    this.#writer = new RecordWriter(this.records, (from, to) => this.#moved(from, to));
    this.#compactor = new Compactor(this.records.log);
    this.#expiryLinks = new RecordLinks(this.records, EXPIRY);
    this.#policyLinks = new RecordLinks(this.records, LINKS);
    this.space(0);
  }

  /** How much may lie idle, as a share of what is live. */
  get idleShare(): number {
    return this.#compactor.idleShare;
  }

  set idleShare(share: number) {
    this.#compactor.idleShare = share;
  }

  /** The space of this number; makes it, and those before it, when it is not there yet. */
  space(index: number): Space {
    while (this.spaces.length <= index) {
      const space = new Space(this.spaces.length, new DueQueue(this.#expiryLinks));
      space.small = this.records.log.createQueue(space);
      space.main = this.records.log.createQueue(space);
      this.spaces.push(space);
      this.#install(space);
    }
    return this.spaces[index];
  }

  /** Adds an entry with an empty value and locates it. */
  insert(buffer: Buffer, start: number, end: number, spaceIndex: number): number {
    const { records, index } = this;
    const space = spaceIndex < this.spaces.length ? this.spaces[spaceIndex] : this.space(spaceIndex);
    const hash = records.hash(buffer, start, end);
    const shape = this.#shape;
    shape.extension = space.policy.links === 'all' ? LINKS : 0;
    shape.keyLength = end - start;
    const size = records.sizeOf(shape);
    const segment = records.log.roomFor(space.policy.queueFor(hash), size);
    const ref = records.log.take(segment, size);
    records.begin(ref, shape);
    records.writeKey(buffer, start, end);
    index.insert(hash, ref);
    space.entries++;
    if (shape.extension === LINKS) space.policy.added(ref, false);
    return ref;
  }

  remove(slot: number): void {
    const { records } = this;
    records.parse(slot);
    const { ref, size, segment } = records;
    const space = segment.queue.owner;
    const hash = records.hash(records.bytes, records.keyAt, records.valueAt);
    if ((records.flags & OBJECT) !== 0) this.dropObject();
    if (this.#knows(segment, records.extension)) space.policy.removed(ref);
    if (records.has(EXPIRY)) space.wheel.remove(ref);
    this.index.remove(hash, ref);
    space.entries--;
    records.log.free(ref, size);
    this.#removals++;
  }

  /** Lets go of the object of the parsed record, whose value is then without meaning. */
  dropObject(): void {
    const { records } = this;
    const id = readWord(records.bytes, records.valueAt);
    this.countObject(-this.objects.bytesOf(id));
    this.objects.remove(id);
    records.setType(records.type, false);
  }

  /** The object of the located record takes so many bytes more. */
  countObject(bytes: number): void {
    this.records.segment.queue.owner.objectBytes += bytes;
    this.objectBytes += bytes;
  }

  /** Whether the policy of the space has this entry in its lists. */
  #knows(segment: Segment<Space>, extension: number): boolean {
    const { queue } = segment;
    return (
      (extension & LINKS) !== 0 &&
      segment.generation === queue.generation &&
      queue.owner.policy.links !== 'none'
    );
  }

  /** Blocks the record shall have: those it needs, and links if the policy wants them. */
  #wanted(space: Space, extension: number): number {
    const { links } = space.policy;
    const isTracked = links === 'all' || (links === 'volatile' && (extension & EXPIRY) !== 0);
    return (extension & ~(LINKS | WIDE_VERSION)) | (isTracked ? LINKS : 0);
  }

  /** Gives the parsed record another size or other blocks (`LINKS` is added as needed), and parses it where it is then. */
  reshape(extension: number, valueLength: number, room = 0): void {
    this.#prepare(extension);
    this.#writer.rewrite({ extension: this.#extension, valueLength, room });
    this.#settle(false);
    this.#removals++;
  }

  #extension = 0;

  /** Takes note of who knows the parsed record, and lets those forget it who shall not know it any longer. */
  #prepare(extension: number): void {
    const { records } = this;
    const { segment, ref } = records;
    const space = segment.queue.owner;
    this.#extension = this.#wanted(space, extension);
    this.#isTracked = this.#knows(segment, records.extension);
    if (this.#isTracked && (this.#extension & LINKS) === 0) {
      space.policy.removed(ref);
      this.#isTracked = false;
    }
    this.#isTimed = records.has(EXPIRY);
    if (this.#isTimed && (extension & EXPIRY) === 0) {
      space.wheel.remove(ref);
      this.#isTimed = false;
    }
  }

  /** The policy gets to know an entry that it did not know before. */
  #settle(isOld: boolean): void {
    const { records } = this;
    if (this.#isTracked || !this.#knows(records.segment, records.extension)) return;
    const { ref } = records;
    records.segment.queue.owner.policy.added(ref, isOld);
    records.parse(ref);
  }

  #moved(from: number, to: number): void {
    const { records } = this;
    const { queue } = records.segment;
    this.index.replace(records.hashOf(to), from, to);
    if (this.#isTimed) queue.owner.wheel.moved(from, to);
    if (this.#isTracked) queue.owner.policy.moved(from, to);
  }

  /** Moves a record elsewhere, as it is. */
  #move(ref: number, to: Compactor<Space> | SegmentQueue<Space>, isOld: boolean): void {
    const { records } = this;
    records.parse(ref);
    this.#prepare(records.extension);
    const how: Rewrite = { extension: this.#extension, valueLength: records.valueLength, to };
    this.#writer.rewrite(how);
    this.#settle(isOld);
  }

  setVersion(slot: number, high: number, low: number): void {
    const { records } = this;
    records.locate(slot);
    if ((records.extensionOf() & WIDE_VERSION) === 0 && !records.fits(records.segment, high, low)) {
      records.parse(slot);
      this.#prepare(records.extension);
      this.#writer.moveForVersion(this.#extension, high, low);
      this.#settle(false);
      this.#removals++;
      return;
    }
    records.setVersion(high, low);
  }

  setExpiry(slot: number, atMs: number): void {
    const { records } = this;
    records.locate(slot);
    const before = records.expiresAt;
    if (before === atMs) return;
    records.parse(slot);
    if (atMs === 0) {
      this.reshape(records.extension & ~EXPIRY, records.valueLength);
      return;
    }
    if (before !== 0) records.segment.queue.owner.wheel.remove(records.ref);
    else this.reshape(records.extension | EXPIRY, records.valueLength);
    records.setExpiresAt(atMs);
    records.segment.queue.owner.wheel.add(records.ref);
  }

  /** Reads the memory that looking up these keys will need. */
  lookAhead(keys: KeysAhead): void {
    this.records.keys.lookAhead(keys, this.index);
  }

  touch(slot: number): void {
    const { records } = this;
    records.locate(slot);
    const { segment } = records;
    const { policy } = segment.queue.owner;
    if (policy.links === 'none' || this.#knows(segment, records.extensionOf())) policy.touched(records.ref);
  }

  /** Seconds since the last use of an entry, if its policy notes that. */
  idleSeconds(slot: number): number {
    const { records } = this;
    records.locate(slot);
    const { policy } = records.segment.queue.owner;
    const isKnown = policy instanceof LruPolicy && this.#knows(records.segment, records.extensionOf());
    return isKnown ? this.nowSeconds - this.#policyLinks.word(records.ref) : 0;
  }

  /** How often an entry was used, if its policy counts that. */
  setUse(slot: number, idleSeconds: number | null, frequency: number | null): void {
    const { records } = this;
    records.locate(slot);
    const { policy } = records.segment.queue.owner;
    if (!this.#knows(records.segment, records.extensionOf())) return;
    if (policy instanceof LruPolicy && idleSeconds !== null) {
      this.#policyLinks.setWord(records.ref, this.nowSeconds - idleSeconds);
    }
    if (policy instanceof LfuPolicy && frequency !== null) policy.setFrequency(records.ref, frequency);
  }

  frequencyOf(slot: number): number {
    const { records } = this;
    records.locate(slot);
    const { policy } = records.segment.queue.owner;
    if (policy instanceof S3FifoPolicy) return records.frequency;
    const isKnown = policy instanceof LfuPolicy && this.#knows(records.segment, records.extensionOf());
    return isKnown ? policy.frequencyOf(records.ref) : 0;
  }

  /** Number of entries with an expiry. */
  get expiringCount(): number {
    return this.spaces.reduce((sum, { wheel }) => sum + wheel.size, 0);
  }

  /** An entry that expires at `nowMs` or before, or 0. */
  nextExpired(nowMs: number): number {
    for (const { wheel } of this.spaces) {
      const ref = wheel.size === 0 ? 0 : wheel.due(nowMs);
      if (ref !== 0) return ref;
    }
    return 0;
  }

  /** Another `nextExpired` may find what this one has not: many entries are due near the same time. */
  get isSearchingExpired(): boolean {
    return this.spaces.some(({ wheel }) => wheel.isSpreading);
  }

  victim(spaceIndex: number): number {
    const space = this.spaces[spaceIndex];
    if (space === undefined || space.entries === 0) return 0;
    if (!space.isConverting) return space.policy.victim();
    if (space.policy.links === 'volatile') return space.policy.victim() || space.wheel.nearest();
    return this.#oldestUnknown(space) || space.policy.victim();
  }

  /** The oldest entry that the policy does not know yet. */
  #oldestUnknown(space: Space): number {
    for (const queue of [space.main, space.small]) {
      const ref = this.records.log.oldest(queue);
      if (ref !== 0 && this.records.log.segmentOf(ref).generation !== queue.generation) return ref;
    }
    return 0;
  }

  setEviction(index: number, rule: EvictionRule, budgetBytes: number): void {
    const space = this.space(index);
    if (index === 0) this.records.log.segmentBytes = segmentBytesFor(budgetBytes || this.#maxBytes);
    if (space.rule.policy === rule.policy && space.rule.volatileOnly === rule.volatileOnly) return;
    space.rule = rule;
    this.#install(space);
  }

  #install(space: Space): void {
    const { log } = this.records;
    const links = this.#policyLinks;
    space.policy = createPolicy(space, {
      records: this.records,
      links,
      nowSeconds: () => this.nowSeconds,
      reinsert: (ref, queue) => this.#move(ref, queue, false),
      draw: {
        any: () => this.index.random(this.#random),
        oldest: ({ small, main }) => log.oldest(small) || log.oldest(main),
        mayGo: (ref, owner, isVolatile) => this.#mayGo(ref, owner, isVolatile),
      },
    });
    space.isConverting = space.policy.links !== 'none' && space.entries > 0;
    if (space.policy.links === 'none') return;
    for (const queue of [space.small, space.main]) {
      log.close(queue);
      queue.generation++;
    }
  }

  #mayGo(ref: number, space: Space, isVolatile: boolean): boolean {
    this.records.locate(ref);
    return this.records.segment.queue.owner === space && (!isVolatile || this.records.expiresAt !== 0);
  }

  clear(): void {
    this.records.log.clear();
    this.#compactor.clear();
    this.index.clear();
    this.objects.clear();
    this.objectBytes = 0;
    this.#removals = 0;
    this.#idle = 0;
    this.#policyBytes = 0;
    for (const space of this.spaces) {
      space.wheel.clear();
      space.policy.clear();
      space.entries = 0;
      space.objectBytes = 0;
      space.isConverting = false;
    }
  }

  /**
   * Gives memory back that nothing uses, and wins some back from between the records: work in proportion to what was removed or resized since
   * the last call, or for `moves` records. True when more may be to be done.
   */
  maintain(moves = 0): boolean {
    const { log } = this.records;
    if (moves > 0) log.tendMemory();
    if (moves === 0 && this.#removals === 0 && log.taken === this.#taken) return false;
    log.releaseEmptied();
    let isMoving = false;
    if (log.dead > 0 || this.#isConverting()) {
      log.releaseOpen();
      const written = log.taken - this.#taken;
      let left = moves || this.#removals * MOVES_PER_REMOVAL + Math.floor(written / BYTES_PER_MOVE);
      left = Math.min(MAX_MOVES, left);
      while (left > 0 && this.#compact()) left--;
      isMoving = left === 0;
      log.releaseEmptied();
    }
    this.#removals = 0;
    this.#charge();
    return isMoving;
  }

  #isConverting(): boolean {
    for (const { isConverting } of this.spaces) if (isConverting) return true;
    return false;
  }

  /** Moves one record; false when there is none to move. */
  #compact(): boolean {
    const compactor = this.#compactor;
    if (!compactor.isRunning && !this.#convert() && !compactor.advance()) return false;
    const ref = compactor.next();
    if (ref !== 0) this.#move(ref, compactor, true);
    return true;
  }

  /** Starts to make entries known to a policy that is new; the newest come first, so that each goes before all that are known. */
  #convert(): boolean {
    for (const space of this.spaces) {
      if (!space.isConverting) continue;
      for (const queue of [space.small, space.main]) {
        for (let segment = queue.newest; segment !== null; segment = segment.older) {
          if (segment.generation === queue.generation || segment.live === 0) continue;
          if (!segment.isOwn) this.#compactor.startAt(segment);
          else this.#move(this.records.log.refOf(segment, 0), queue, true);
          return true;
        }
      }
      space.isConverting = false;
    }
    return false;
  }

  /**
   * Says what is charged beside the records until the next call, so that each eviction brings the charge down. Idle bytes that come into being
   * by evicting are charged little by little and up to a bound, or else the first evictions would call for more and more of them; what has been
   * charged stays so while it is there. The segments that s3-fifo is about to empty are not charged.
   */
  #charge(): void {
    const { log } = this.records;
    let unused = 0;
    let policyBytes = 0;
    for (const { rule, small, main, policy } of this.spaces) {
      policyBytes += policy.reservedBytes;
      if (rule.policy === 's3-fifo') unused += (small.oldest?.dead ?? 0) + (main.oldest?.dead ?? 0);
    }
    this.#policyBytes = policyBytes;
    const bound = Math.max(this.#idle, 1.5 * this.#compactor.allowedDead);
    const idle = Math.max(0, Math.min(log.dead - unused, bound));
    this.#idle = Math.min(idle, this.#idle + IDLE_CHARGE * (log.taken - this.#taken));
    this.#taken = log.taken;
  }

  get usedBytes(): number {
    return this.records.log.live + this.index.size * INDEX_BYTES + this.objectBytes;
  }

  /** Bytes taken beside the records. */
  #besides(): number {
    return this.index.reservedBytes + this.#policyBytes + this.spaces.length * SPACE_BYTES;
  }

  get reservedBytes(): number {
    return this.records.log.reservedBytes + this.#besides();
  }

  get chargedBytes(): number {
    return this.records.log.live + this.#idle + this.#besides() + this.objectBytes;
  }

  get bytesByClass(): BytesByClass {
    const { live, reservedBytes } = this.records.log;
    return { entries: live, index: this.#besides(), objects: this.objectBytes, idle: reservedBytes - live };
  }

  spaceBytes(index: number): number {
    const space = this.spaces[index];
    if (space === undefined) return 0;
    return space.small.live + space.main.live + space.entries * INDEX_BYTES + space.objectBytes;
  }

  /** Bytes that lie between the records. */
  get fragmentationBytes(): number {
    return this.records.log.dead;
  }
}
