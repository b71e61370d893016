/** Cells lie in segments of this size. */
const SEGMENT_BYTES = 1 << 20;
/** Words before a cell's payload: whose it is (0: nobody's), the payload's capacity, and its length. */
const OWNER = 0;
const CAPACITY = 1;
const LENGTH = 2;
const HEADER_BYTES = 12;
/** Segments that are kept empty, and the part of the live bytes that may lie idle, before space is won back. */
const SPARE_SEGMENTS = 4;
const IDLE_SHIFT = 3;
/** Bytes looked at to win space back, per byte written: enough even when most of what is looked at must be moved. */
const SWEEP_FACTOR = 12;

/** Larger cells have a segment of their own, so that little is lost at the ends of the common ones. */
const MAX_SHARED_BYTES = SEGMENT_BYTES >> 2;

interface Segment {
  readonly id: number;
  readonly bytes: Buffer;
  readonly words: Int32Array;
  /** Holds one cell alone. */
  readonly isOwn: boolean;
  /** Where the next cell begins. */
  end: number;
  /** Bytes of cells that are somebody's. */
  live: number;
}

/** The owner of a cell is told where it has moved. */
export type Relocate = (owner: number, segment: number, offset: number) => void;

/** Bytes a payload of `length` takes, with its share of what lies idle. */
export function cellCharge(length: number): number {
  const bytes = cellBytes(length);
  return bytes + (bytes >> IDLE_SHIFT);
}

/**
 * Byte strings of any size, off the heap: a log of cells in segments. Freed cells leave holes; when these exceed an eighth of what is
 * live, the segment with the least live bytes is swept, a little with each write: its cells move to the end of the log, and
 * it is used again. So memory stays within 9/8 of the live bytes plus a few segments, whatever sizes come and go, and nothing ever
 * becomes garbage of the JavaScript heap.
 *
 * The idea is that of log-structured memory (Rumble, Kejriwal and Ousterhout, FAST '14).
 */
export class CellLog {
  readonly #relocate: Relocate;
  readonly #segments: (Segment | null)[] = [];
  readonly #freeIds: number[] = [];
  readonly #spares: Buffer[] = [];
  #active: Segment;
  /** Bytes taken from the system. */
  reservedBytes = 0;
  /** Shared segments in use, and the live bytes in them. */
  #count = 0;
  #live = 0;
  /** The segment being swept, and how far. */
  #victim: Segment | null = null;
  #swept = 0;
  /** Where the cell of the last `allocate` begins. */
  segment = 0;
  offset = 0;

  constructor(relocate: Relocate) {
    this.#relocate = relocate;
    this.#active = this.#createShared();
  }

  /**
   * Makes a cell for a payload of `length` bytes, with room for `capacity`; `segment` and `offset` say where. Other cells may have moved
   * when it returns, that of the same owner too.
   */
  allocate(owner: number, length: number, capacity = length): void {
    const bytes = cellBytes(capacity);
    if (bytes > MAX_SHARED_BYTES) {
      this.#put(this.#add(this.#reserve(bytes), true), owner, length, bytes);
      return;
    }
    this.#sweep(bytes * SWEEP_FACTOR);
    this.#putShared(owner, length, bytes);
  }

  #putShared(owner: number, length: number, bytes: number): void {
    if (this.#active.end + bytes > SEGMENT_BYTES) this.#active = this.#createShared();
    this.#put(this.#active, owner, length, bytes);
    this.#live += bytes;
  }

  #put(segment: Segment, owner: number, length: number, bytes: number): void {
    const at = segment.end;
    const word = at >> 2;
    segment.words[word + OWNER] = owner;
    segment.words[word + CAPACITY] = bytes - HEADER_BYTES;
    segment.words[word + LENGTH] = length;
    segment.end = at + bytes;
    segment.live += bytes;
    this.segment = segment.id;
    this.offset = at;
  }

  free(segmentId: number, offset: number): void {
    const segment = this.#segments[segmentId]!;
    const word = offset >> 2;
    const bytes = segment.words[word + CAPACITY] + HEADER_BYTES;
    segment.words[word + OWNER] = 0;
    segment.live -= bytes;
    if (!segment.isOwn) this.#live -= bytes;
    if (segment.live === 0 && segment !== this.#active && segment !== this.#victim) this.#release(segment);
  }

  /** Bytes of the segment; the payload of a cell begins at `payloadStart(offset)`. */
  bytesOf(segmentId: number): Buffer {
    return this.#segments[segmentId]!.bytes;
  }

  payloadStart(offset: number): number {
    return offset + HEADER_BYTES;
  }

  lengthOf(segmentId: number, offset: number): number {
    return this.#segments[segmentId]!.words[(offset >> 2) + LENGTH];
  }

  setOwner(segmentId: number, offset: number, owner: number): void {
    this.#segments[segmentId]!.words[(offset >> 2) + OWNER] = owner;
  }

  /** Changes the length of a payload in place; false when the cell is too small, or much too large. */
  resize(segmentId: number, offset: number, length: number): boolean {
    const { words } = this.#segments[segmentId]!;
    const word = offset >> 2;
    const capacity = words[word + CAPACITY];
    if (length > capacity || length < capacity >> 1) return false;
    words[word + LENGTH] = length;
    return true;
  }

  /** What the cell is charged. */
  chargeOf(segmentId: number, offset: number): number {
    return cellCharge(this.#segments[segmentId]!.words[(offset >> 2) + CAPACITY]);
  }

  clear(): void {
    for (const segment of this.#segments) if (segment) this.#discard(segment.bytes);
    for (const bytes of this.#spares.splice(0)) this.#discard(bytes);
    this.#segments.length = 0;
    this.#freeIds.length = 0;
    this.#victim = null;
    this.#live = 0;
    this.#count = 0;
    this.#active = this.#createShared();
  }

  #createShared(): Segment {
    this.#count++;
    return this.#add(this.#spares.pop() ?? this.#reserve(SEGMENT_BYTES), false);
  }

  #reserve(bytes: number): Buffer {
    this.reservedBytes += bytes;
    return Buffer.allocUnsafeSlow(bytes);
  }

  #add(bytes: Buffer, isOwn: boolean): Segment {
    const id = this.#freeIds.pop() ?? this.#segments.length;
    const words = new Int32Array(bytes.buffer, 0, bytes.length >> 2);
    const segment = { id, bytes, words, isOwn, end: 0, live: 0 };
    this.#segments[id] = segment;
    return segment;
  }

  #release({ id, bytes, isOwn }: Segment): void {
    this.#segments[id] = null;
    this.#freeIds.push(id);
    if (!isOwn) this.#count--;
    if (!isOwn && this.#spares.length < SPARE_SEGMENTS) this.#spares.push(bytes);
    else this.#discard(bytes);
  }

  /** Gives the memory back now rather than at some garbage collection. */
  #discard(bytes: Buffer): void {
    this.reservedBytes -= bytes.length;
    (bytes.buffer as ArrayBuffer).transfer(0);
  }

  /** Looks at about `budget` bytes of the segment that is being swept, or of a new one if there is too much idle. */
  #sweep(budget: number): void {
    let left = budget;
    while (left > 0) {
      this.#victim ??= this.#chooseVictim();
      const victim = this.#victim;
      if (victim === null) return;
      if (this.#swept >= victim.end || victim.live === 0) {
        this.#victim = null;
        this.#release(victim);
        continue;
      }
      const bytes = victim.words[(this.#swept >> 2) + CAPACITY] + HEADER_BYTES;
      const at = this.#swept;
      this.#swept += bytes;
      left -= bytes;
      if (victim.words[(at >> 2) + OWNER] !== 0) this.#move(victim, at, bytes);
    }
  }

  #move(from: Segment, at: number, bytes: number): void {
    const word = at >> 2;
    const owner = from.words[word + OWNER];
    this.#putShared(owner, from.words[word + LENGTH], bytes);
    from.bytes.copy(this.bytesOf(this.segment), this.offset + HEADER_BYTES, at + HEADER_BYTES, at + bytes);
    from.words[word + OWNER] = 0;
    from.live -= bytes;
    this.#live -= bytes;
    this.#relocate(owner, this.segment, this.offset);
  }

  /** The segment whose sweep costs least, if too much lies idle. */
  #chooseVictim(): Segment | null {
    const allowed = this.#live + (this.#live >> IDLE_SHIFT) + SPARE_SEGMENTS * SEGMENT_BYTES;
    if (this.#count * SEGMENT_BYTES <= allowed) return null;
    let victim: Segment | null = null;
    for (const segment of this.#segments) {
      if (segment === null || segment === this.#active || segment.isOwn) continue;
      if (victim === null || segment.live < victim.live) victim = segment;
    }
    this.#swept = 0;
    return victim;
  }
}

function cellBytes(capacity: number): number {
  return (capacity + HEADER_BYTES + 3) & ~3;
}
