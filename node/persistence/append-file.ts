import fs from 'node:fs';
import { promisify } from 'node:util';
import { errorCode } from '../../lib/net/index.ts';
import { type AofRoom, LEFT_BYTES, MOST_ROOMY_BYTES, ROOM_START } from './aof-room.ts';

const openFile = promisify(fs.open);
const writeParts = promisify(fs.writev);
const syncData = promisify(fs.fdatasync);
const truncateTo = promisify(fs.ftruncate);
const closeFile = promisify(fs.close);
const statOf = promisify(fs.fstat);

/** How the C library calls what goes wrong with files: people, and tools, look for its words. */
const reasons: ReadonlyMap<string, string> = new Map([
  ['ENOSPC', 'No space left on device'],
  ['EIO', 'Input/output error'],
  ['EFBIG', 'File too large'],
  ['EDQUOT', 'Disk quota exceeded'],
  ['EROFS', 'Read-only file system'],
  ['EBADF', 'Bad file descriptor'],
  ['EACCES', 'Permission denied'],
  ['ENOENT', 'No such file or directory'],
  ['EMFILE', 'Too many open files'],
]);

/** The platform's error in the words of the C library. */
export function reasonOf(error: unknown): string {
  return reasons.get(errorCode(error)) ?? (error instanceof Error ? error.message : String(error));
}

/** A file that grows at its end. Methods reject with the platform's error. */
export interface GrowingFile {
  readonly path: string;
  /** Bytes that have been written whole. */
  readonly size: number;
  /** What room ahead of the end is made of from the next write on, for the sake of syncs; null: there is to be none. */
  room: AofRoom | null;
  /** Appends the parts, in order; all of them or nothing. Nobody may change them meanwhile. */
  write(parts: readonly Buffer[]): Promise<void>;
  /** Puts what has been written on the disk for good. */
  sync(): Promise<void>;
  /** As `write`, within this call. Nothing else may be under way. Throws the platform's error. */
  writeNow(parts: readonly Buffer[]): void;
  /** As `sync`, within this call. */
  syncNow(): void;
  /** Forgets what stands behind `size`. What cannot be cut off will be written over. */
  cutTo(size: number): Promise<void>;
  close(): Promise<void>;
}

/** One write. */
interface Layout {
  /** What is written, with what makes room behind it. */
  readonly parts: readonly Buffer[];
  /** Where what is to be kept ends. */
  readonly end: number;
  /** Where room ends; 0 when there is none. */
  readonly roomEnd: number;
}

/** Does one thing at a time; what returns a promise is done outside the event loop. */
export class AppendFile implements GrowingFile {
  readonly path: string;
  readonly #fd: number;
  size: number;
  room: AofRoom | null = null;
  #roomEnd = 0;
  /** The disk had no place for room. */
  #isTight = false;

  private constructor(path: string, fd: number, size: number) {
    this.path = path;
    this.#fd = fd;
    this.size = size;
  }

  /** Begins an empty file, whatever is there. */
  static async create(path: string): Promise<AppendFile> {
    return new AppendFile(path, await openFile(path, 'w', 0o644), 0);
  }

  /** Goes on at the end of a file that is there. */
  static async open(path: string): Promise<AppendFile> {
    const fd = await openFile(path, 'r+');
    try {
      return new AppendFile(path, fd, (await statOf(fd)).size);
    } catch (error) {
      await closeFile(fd);
      throw error;
    }
  }

  async write(parts: readonly Buffer[]): Promise<void> {
    const layout = this.#layOut(parts);
    let rest = layout.parts;
    let at = this.size;
    try {
      if (this.#losesRoom(layout)) await truncateTo(this.#fd, this.size);
      while (rest.length > 0) {
        const { bytesWritten } = await writeParts(this.#fd, rest, at);
        at += bytesWritten;
        rest = behind(rest, bytesWritten);
      }
    } catch (error) {
      await this.cutTo(at < layout.end ? this.size : layout.end);
      if (at < layout.end) throw error;
      this.#isTight = true;
      return;
    }
    this.#wrote(layout);
  }

  /** Where there is room, what is written goes there; else it brings some. */
  #layOut(parts: readonly Buffer[]): Layout {
    const bytes = parts.reduce((sum, { length }) => sum + length, 0);
    const dataEnd = this.size + bytes;
    const { room } = this;
    if (room === null || this.#isTight || bytes > MOST_ROOMY_BYTES)
      return { parts, end: dataEnd, roomEnd: 0 };
    const comment = room.comment(dataEnd);
    const end = dataEnd + comment.length;
    const all = [...parts, comment, ROOM_START];
    if (end + LEFT_BYTES <= this.#roomEnd) return { parts: all, end, roomEnd: this.#roomEnd };
    const more = room.from(end + ROOM_START.length);
    return { parts: [...all, more], end, roomEnd: end + ROOM_START.length + more.length };
  }

  /** What comes would begin in room and end behind it: neither its size nor its bytes would tell what of it has reached the disk. */
  #losesRoom({ roomEnd }: Layout): boolean {
    return this.#roomEnd > 0 && this.#roomEnd !== roomEnd;
  }

  #wrote({ end, roomEnd }: Layout): void {
    this.size = end;
    this.#roomEnd = roomEnd;
  }

  sync(): Promise<void> {
    return syncData(this.#fd);
  }

  writeNow(parts: readonly Buffer[]): void {
    const layout = this.#layOut(parts);
    let rest = layout.parts;
    let at = this.size;
    try {
      if (this.#losesRoom(layout)) fs.ftruncateSync(this.#fd, this.size);
      while (rest.length > 0) {
        const bytesWritten = fs.writevSync(this.#fd, rest, at);
        at += bytesWritten;
        rest = behind(rest, bytesWritten);
      }
    } catch (error) {
      this.#roomEnd = 0;
      const isWhole = at >= layout.end;
      if (isWhole) this.size = layout.end;
      tryTo(() => fs.ftruncateSync(this.#fd, this.size));
      if (!isWhole) throw error;
      this.#isTight = true;
      return;
    }
    this.#wrote(layout);
  }

  syncNow(): void {
    fs.fdatasyncSync(this.#fd);
  }

  async cutTo(size: number): Promise<void> {
    this.size = size;
    this.#roomEnd = 0;
    await truncateTo(this.#fd, size).catch(() => {});
  }

  async close(): Promise<void> {
    if (this.#roomEnd > 0) await this.cutTo(this.size);
    await closeFile(this.#fd);
  }
}

function tryTo(act: () => void): void {
  try {
    act();
  } catch {
    // As with `cutTo`: what cannot be cut off will be written over.
  }
}

/** What is left of the parts behind their first `bytes`. */
function behind(parts: readonly Buffer[], bytes: number): Buffer[] {
  let skipped = bytes;
  let i = 0;
  while (i < parts.length && skipped >= parts[i].length) skipped -= parts[i++].length;
  if (i === parts.length) return [];
  return [parts[i].subarray(skipped), ...parts.slice(i + 1)];
}
