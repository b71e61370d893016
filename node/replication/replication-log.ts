import { copyWords, MOST_WORD_BYTES, viewOf } from '../../lib/base/index.ts';
import { FrameWriter } from './frame-writer.ts';
import { StreamPosition } from './stream-position.ts';

/** What goes around frames that take effect together. */
const UNIT_START = '*1\r\n$5\r\nMULTI\r\n';
const UNIT_END = '*1\r\n$4\r\nEXEC\r\n';

/** Former identities that are remembered: one for each restart or change of leaders. Redis remembers one. */
const MAX_FORMERS = 8;
const MAX_SEGMENT_BYTES = 1 << 20;
const MIN_BACKLOG_BYTES = 16 * 1024;
/** The backlog is dropped segment by segment, so it must hold a few. */
const SEGMENTS_PER_BACKLOG = 8;

/** Memory of forgotten segments that is kept for new ones. */
const MAX_SPARE_BYTES = 16 << 20;

const NOTHING = Buffer.alloc(0);

/** A stretch of the stream. Outside a unit, what is written never changes; a reader that keeps one keeps all that follow. */
export interface Segment {
  /** Offset of the first byte in the stream. */
  offset: number;
  readonly buffer: Buffer;
  readonly view: DataView;
  /** Bytes in use. */
  length: number;
  next: Segment | null;
}

/**
 * The replication stream's newest part: what a leader's effects append, or what a follower received. Offsets count the bytes of the
 * stream since it began; a stream is named by a replication id.
 *
 * The log is a chain of segments. It forgets the oldest beyond `backlogBytes`; a reader that lags holds on to its own segment and those
 * behind it, and whoever owns the reader bounds that.
 */
export class ReplicationLog {
  #backlogBytes = 0;
  #segmentBytes = 0;
  readonly #writer = new FrameWriter(Buffer.alloc(0));
  /** How many units have begun and not ended, one in the other. */
  #openUnits = 0;
  /** Where the first frame of the unit is, and how many it has. */
  #unitSegment: Segment;
  #unitAt = 0;
  #unitFrames = 0;
  /** Frames that follow one another in memory of somebody else's, and have not been copied; how long the last of them is. */
  #gathered: Buffer | null = null;
  #gatheredStart = 0;
  #gatheredEnd = 0;
  #gatheredFrameBytes = 0;
  /** The memory that was gathered from last, as words. */
  #source: Buffer = NOTHING;
  #sourceView = viewOf(NOTHING);
  #first: Segment;
  #last: Segment;
  /** Forgotten, the oldest first: their memory is for new ones, as soon as everybody has read them. */
  #spares: Segment[] = [];
  /** Whether anybody needs the stream: false until the first follower comes, so that a lone node does not pay for it. */
  active = false;
  /** Up to where nobody who reads the stream needs it any more: its memory may be written over. */
  readOffset: () => number = () => Number.NEGATIVE_INFINITY;
  /** Called when the stream goes on under another identity. */
  onRename: () => void = () => {};
  /** How often another stream has taken the place of this one. */
  restarts = 0;
  /** The identity of this stream. */
  replId: string;
  /** The streams that this one went on from, the newest last: each agrees with it up to its end. */
  #formers: readonly { readonly replId: string; readonly end: number }[] = [];
  #epoch = 0;
  /** What the next command need not say. */
  readonly position = new StreamPosition();

  constructor({ backlogBytes, replId }: { backlogBytes: number; replId: string }) {
    this.replId = replId;
    this.#first = this.#last = this.#unitSegment = emptySegment(0);
    this.backlogBytes = backlogBytes;
  }

  /** How much is kept at least; less than 16 kB is 16 kB, as in Redis. */
  get backlogBytes(): number {
    return this.#backlogBytes;
  }

  set backlogBytes(bytes: number) {
    this.#backlogBytes = Math.max(MIN_BACKLOG_BYTES, bytes);
    this.#segmentBytes = Math.min(MAX_SEGMENT_BYTES, Math.ceil(this.#backlogBytes / SEGMENTS_PER_BACKLOG));
    this.#forgetOldest();
  }

  /** Shard epoch of the leader that the data set was last level with, its own as a leader; 0 without shards. */
  get epoch(): number {
    return this.#epoch;
  }

  set epoch(epoch: number) {
    if (epoch === this.#epoch) return;
    this.#epoch = epoch;
    this.onRename();
  }

  /** Offset behind the last byte. */
  get end(): number {
    return this.#last.offset + this.#last.length + this.#gatheredEnd - this.#gatheredStart;
  }

  /** Offset of the oldest byte kept. */
  get start(): number {
    return this.#first.offset;
  }

  /** Whether what is written belongs together with what comes: nobody may read the end of the stream. */
  get isInUnit(): boolean {
    return this.#openUnits > 0;
  }

  /** The stream this one went on from, which agrees with it up to `formerEnd`; empty for none. */
  get formerReplId(): string {
    return this.#formers.at(-1)?.replId ?? '';
  }

  get formerEnd(): number {
    return this.#formers.at(-1)?.end ?? 0;
  }

  /** The newest segment. */
  get last(): Segment {
    this.settle();
    return this.#last;
  }

  /** Starts over at an offset with nothing kept: another stream is followed from here. */
  restart(replId: string, offset: number): void {
    this.settle();
    this.replId = replId;
    this.#formers = [];
    this.#first = this.#last = emptySegment(offset);
    this.#spares = [];
    this.restarts++;
    this.position.announce();
    this.active = true;
  }

  /** Goes on under a new identity; followers of the old one may still continue from any offset up to here. */
  rename(replId: string): void {
    this.#formers = [...this.#formers.slice(1 - MAX_FORMERS), { replId: this.replId, end: this.end }];
    this.replId = replId;
    this.onRename();
  }

  /** Whether somebody who has `offset` bytes of stream `replId` can go on with what is kept here. */
  canContinue(replId: string, offset: number): boolean {
    if (!this.active || offset < this.start || offset > this.end) return false;
    if (replId === this.replId) return true;
    return this.#formers.some((former) => former.replId === replId && offset <= former.end);
  }

  /** The segment that holds the byte at `offset`, which must be kept (or be the end). */
  segmentAt(offset: number): Segment {
    this.settle();
    let segment = this.#first;
    while (segment.next && offset >= segment.offset + segment.length) segment = segment.next;
    return segment;
  }

  /**
   * What is written from here to `endUnit` takes effect on followers as a whole or not at all. Nobody may read the stream in between.
   * Units may contain others; the outermost counts.
   */
  beginUnit(): void {
    if (this.#openUnits++ === 0) this.#unitFrames = 0;
  }

  /** Several frames of a unit get MULTI before them and EXEC behind. */
  endUnit(): void {
    if (--this.#openUnits > 0 || this.#unitFrames < 2) return;
    const segment = this.#unitSegment;
    const at = this.#unitAt;
    segment.buffer.copyWithin(at + UNIT_START.length, at, segment.length);
    segment.buffer.latin1Write(UNIT_START, at);
    segment.length += UNIT_START.length;
    for (let later = segment.next; later !== null; later = later.next) later.offset += UNIT_START.length;
    this.begin(UNIT_END.length).fixed(UNIT_END);
    this.commit();
  }

  /** A writer with room for a frame of `maxBytes`; `commit` takes the frame over. One that goes `apart` may be before the unit's MULTI. */
  begin(maxBytes: number, apart = false): FrameWriter {
    this.settle();
    // There is always room left for what goes before the frames of a unit.
    const room = maxBytes + UNIT_START.length;
    if (this.#last.length + room > this.#last.buffer.length) this.#extend(room);
    if (!apart && this.#unitFrames++ === 0) {
      this.#unitSegment = this.#last;
      this.#unitAt = this.#last.length;
    }
    this.#writer.buffer = this.#last.buffer;
    this.#writer.at = this.#last.length;
    return this.#writer;
  }

  commit(): void {
    this.#last.length = this.#writer.at;
  }

  /** Whether the next frame is by itself, so far: no unit has begun, or only that of the command that it is for. */
  get isAlone(): boolean {
    return this.#openUnits === 0 || (this.#openUnits === 1 && this.#unitFrames === 0);
  }

  /**
   * Takes a frame over as it is in `source`, where it has to stay until `settle` is called; the log must be `isAlone`. Frames that follow one
   * another there are copied together: the writes of a pipeline at once.
   */
  forward(source: Buffer, start: number, end: number): void {
    this.#unitFrames++;
    this.#gatheredFrameBytes = end - start;
    if (this.#gathered === source && this.#gatheredEnd === start) {
      this.#gatheredEnd = end;
      return;
    }
    this.settle();
    this.#gathered = source;
    this.#gatheredStart = start;
    this.#gatheredEnd = end;
  }

  /** Copies what was taken over: to be called before its memory changes, and before anybody reads the end of the stream. */
  settle(): void {
    const source = this.#gathered;
    if (source === null) return;
    const start = this.#gatheredStart;
    const end = this.#gatheredEnd;
    this.#gathered = null;
    this.#gatheredStart = this.#gatheredEnd = 0;
    const room = end - start + UNIT_START.length;
    if (this.#last.length + room > this.#last.buffer.length) this.#extend(room);
    if (end - start > MOST_WORD_BYTES) source.copy(this.#last.buffer, this.#last.length, start, end);
    else copyWords(this.#viewOf(source), start, end - start, this.#last.view, this.#last.length);
    this.#last.length += end - start;
    // Of what is gathered only the last frame may be of the unit under way.
    this.#unitSegment = this.#last;
    this.#unitAt = this.#last.length - this.#gatheredFrameBytes;
  }

  #viewOf(source: Buffer): DataView {
    if (source !== this.#source) {
      this.#source = source;
      this.#sourceView = viewOf(source);
    }
    return this.#sourceView;
  }

  /** Appends bytes of the stream as they were received. */
  append(source: Buffer, start: number, end: number): void {
    const length = end - start;
    if (this.#last.length + length > this.#last.buffer.length) this.#extend(length);
    source.copy(this.#last.buffer, this.#last.length, start, end);
    this.#last.length += length;
  }

  #extend(bytes: number): void {
    const buffer = this.#memory(Math.max(this.#segmentBytes, bytes));
    const segment: Segment = { offset: this.end, buffer, view: viewOf(buffer), length: 0, next: null };
    this.#last.next = segment;
    this.#last = segment;
    this.#forgetOldest();
    if (this.#first.length === 0 && this.#first.next) this.#first = this.#first.next;
  }

  /** Memory that comes and goes with every segment would be a full collection for every 30 MB of the stream. */
  #memory(bytes: number): Buffer {
    // The newest: the processor's caches may still have it.
    const i = this.#spares.findLastIndex((spare) => this.#isUseless(spare));
    if (i < 0) return Buffer.allocUnsafeSlow(bytes);
    const [{ buffer }] = this.#spares.splice(i, 1);
    return buffer.length === bytes ? buffer : Buffer.allocUnsafeSlow(bytes);
  }

  #isUseless({ offset, length }: Segment): boolean {
    const neededFrom = this.#openUnits > 0 && this.#unitFrames > 0 ? this.#unitSegment.offset : this.end;
    return offset + length <= Math.min(neededFrom, this.readOffset());
  }

  /** Keeps whole segments, and no more of them than the backlog takes. */
  #forgetOldest(): void {
    const { end } = this;
    while (this.#first.next !== null && end - this.#first.next.offset >= this.#backlogBytes) {
      this.#spares.push(this.#first);
      this.#first = this.#first.next;
    }
    if (this.#spares.length * this.#segmentBytes > MAX_SPARE_BYTES) this.#spares.shift();
  }
}

function emptySegment(offset: number): Segment {
  return { offset, buffer: NOTHING, view: viewOf(NOTHING), length: 0, next: null };
}
