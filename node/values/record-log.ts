import { BLOCK_BYTES, pieceMemory } from '../../lib/store/index.ts';

/** Records begin at multiples of 4 bytes, so that 16 bits of a reference say where in a segment. */
const UNIT_SHIFT = 2;
const MAX_SEGMENT_BYTES = BLOCK_BYTES;
const FIRST_SEGMENT_BYTES = 512;
/** A segment is as large as an eighth of what is live, as far as it may. */
const SEGMENT_SHARE_SHIFT = 3;
/** Larger records have a segment of their own, of their very size. */
const MAX_SHARED_BYTES = MAX_SEGMENT_BYTES >> 1;
const MAX_SEGMENTS = 1 << 16;
/** First byte of a freed record; its size in units is in the next three. */
export const FREED = 255;
/** What a segment costs beside its bytes: the objects that refer to them. */
const SEGMENT_OVERHEAD_BYTES = 320;
/** Space is won back when freed records take more than this much and more than a sixth of what is live. */
const MIN_DEAD_BYTES = 2048;
const DEAD_RATIO = 6;
/** Bytes looked at to win space back per byte freed or added: enough even when the best segment is mostly live. */
const SWEEP_FACTOR = 10;
const MAX_SWEEP_BYTES = 1 << 16;

/** Names a record: an integer of 32 bits, 0 for none, possibly negative. Stays until the record is moved or freed. */
export type Ref = number;

export interface Segment {
  readonly id: number;
  readonly bytes: Buffer;
  readonly view: DataView;
  /** Holds one large record alone. */
  readonly isOwn: boolean;
  /** Where the next record begins. */
  end: number;
  /** Bytes of records in use. */
  live: number;
}

/** What the log must know of the records in it. */
export interface RecordOwner {
  /** Bytes of the record at this place, as they were asked for. */
  recordBytes(bytes: Buffer, at: number): number;
  /** The record has been copied and has a new name. */
  moved(from: Ref, to: Ref): void;
}

/**
 * Byte records of one collection, off the JavaScript heap: a log in segments that grow with it. A freed record leaves a hole;
 * when the holes take too much, `tidy` empties the segment with the most of them, a little at a time. Dropping the log frees everything.
 *
 * The idea is that of log-structured memory (Rumble, Kejriwal and Ousterhout, FAST '14), as in the log of a store (`SegmentLog` of
 * `lib/store`), which is another thing: that one keeps the order in which records came, for eviction, leaves addresses valid until the
 * command is over, and begins with 16 KiB. Here there is no order, `tidy` renames records at once, and a log begins with 512 bytes: there
 * are as many as large collections.
 */
export class RecordLog {
  readonly #owner: RecordOwner;
  readonly #segments: (Segment | null)[] = [null];
  readonly #freeIds: number[] = [];
  #open: Segment | null = null;
  #victim: Segment | null = null;
  #swept = 0;
  /** Bytes of records in use and of freed ones, in shared segments. */
  #live = 0;
  #dead = 0;
  /** What the next `tidy` has to look at. */
  #debt = 0;
  /** Bytes taken from the system, and what it costs to keep them. */
  reservedBytes = 0;

  constructor(owner: RecordOwner) {
    this.#owner = owner;
  }

  /** Where a record is: this segment, at this offset. */
  segmentOf(ref: Ref): Segment {
    return this.#segments[ref >>> 16]!;
  }

  offsetOf(ref: Ref): number {
    return (ref & 0xffff) << UNIT_SHIFT;
  }

  /** Makes a record of `size` undefined bytes. */
  allocate(size: number): Ref {
    const bytes = roundUp(size);
    this.#debt += bytes;
    return this.#place(bytes);
  }

  #place(bytes: number): Ref {
    if (bytes > MAX_SHARED_BYTES) {
      const own = this.#add(bytes, true);
      own.end = bytes;
      own.live = bytes;
      return own.id << 16;
    }
    let segment = this.#open;
    if (segment === null || segment.end + bytes > segment.bytes.length) segment = this.#extend(bytes);
    const at = segment.end;
    segment.end = at + bytes;
    segment.live += bytes;
    this.#live += bytes;
    return (segment.id << 16) | (at >> UNIT_SHIFT);
  }

  #extend(bytes: number): Segment {
    const former = this.#open;
    const wanted = Math.min(
      MAX_SEGMENT_BYTES,
      roundUp(Math.max(FIRST_SEGMENT_BYTES, bytes, this.#live >> SEGMENT_SHARE_SHIFT)),
    );
    this.#open = this.#add(wanted, false);
    if (former !== null && former.live === 0) this.#release(former);
    return this.#open;
  }

  #add(size: number, isOwn: boolean): Segment {
    const id = this.#freeIds.pop() ?? this.#segments.length;
    if (id === MAX_SEGMENTS) throw new RangeError('a collection of more than 65535 segments');
    const bytes = pieceMemory.take(size);
    const segment = {
      id,
      bytes,
      view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
      isOwn,
      end: 0,
      live: 0,
    };
    this.#segments[id] = segment;
    this.reservedBytes += size + SEGMENT_OVERHEAD_BYTES;
    return segment;
  }

  free(ref: Ref): void {
    const segment = this.segmentOf(ref);
    const at = this.offsetOf(ref);
    const bytes = roundUp(this.#owner.recordBytes(segment.bytes, at));
    this.#debt += bytes;
    this.#bury(segment, at, bytes);
    if (segment.live === 0 && segment !== this.#open) this.#release(segment);
  }

  #bury(segment: Segment, at: number, bytes: number): void {
    segment.live -= bytes;
    if (segment.isOwn) return;
    this.#live -= bytes;
    this.#dead += bytes;
    const units = bytes >> UNIT_SHIFT;
    segment.bytes[at] = FREED;
    segment.bytes[at + 1] = units & 255;
    segment.bytes[at + 2] = (units >> 8) & 255;
    segment.bytes[at + 3] = units >> 16;
  }

  /** Wins space back, in proportion to what was added and freed since the last time. Records may move. */
  tidy(): void {
    if (this.#victim === null && this.#dead <= Math.max(MIN_DEAD_BYTES, this.#live / DEAD_RATIO)) {
      this.#debt = 0;
      return;
    }
    let left = Math.min(MAX_SWEEP_BYTES, this.#debt * SWEEP_FACTOR);
    this.#debt = 0;
    while (left > 0) {
      this.#victim ??= this.#chooseVictim();
      if (this.#victim === null) return;
      left -= this.#sweepOne(this.#victim);
    }
  }

  /** Looks at the next record of the victim; returns its bytes. */
  #sweepOne(victim: Segment): number {
    const at = this.#swept;
    const { bytes } = victim;
    if (at >= victim.end) {
      this.#release(victim);
      return 0;
    }
    if (bytes[at] === FREED) {
      const size = (bytes[at + 1] | (bytes[at + 2] << 8) | (bytes[at + 3] << 16)) << UNIT_SHIFT;
      this.#swept = at + size;
      return size;
    }
    const size = roundUp(this.#owner.recordBytes(bytes, at));
    this.#swept = at + size;
    const ref = this.#place(size);
    bytes.copy(this.segmentOf(ref).bytes, this.offsetOf(ref), at, at + size);
    this.#owner.moved((victim.id << 16) | (at >> UNIT_SHIFT), ref);
    this.#bury(victim, at, size);
    return size;
  }

  /** The closed segment with the largest part freed, if there is too much of that. */
  #chooseVictim(): Segment | null {
    if (this.#dead <= Math.max(MIN_DEAD_BYTES, this.#live / DEAD_RATIO)) return null;
    let victim: Segment | null = null;
    let best = 0;
    for (const segment of this.#segments) {
      if (segment === null || segment === this.#open) continue;
      const freed = (segment.end - segment.live) / segment.end;
      if (freed <= best) continue;
      best = freed;
      victim = segment;
    }
    this.#swept = 0;
    return victim;
  }

  /** Gives a segment without records in use back to the system, at once. */
  #release(segment: Segment): void {
    const { bytes, id } = segment;
    if (this.#victim === segment) this.#victim = null;
    if (!segment.isOwn) this.#dead -= segment.end;
    this.#segments[id] = null;
    this.#freeIds.push(id);
    this.reservedBytes -= bytes.length + SEGMENT_OVERHEAD_BYTES;
    pieceMemory.release(bytes);
  }
}

function roundUp(size: number): number {
  return (size + 3) & ~3;
}
