import { type FileHandle, open } from 'node:fs/promises';
import type { Random } from '../../lib/base/index.ts';

/** How much room is made at a time. Whoever writes more than a part of that at once gains nothing by it. */
const ROOM_BYTES = 1 << 20;
export const MOST_ROOMY_BYTES = ROOM_BYTES / 4;
/** What a disk writes whole or not at all. Room ends where one does. */
const SECTOR_BYTES = 512;
const LINE_BYTES = 64;
const PREFIX = '#RS:room ';
const LINE = /^#RS:room [0-9a-f]{54}\n$/;
/** So much of the room is left over, so that a file with room always ends with a whole line of it. */
export const LEFT_BYTES = SECTOR_BYTES + LINE_BYTES;
/** Where holes may be: no more than this is written, where there is room, for one sync. */
const UNSYNCED_BYTES = 16 << 20;
/** The last bytes of a line, by which room is known: a sector that has room in its end has as much of it. */
const KNOWN_BYTES = 32;
const HASH = 0x23;
const CR = 0x0d;
const LF = 0x0a;
const NOTHING = Buffer.alloc(0);
const LONGEST_COMMENT = KNOWN_BYTES + LINE_BYTES;
const COMMENT_END = '\r\n';

const comments = Buffer.from(COMMENT_END.padStart(LONGEST_COMMENT, '#'));

/** Goes behind what is written into room: what is left of a line is a line of its own then. */
export const ROOM_START = Buffer.from([HASH]);

/**
 * Room ahead of the end of an append-only file: bytes that are there already, so that a sync of what is written over them has no new size
 * and no new blocks to put on the disk, which takes as long again as the data. It is made of annotations, which Redis skips.
 *
 * Each line is the same, and nobody can know it: 216 random bits. So where a sector in the midst of what was written ends with it, a cut of
 * the power has kept that sector from the disk.
 */
export class AofRoom {
  readonly #lines: Buffer;

  constructor(random: Random) {
    const line = PREFIX + random.hex((LINE_BYTES - PREFIX.length - 1) / 2);
    this.#lines = Buffer.alloc(ROOM_BYTES + SECTOR_BYTES + LINE_BYTES, `${line}\n`);
  }

  /** A comment that goes behind what ends here, so that what a sector has of room is never too little to be known. */
  comment(end: number): Buffer {
    const left = SECTOR_BYTES - (end % SECTOR_BYTES);
    if (left >= KNOWN_BYTES) return NOTHING;
    const bytes = left > COMMENT_END.length ? left : left + LINE_BYTES;
    return comments.subarray(LONGEST_COMMENT - bytes);
  }

  /** What makes room from `offset` of the file on. */
  from(offset: number): Buffer {
    const end = Math.ceil((offset + ROOM_BYTES) / SECTOR_BYTES) * SECTOR_BYTES;
    const at = offset % LINE_BYTES;
    return this.#lines.subarray(at, at + end - offset);
  }
}

/**
 * Cuts off the room at the end of a file that nobody has closed, and what is worth nothing because not all before it has reached the disk.
 * Resolves with how many bytes of the latter there were. Rejects with the platform's error.
 */
export async function cutRoom(path: string): Promise<number> {
  const file = await open(path, 'r');
  let end: number;
  let size: number;
  try {
    ({ size } = await file.stat());
    const sector = await sectorOfRoom(file, size);
    if (sector === null) return 0;
    ({ end, size } = await writtenEnd(file, size, sector));
  } finally {
    await file.close();
  }
  const cut = await open(path, 'r+');
  try {
    await cut.truncate(end);
    await cut.sync();
  } finally {
    await cut.close();
  }
  return size - end;
}

/** A sector of the room that the file ends with; null without room. */
async function sectorOfRoom(file: FileHandle, size: number): Promise<Buffer | null> {
  if (size < SECTOR_BYTES || size % SECTOR_BYTES !== 0) return null;
  const line = await read(file, size - LINE_BYTES, LINE_BYTES);
  return LINE.test(line.latin1Slice()) ? Buffer.alloc(SECTOR_BYTES, line) : null;
}

/** Where what was written ends (`size`), and where that of it that is good does. */
async function writtenEnd(
  file: FileHandle,
  size: number,
  sector: Buffer,
): Promise<{ end: number; size: number }> {
  const from = Math.max(0, size - (size % ROOM_BYTES) - UNSYNCED_BYTES);
  const tail = await read(file, from, size - from);
  const isRoom = (at: number) => sector.compare(tail, at, at + SECTOR_BYTES) === 0;
  const known = sector.subarray(-KNOWN_BYTES);
  const endsAsRoom = (to: number) => known.compare(tail, to - KNOWN_BYTES, to) === 0;
  const endOf = (to: number) =>
    from + to - SECTOR_BYTES + endInSector(tail.subarray(to - SECTOR_BYTES, to), sector);
  let last = tail.length;
  while (last > SECTOR_BYTES && isRoom(last - SECTOR_BYTES)) last -= SECTOR_BYTES;
  let first = SECTOR_BYTES;
  while (first < last && !endsAsRoom(first)) first += SECTOR_BYTES;
  return { end: endOf(first), size: endOf(last) };
}

/** How much of a sector was written: all before the room that it ends with. */
function endInSector(written: Buffer, sector: Buffer): number {
  let last = SECTOR_BYTES - 1;
  while (last > 0 && written[last] === sector[last]) last--;
  if (written[last] === HASH) return last;
  // The end of a line of room may also be that of a command.
  return written[last] === CR && written[last + 1] === LF ? last + 2 : last + 1;
}

async function read(file: FileHandle, at: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(bytes);
  const { bytesRead } = await file.read(buffer, 0, bytes, at);
  return buffer.subarray(0, bytesRead);
}
