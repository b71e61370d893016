import { spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Random } from '../../../lib/base/index.ts';

const SOURCE = join(import.meta.dirname, 'synced-lengths.c');
const LIBRARY = join(tmpdir(), `ringside-synced-lengths-${process.pid}.so`);

/** Why power cuts are left out of a run. */
export const NO_COMPILER = 'no C compiler (cc): what fsync had not reached is not taken away';

let isBuilt: boolean | undefined;

/** Whether power cuts can be made here; builds what they need at the first call. */
export function canCutPower(): boolean {
  if (isBuilt === undefined) {
    isBuilt = spawnSync('cc', ['-shared', '-fPIC', '-O1', '-o', LIBRARY, SOURCE, '-ldl']).status === 0;
    process.once('exit', () => rmSync(LIBRARY, { force: true }));
  }
  return isBuilt;
}

const SECTOR_BYTES = 512;
const ROOM_LINE = /^#RS:room [0-9a-f]+\n$/;
const ROOM_LINE_BYTES = 64;

interface Range {
  readonly from: number;
  readonly to: number;
}

/** What a power cut took from one file. */
export interface Cut {
  readonly file: string;
  readonly from: number;
  readonly to: number;
}

/**
 * A folder as the disk has it: SIGKILL leaves what the kernel holds, so that it says nothing about fsync. This knows how far each file had
 * been synced, and takes away what comes behind that, or some of it, as a cut of the power does. Names (what fsync of a folder is for) stay.
 */
export class PowerCut {
  readonly #log: string;
  /** Bytes by inode that were there before the process, or that it has synced. */
  readonly #synced = new Map<string, number>();
  /** What has been written since then, by inode: of that within the length that the disk knows, any sector may be missing. */
  readonly #unsynced = new Map<string, Range[]>();
  readonly #folder: string;

  /** To be made before the server starts: what is in the folder by then is safe. */
  constructor(folder: string) {
    this.#folder = folder;
    this.#log = `${folder}.synced`;
    rmSync(this.#log, { force: true });
    for (const path of this.#files()) this.#note(path);
  }

  /** For the environment of the server. */
  get env(): NodeJS.ProcessEnv {
    return { LD_PRELOAD: LIBRARY, RINGSIDE_SYNCED_LENGTHS: this.#log };
  }

  #files(): string[] {
    const all = readdirSync(this.#folder, { recursive: true, withFileTypes: true });
    return all.filter((file) => file.isFile()).map((file) => join(file.parentPath, file.name));
  }

  #note(path: string): void {
    const { dev, ino, size } = statSync(path);
    this.#synced.set(`${dev} ${ino}`, size);
  }

  /** Cuts the files, once the process is gone: each to what was synced, or to somewhere behind it. */
  apply(random: Random): Cut[] {
    const lines = existsSync(this.#log) ? readFileSync(this.#log, 'latin1').trimEnd().split('\n') : [];
    for (const line of lines.filter(Boolean)) {
      const [, written, inode, from, to] = /^(written )?(\d+ \d+) (\d+) (\d+)$/.exec(line)!;
      if (written !== undefined) {
        const ranges = this.#unsynced.get(inode) ?? [];
        this.#unsynced.set(inode, [...ranges, { from: Number(from), to: Number(to) }]);
        continue;
      }
      this.#unsynced.delete(inode);
      const synced = this.#synced.get(inode) ?? 0;
      // A part behind what is not on the disk is of no use.
      if (Number(from) <= synced) this.#synced.set(inode, Math.max(Number(to), synced));
    }
    rmSync(this.#log, { force: true });
    return this.#files().flatMap((file) => {
      const { dev, ino, size } = statSync(file);
      const synced = Math.min(size, this.#synced.get(`${dev} ${ino}`) ?? 0);
      // Every second time nothing of it has reached the disk by itself.
      const to = synced + (random.int(2) === 0 ? 0 : random.int(size - synced + 1));
      if (to !== size) truncateSync(file, to);
      const within = this.#unsynced.get(`${dev} ${ino}`)?.filter((range) => range.to <= synced) ?? [];
      const hasHoles = within.length > 0 && takeSectors(file, aroundAll(within), random);
      return to === size && !hasHoles ? [] : [{ file, from: size, to }];
    });
  }
}

/** A disk has all of a sector or nothing, whoever wrote in it; writes follow one another. */
function aroundAll(ranges: readonly Range[]): Range {
  return {
    from: Math.min(...ranges.map(({ from }) => from)),
    to: Math.max(...ranges.map(({ to }) => to)),
  };
}

/** Puts sectors of a range that was written over the room of an AOF back as they were. Returns whether there were any. */
function takeSectors(file: string, { from, to }: Range, random: Random): boolean {
  const fd = openSync(file, 'r+');
  try {
    const line = Buffer.alloc(ROOM_LINE_BYTES);
    readSync(fd, line, 0, ROOM_LINE_BYTES, statSync(file).size - ROOM_LINE_BYTES);
    if (!ROOM_LINE.test(line.latin1Slice())) return false;
    const room = Buffer.alloc(SECTOR_BYTES, line);
    let isTaken = false;
    for (let sector = from - (from % SECTOR_BYTES); sector < to; sector += SECTOR_BYTES) {
      if (random.int(2) === 0) continue;
      isTaken = true;
      const start = Math.max(from, sector);
      writeSync(fd, room, start - sector, Math.min(to, sector + SECTOR_BYTES) - start, start);
      if (start === from) writeSync(fd, '#', from);
    }
    return isTaken;
  } finally {
    closeSync(fd);
  }
}
