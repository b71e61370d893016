import type { Compactor, Segment, SegmentQueue } from '../../lib/store/index.ts';
import { copy } from './bytes.ts';
import { EXPIRY, LINKS, RARE, type RecordShape, type Records, WIDE_VERSION } from './records.ts';
import type { Space } from './space.ts';

const EXPIRY_BYTES = 14;
const LINKS_BYTES = 12;
const RARE_BYTES = 14;
/** What a record may be larger by than was asked for: the wide version, and that there are blocks at all. */
const WIDE_BYTES = 9;
/** An own segment of this size or more is left when the value is less than half of it. */
const LARGE_BYTES = 64 << 10;

/** Is told that a record has got another address. The record at `to` is complete. */
export type Moved = (from: number, to: number) => void;

/** How a record is to be written anew. */
export interface Rewrite {
  /** Blocks it shall have (but for the wide version, which it gets as needed), and `TAGGED`. */
  extension: number;
  valueLength: number;
  /** Bytes behind it for the value to grow, if it goes elsewhere. */
  room?: number;
  /** Where it goes; without it, it stays if it can, else it goes to the end of its queue. */
  to?: Compactor<Space> | SegmentQueue<Space>;
}

/** Writes records anew in another shape: where they are if that is possible, else elsewhere. */
export class RecordWriter {
  readonly #records: Records;
  readonly #moved: Moved;
  readonly #shape: RecordShape = { flags: 0, extension: 0, keyLength: 0, valueLength: 0 };
  readonly #blocks = Buffer.alloc(EXPIRY_BYTES + LINKS_BYTES + RARE_BYTES);
  #high = 0;
  #low = 0;

  constructor(records: Records, moved: Moved) {
    this.#records = records;
    this.#moved = moved;
  }

  /**
   * Writes the parsed record anew and parses it again. Key, version and blocks it keeps stay, and of the value what fits; what is new is
   * undefined. A new `LINKS` or `EXPIRY` block is the caller's to link.
   */
  rewrite(how: Rewrite): void {
    const records = this.#records;
    this.#high = records.versionHigh;
    this.#low = records.versionLow;
    this.#write(how);
  }

  /** As `rewrite` to a place where this version can be told; the new version is written. */
  moveForVersion(extension: number, high: number, low: number): void {
    const { segment, valueLength } = this.#records;
    const { queue } = segment;
    this.#high = high;
    this.#low = low;
    const { open } = queue;
    const helps = open !== null && open !== segment && this.#records.fits(open, high, low);
    this.#write({ extension, valueLength, to: helps ? queue : undefined });
  }

  #write(how: Rewrite): void {
    const records = this.#records;
    const { log, ref, segment, size } = records;
    const shape = this.#shape;
    shape.flags = records.flags;
    shape.keyLength = records.keyLength;
    shape.valueLength = how.valueLength;
    if (how.to === undefined && this.#fitsHere(how, size)) {
      const { bytes } = segment;
      this.#transcode(ref, how.extension);
      if (bytes !== records.bytes) throw new Error('a record moved while it was written');
      if (records.size < size) log.shrink(ref, size, records.size);
      return;
    }
    const target = this.#target(how, segment);
    this.#shapeFor(target, how.extension);
    const to = log.take(target, records.sizeOf(shape));
    this.#transcode(to, how.extension);
    if (how.room !== undefined && target.end + how.room <= target.bytes.length)
      log.leaveRoom(target, log.round(how.room));
    log.free(ref, size, to);
    this.#moved(ref, to);
    records.parse(to);
  }

  /** Whether the record can stay; takes the bytes behind it if it needs them. */
  #fitsHere(how: Rewrite, size: number): boolean {
    const records = this.#records;
    const { segment, ref, log } = records;
    this.#shapeFor(segment, how.extension);
    const wanted = records.sizeOf(this.#shape);
    if (segment.isOwn && segment.bytes.length >= LARGE_BYTES && wanted < segment.bytes.length / 2)
      return false;
    return wanted <= size || log.grow(ref, size, wanted);
  }

  #target({ extension, room = 0, to }: Rewrite, segment: Segment<Space>): Segment<Space> {
    const { log } = this.#records;
    const shape = this.#shape;
    shape.extension = extension & ~WIDE_VERSION;
    const size = log.round(this.#records.sizeOf(shape) + WIDE_BYTES);
    if (to !== undefined && 'targetFor' in to) return to.targetFor(size);
    return log.roomFor(to ?? segment.queue, log.round(size + room));
  }

  #shapeFor(segment: Segment<Space>, extension: number): void {
    const isNear = this.#records.fits(segment, this.#high, this.#low);
    this.#shape.extension = (extension & ~WIDE_VERSION) | (isNear ? 0 : WIDE_VERSION);
  }

  /** Moves key, value and blocks of the parsed record to where they belong in one of the new shape at `to`, which may be the same place. */
  #transcode(to: number, extension: number): void {
    const records = this.#records;
    const { bytes, keyAt, keyLength } = records;
    const kept = this.#saveBlocks();
    const end = keyAt + keyLength + Math.min(records.valueLength, this.#shape.valueLength);
    const segment = records.log.segmentOf(to);
    const target = records.keyAtIn(to, this.#shape);
    if (segment.bytes === bytes) bytes.copyWithin(target, keyAt, end);
    else copy(bytes, keyAt, end, segment.bytes, target);
    records.begin(to, this.#shape);
    this.#restoreBlocks(kept & extension);
    records.setVersion(this.#high, this.#low);
  }

  /** Notes the blocks of the parsed record; returns which. */
  #saveBlocks(): number {
    const records = this.#records;
    const { bytes, at, extension } = records;
    const blocks = this.#blocks;
    if ((extension & EXPIRY) !== 0)
      copy(bytes, records.expiryAt(at), records.expiryAt(at) + EXPIRY_BYTES, blocks, 0);
    if ((extension & LINKS) !== 0) {
      const from = records.linksAt(bytes, at, LINKS);
      copy(bytes, from, from + LINKS_BYTES, blocks, EXPIRY_BYTES);
    }
    if ((extension & RARE) !== 0)
      copy(bytes, records.rareAt, records.rareAt + RARE_BYTES, blocks, EXPIRY_BYTES + LINKS_BYTES);
    return extension;
  }

  #restoreBlocks(kept: number): void {
    const records = this.#records;
    const { bytes, at } = records;
    const blocks = this.#blocks;
    if ((kept & EXPIRY) !== 0) copy(blocks, 0, EXPIRY_BYTES, bytes, records.expiryAt(at));
    if ((kept & LINKS) !== 0)
      copy(blocks, EXPIRY_BYTES, EXPIRY_BYTES + LINKS_BYTES, bytes, records.linksAt(bytes, at, LINKS));
    if ((kept & RARE) !== 0) copy(blocks, EXPIRY_BYTES + LINKS_BYTES, blocks.length, bytes, records.rareAt);
    else if (records.has(RARE)) bytes.fill(0, records.rareAt, records.rareAt + RARE_BYTES);
  }
}
