import { FILLER_BIT, fillerSize, writeFiller } from './filler.ts';
import { Segment, SegmentQueue } from './segment.ts';
import { SegmentMemory } from './segment-memory.ts';

/** Bits of an offset inside a segment: segments have at most 4 MiB. */
const SEGMENT_BITS = 22;
const MIN_SEGMENT_BYTES = 16 << 10;
/** While there is little, segments are about this part of it: a compaction finds more idle in the worst of many than in the worst of few. */
const SEGMENT_PARTS = 32;
/** A record larger than this part of a segment has a segment of its own, so that little is lost at the ends of the shared ones. */
const OWN_SHIFT = 2;
/** One that is larger than this part of its queue stays behind all that came before it; others may pass those of the open segment. */
const ORDER_SHIFT = 6;
/** The room of an emptied open segment is given back from this size on. */
const KEPT_BYTES = 256 << 10;

/** Segments that one call gives back to the system, each of which takes up to 0.2 ms. */
const DISCARDS_PER_CALL = 8;

const NO_BYTES = Buffer.alloc(0);

/** What the log must know of the records in it. The first byte of a record is below 0x80, and none is shorter than 6 bytes. */
export interface RecordFormat {
  /** Bytes of the record that begins at `at`, a multiple of the log's unit. */
  sizeAt(bytes: Buffer, at: number): number;
}

export interface LogLimits {
  /** Records begin at multiples of 2^unitShift bytes, 1 to 5: the log has addresses for 4 GiB x 2^unitShift. */
  readonly unitShift: number;
  /** Size of the segments once there are many, in bytes: a power of two up to 4 MiB. */
  readonly segmentBytes: number;
}

/**
 * Records of any size off the JavaScript heap, in ordered queues of segments, each record at an address of 32 bits (0: none).
 *
 * Records are appended; the room of removed ones becomes fillers, which a `Compactor` wins back. Segments that hold nothing any more are kept
 * until `releaseEmptied`, so that addresses stay valid that long: of moved records they lead to the new place (`forwardedTo`).
 *
 * An address is the number of the segment and the offset in units; segment 0 stands for the records that have a segment of their
 * own, with their number as offset. The idea is that of log-structured memory (Rumble, Kejriwal and Ousterhout, FAST '14).
 */
export class SegmentLog<Owner> {
  readonly unitShift: number;
  readonly #shift: number;
  readonly #mask: number;
  readonly #unitMask: number;
  readonly #maxSegments: number;
  readonly #format: RecordFormat;
  readonly #memory = new SegmentMemory();
  readonly #segments: (Segment<Owner> | null)[] = [null];
  readonly #own: (Segment<Owner> | null)[] = [null];
  readonly #freeIds: number[] = [];
  readonly #freeOwnIds: number[] = [];
  readonly #emptied: Segment<Owner>[] = [];
  /** What `clear` has left to be given back, and how many bytes of it have been written to. */
  readonly #cleared: Segment<Owner>[] = [];
  #clearedBytes = 0;
  readonly queues: SegmentQueue<Owner>[] = [];
  segmentBytes: number;
  /** Bytes of records, and of fillers between them. */
  live = 0;
  dead = 0;
  /** Bytes of records ever appended. */
  taken = 0;

  constructor({ unitShift, segmentBytes }: LogLimits, format: RecordFormat) {
    this.unitShift = unitShift;
    this.#shift = SEGMENT_BITS - unitShift;
    this.#mask = (1 << this.#shift) - 1;
    this.#unitMask = (1 << unitShift) - 1;
    this.#maxSegments = 2 ** (32 - this.#shift);
    this.#format = format;
    this.segmentBytes = segmentBytes;
  }

  /** Bytes of memory that have been written to; what is above `live` lies idle. */
  get reservedBytes(): number {
    return this.live + this.dead + this.#clearedBytes + this.#memory.keptBytes;
  }

  /** Few segment numbers are left: nothing more should be added. */
  get isNearlyFull(): boolean {
    return this.#segments.length - this.#freeIds.length > this.#maxSegments - 64;
  }

  createQueue(owner: Owner): SegmentQueue<Owner> {
    const queue = new SegmentQueue(owner);
    this.queues.push(queue);
    return queue;
  }

  /** `size` as a multiple of the unit. */
  round(size: number): number {
    return (size + this.#unitMask) & ~this.#unitMask;
  }

  segmentOf(ref: number): Segment<Owner> {
    const id = ref >>> this.#shift;
    return (id === 0 ? this.#own[ref] : this.#segments[id]) as Segment<Owner>;
  }

  /** Where the record begins in the bytes of its segment. */
  offsetOf(ref: number): number {
    return ref >>> this.#shift === 0 ? 0 : (ref & this.#mask) << this.unitShift;
  }

  refOf(segment: Segment<Owner>, at: number): number {
    return segment.isOwn ? segment.id : (segment.id << this.#shift) | (at >>> this.unitShift);
  }

  /** The segment at the end of the queue, with room for a record of `size` bytes. Throws when there are no addresses left. */
  roomFor(queue: SegmentQueue<Owner>, size: number): Segment<Owner> {
    if (size > this.segmentBytes >>> OWN_SHIFT) return this.#createOwn(queue, size);
    const { open } = queue;
    if (open !== null && open.end + size <= open.bytes.length) return open;
    this.close(queue);
    const segment = this.createSegment(queue, queue.newest, Math.max(size, this.sharedBytesOf(queue)));
    queue.open = segment;
    return segment;
  }

  /** Bytes of the next segment for many records of the queue. */
  sharedBytesOf(queue: SegmentQueue<Owner>): number {
    let bytes = MIN_SEGMENT_BYTES;
    while (bytes < queue.live / SEGMENT_PARTS && bytes < this.segmentBytes) bytes *= 2;
    return bytes;
  }

  /** A new segment of `bytes` behind `older`. */
  createSegment(queue: SegmentQueue<Owner>, older: Segment<Owner> | null, bytes: number): Segment<Owner> {
    const id = this.#freeIds.pop() ?? this.#segments.length;
    if (id >= this.#maxSegments) throw new Error('the store has no addresses left');
    const segment = new Segment(id, queue, this.#memory.take(bytes), false);
    this.#segments[id] = segment;
    queue.insertAfter(older, segment);
    return segment;
  }

  #createOwn(queue: SegmentQueue<Owner>, size: number): Segment<Owner> {
    const id = this.#freeOwnIds.pop() ?? this.#own.length;
    const segment = new Segment(id, queue, this.#memory.take(size), true);
    this.#own[id] = segment;
    if (size > queue.live >>> ORDER_SHIFT) this.close(queue);
    // Before the open segment, so that that one stays the newest.
    queue.insertAfter(queue.open === null ? queue.newest : queue.open.older, segment);
    return segment;
  }

  /** Takes `size` bytes (a multiple of the unit) of a segment that has the room, and returns their address. */
  take(segment: Segment<Owner>, size: number): number {
    const at = segment.end;
    segment.end = at + size;
    segment.queue.live += size;
    // What a compaction writes is not new.
    if (!segment.isPinned) segment.queue.taken += size;
    this.live += size;
    this.taken += size;
    return this.refOf(segment, at);
  }

  /** Gives the record at `ref` the bytes behind it, when nobody else needs them; false when it must go elsewhere. */
  grow(ref: number, from: number, to: number): boolean {
    const segment = this.segmentOf(ref);
    const { bytes } = segment;
    const next = this.offsetOf(ref) + from;
    const more = to - from;
    if (next === segment.end) {
      if ((segment !== segment.queue.open && !segment.isOwn) || next + more > bytes.length) return false;
      segment.end += more;
    } else {
      if ((bytes[next] & FILLER_BIT) === 0) return false;
      const room = fillerSize(bytes, next, this.unitShift);
      if (room < more) return false;
      if (room > more) writeFiller(bytes, next + more, room - more, this.unitShift);
      segment.dead -= more;
      this.dead -= more;
    }
    segment.queue.live += more;
    segment.queue.taken += more;
    this.live += more;
    this.taken += more;
    return true;
  }

  /** The record at `ref` gets shorter. */
  shrink(ref: number, from: number, to: number): void {
    const segment = this.segmentOf(ref);
    const next = this.offsetOf(ref) + to;
    const less = from - to;
    if (segment.isOwn || (next + less === segment.end && segment === segment.queue.open)) {
      segment.end -= less;
    } else {
      writeFiller(segment.bytes, next, less, this.unitShift);
      segment.dead += less;
      this.dead += less;
    }
    segment.queue.live -= less;
    this.live -= less;
  }

  /** Leaves `size` bytes behind the record that `take` has just returned as room for it to grow. */
  leaveRoom(segment: Segment<Owner>, size: number): void {
    if (segment.isOwn) return;
    writeFiller(segment.bytes, segment.end, size, this.unitShift);
    segment.end += size;
    segment.dead += size;
    this.dead += size;
  }

  /** Removes the record of `size` bytes at `ref`. With `to` it has moved there, and its old address leads there until `releaseEmptied`. */
  free(ref: number, size: number, to = 0): void {
    const segment = this.segmentOf(ref);
    segment.queue.live -= size;
    this.live -= size;
    if (segment.isOwn) {
      this.#vacate(segment, size, to);
      return;
    }
    writeFiller(segment.bytes, this.offsetOf(ref), size, this.unitShift, to);
    segment.dead += size;
    this.dead += size;
    if (segment.dead === segment.end) this.emptied(segment);
  }

  /** Gives the memory back; whoever still refers to the segment must not keep it. */
  #free(segment: Segment<Owner>): void {
    this.#memory.release(segment.bytes);
    segment.hold(NO_BYTES);
  }

  /** Of a large record only the forwarding filler stays. */
  #vacate(segment: Segment<Owner>, size: number, to: number): void {
    this.#memory.release(segment.bytes);
    segment.hold(this.#memory.take(16));
    segment.end = 0;
    writeFiller(segment.bytes, 0, size, this.unitShift, to);
    this.#emptied.push(segment);
  }

  /** Takes note of a segment that holds fillers only. */
  emptied(segment: Segment<Owner>): void {
    if (!segment.isPinned && segment !== segment.queue.open) this.#emptied.push(segment);
  }

  /** Gives back the segments without records. Addresses of removed and of moved records must not be used any more. */
  releaseEmptied(): void {
    for (let segment = this.#emptied.pop(); segment !== undefined; segment = this.#emptied.pop())
      this.#release(segment);
    if (this.#cleared.length > 0) this.#discardCleared();
  }

  #discardCleared(): void {
    for (const segment of this.#cleared.splice(-DISCARDS_PER_CALL)) {
      this.#clearedBytes -= segment.end;
      this.#free(segment);
    }
  }

  /** To be called from time to time, so that memory that was let go comes back to the system. */
  tendMemory(): void {
    this.#memory.tend();
  }

  /** Gives back open segments too when they hold nothing. */
  releaseOpen(): void {
    for (const queue of this.queues) {
      const { open } = queue;
      if (open !== null && open.end > KEPT_BYTES && open.dead === open.end) this.close(queue);
    }
  }

  /** The next record of the queue goes to a new segment. */
  close(queue: SegmentQueue<Owner>): void {
    const { open } = queue;
    queue.open = null;
    if (open !== null && open.dead === open.end) this.emptied(open);
  }

  #release(segment: Segment<Owner>): void {
    this.dead -= segment.dead;
    segment.queue.remove(segment);
    this.#free(segment);
    if (segment.isOwn) {
      this.#own[segment.id] = null;
      this.#freeOwnIds.push(segment.id);
    } else {
      this.#segments[segment.id] = null;
      this.#freeIds.push(segment.id);
    }
  }

  /** Forgets all records; queues stay. Of many segments most are given back by later calls of `releaseEmptied`. */
  clear(): void {
    this.#emptied.length = 0;
    for (const queue of this.queues) {
      for (let segment = queue.oldest; segment !== null; segment = segment.newer) {
        this.#cleared.push(segment);
        this.#clearedBytes += segment.end;
      }
      queue.oldest = null;
      queue.newest = null;
      queue.open = null;
      queue.live = 0;
    }
    this.#segments.length = 1;
    this.#own.length = 1;
    this.#freeIds.length = 0;
    this.#freeOwnIds.length = 0;
    this.live = 0;
    this.dead = 0;
    this.#discardCleared();
  }

  /** The first record of a queue, or 0. */
  oldest(queue: SegmentQueue<Owner>): number {
    for (let segment = queue.oldest; segment !== null; segment = segment.newer) {
      const at = this.nextRecord(segment);
      if (at >= 0) return this.refOf(segment, at);
    }
    return 0;
  }

  /** Where the first record of a segment is, or -1; skips the fillers before it for good. */
  nextRecord(segment: Segment<Owner>): number {
    const { bytes, end } = segment;
    let at = segment.walked;
    while (at < end && (bytes[at] & FILLER_BIT) !== 0) at += fillerSize(bytes, at, this.unitShift);
    segment.walked = at;
    return at < end ? at : -1;
  }

  /** Bytes of records that came to the end of its queue with or after the record at `ref`; after a compaction about so many. */
  ageOf(ref: number): number {
    const segment = this.segmentOf(ref);
    return segment.queue.taken - segment.born - this.offsetOf(ref);
  }

  sizeOf(ref: number): number {
    return this.#format.sizeAt(this.segmentOf(ref).bytes, this.offsetOf(ref));
  }
}
