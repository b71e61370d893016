import { viewOf } from '../base/index.ts';

/** A block of records. */
export class Segment<Owner> {
  readonly id: number;
  readonly queue: SegmentQueue<Owner>;
  /** Holds one large record alone; what lies behind it is room for it to grow. */
  readonly isOwn: boolean;
  bytes!: Buffer;
  /** Of `bytes`. */
  view!: DataView;
  /** Where the next record begins. */
  end = 0;
  /** Bytes of fillers before `end`. */
  dead = 0;
  /** Before this there are only fillers. */
  walked = 0;
  /** A compaction reads or writes it, and lets it go afterwards. */
  isPinned = false;
  /** `taken` of the queue before its first record came. */
  born: number;
  /** Neighbours in the queue. */
  older: Segment<Owner> | null = null;
  newer: Segment<Owner> | null = null;
  /** The queue's generation when the segment was made. */
  readonly generation: number;
  /** Two words for the user of the log, to which the records of the segment may refer; -1 until it sets them. */
  baseHigh = -1;
  baseLow = -1;

  constructor(id: number, queue: SegmentQueue<Owner>, bytes: Buffer, isOwn: boolean) {
    this.id = id;
    this.queue = queue;
    this.hold(bytes);
    this.isOwn = isOwn;
    this.generation = queue.generation;
    this.born = queue.taken;
  }

  /** Gets its memory, or another one. */
  hold(bytes: Buffer): void {
    this.bytes = bytes;
    this.view = viewOf(bytes);
  }

  /** Bytes of records. */
  get live(): number {
    return this.end - this.dead;
  }
}

/** Segments in the order in which they were filled. New records go to the newest one that is not some record's own. */
export class SegmentQueue<Owner> {
  readonly owner: Owner;
  oldest: Segment<Owner> | null = null;
  newest: Segment<Owner> | null = null;
  /** Where new records go. */
  open: Segment<Owner> | null = null;
  /** Bytes of records. */
  live = 0;
  /** Bytes of records that ever came to its end. */
  taken = 0;
  /** Written into new segments; whoever changes it closes the open one. */
  generation = 0;

  constructor(owner: Owner) {
    this.owner = owner;
  }

  /** Puts a segment behind `older`, or in front of all. */
  insertAfter(older: Segment<Owner> | null, segment: Segment<Owner>): void {
    const newer = older === null ? this.oldest : older.newer;
    segment.older = older;
    segment.newer = newer;
    if (older === null) this.oldest = segment;
    else older.newer = segment;
    if (newer === null) this.newest = segment;
    else newer.older = segment;
  }

  remove(segment: Segment<Owner>): void {
    const { older, newer } = segment;
    if (older === null) this.oldest = newer;
    else older.newer = newer;
    if (newer === null) this.newest = older;
    else newer.older = older;
    if (this.open === segment) this.open = null;
  }
}
