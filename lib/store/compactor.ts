import type { Segment } from './segment.ts';
import type { SegmentLog } from './segment-log.ts';

/** This much may lie idle beside a share of what is live before space is won back. */
const ALLOWED_BYTES = 128 << 10;
/** The least share. It is dear: records move as often as some seven go. At a quarter it is as often as two go. */
const MIN_IDLE_SHARE = 1 / 14;
/** What moves may grow by, in parts of it. */
const SLACK_PARTS = 64;

/**
 * Wins back the room of fillers: takes the segment in which most lies idle, with neighbours that fit into one segment with it, and has
 * its records moved into a new segment at the same place of the queue. The user of the log moves the records, one `next` at a time, since it
 * knows who refers to them.
 */
export class Compactor<Owner> {
  readonly #log: SegmentLog<Owner>;
  #source: Segment<Owner> | null = null;
  #target: Segment<Owner> | null = null;
  /** Segments that are still to be emptied, with the present one. */
  #segmentsLeft = 0;
  /** How much may lie idle, as a share of what is live. */
  idleShare = MIN_IDLE_SHARE;

  constructor(log: SegmentLog<Owner>) {
    this.#log = log;
  }

  /** Idle bytes that are not worth an effort. */
  get allowedDead(): number {
    return this.#log.live * this.idleShare + ALLOWED_BYTES;
  }

  get isRunning(): boolean {
    return this.#source !== null;
  }

  /** Starts when too much lies idle; true while there is something to move. */
  advance(): boolean {
    if (this.#source !== null) return true;
    if (this.#log.dead <= this.allowedDead) return false;
    const victim = this.#victim();
    if (victim !== null) this.#startAround(victim);
    return victim !== null;
  }

  #victim(): Segment<Owner> | null {
    let victim: Segment<Owner> | null = null;
    for (const queue of this.#log.queues) {
      for (let segment = queue.oldest; segment !== null; segment = segment.newer) {
        if (segment.dead === 0 || !isMovable(segment)) continue;
        if (victim === null || segment.dead * victim.end > victim.dead * segment.end) victim = segment;
      }
    }
    return victim;
  }

  /** Moves the records of this segment, which must not be open nor some record's own. */
  startAt(segment: Segment<Owner>): void {
    this.#segmentsLeft = 1;
    this.#enter(segment);
  }

  /** As `startAt`, with the neighbours that fit into a segment with it. */
  #startAround(victim: Segment<Owner>): void {
    let first = victim;
    let bytes = victim.live;
    let count = 1;
    for (let next = victim.older; next !== null && this.#fits(next, victim, bytes); next = next.older) {
      bytes += next.live;
      first = next;
      count++;
    }
    for (let next = victim.newer; next !== null && this.#fits(next, victim, bytes); next = next.newer) {
      bytes += next.live;
      count++;
    }
    this.#segmentsLeft = count;
    this.#enter(first);
  }

  #fits(segment: Segment<Owner>, victim: Segment<Owner>, bytes: number): boolean {
    return (
      isMovable(segment) &&
      segment.generation === victim.generation &&
      bytes + segment.live <= this.#log.sharedBytesOf(victim.queue)
    );
  }

  #enter(source: Segment<Owner> | null): void {
    if (source !== null) source.isPinned = true;
    this.#source = source;
    if (source === null) this.#leaveTarget();
  }

  /** The next record to move, or 0 when all are moved. It must be moved to `targetFor` and freed before the next call. */
  next(): number {
    for (;;) {
      const source = this.#source;
      if (source === null) return 0;
      const at = this.#log.nextRecord(source);
      if (at >= 0) return this.#log.refOf(source, at);
      this.#segmentsLeft--;
      // A neighbour may have been given back meanwhile: what comes next may then be no part of this round.
      const { newer } = source;
      this.#enter(this.#segmentsLeft > 0 && newer !== null && isMovable(newer) ? newer : null);
      source.isPinned = false;
      this.#log.emptied(source);
    }
  }

  /** Room for `size` bytes at the place of the segment that is being emptied. */
  targetFor(size: number): Segment<Owner> {
    const target = this.#target;
    if (target !== null && target.end + size <= target.bytes.length) return target;
    const source = this.#source!;
    this.#leaveTarget();
    const made = this.#log.createSegment(source.queue, source.older, Math.max(size, this.#bytesLeft(source)));
    made.isPinned = true;
    made.born = source.born;
    this.#target = made;
    return made;
  }

  #bytesLeft(source: Segment<Owner>): number {
    let bytes = 0;
    let segment: Segment<Owner> | null = source;
    for (let i = 0; i < this.#segmentsLeft && segment !== null; i++) {
      if (isMovable(segment) || segment === source) bytes += segment.live;
      segment = segment.newer;
    }
    const slack = Math.ceil(bytes / SLACK_PARTS);
    return Math.min(
      this.#log.round(bytes + slack),
      Math.max(this.#log.sharedBytesOf(source.queue), source.live),
    );
  }

  #leaveTarget(): void {
    const target = this.#target;
    this.#target = null;
    if (target === null) return;
    target.isPinned = false;
    if (target.dead === target.end) this.#log.emptied(target);
  }

  /** Forgets what was under way, since the log has been cleared. */
  clear(): void {
    this.#source = null;
    this.#target = null;
    this.#segmentsLeft = 0;
  }
}

function isMovable<Owner>(segment: Segment<Owner>): boolean {
  return !segment.isOwn && !segment.isPinned && segment !== segment.queue.open && segment.dead < segment.end;
}
