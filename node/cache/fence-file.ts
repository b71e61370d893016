import {
  closeSync,
  fdatasyncSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { RingsideError } from '../../lib/base/index.ts';
import type { FenceJournal } from './fences.ts';

const FILE = 'fences.log';
/** The file is written anew when it has so many lines more than there are fences. */
const SURPLUS_LINES = 200_000;

/**
 * The floors of fences on disk: a line `["name","token",crc32]` for each rise, synced before the write that caused it is acknowledged; of several
 * lines of one name the highest counts. A last line without its end was never acknowledged and is left out.
 *
 * Writing blocks the process for one sync. That is on purpose: only a rise is written, which is one write of each holder of a lock, and
 * nothing may be acknowledged, in a transaction or out of one, before it is on disk.
 */
export class FenceFile implements FenceJournal {
  readonly #path: string;
  /** What is in the file. */
  readonly floors: Map<string, bigint>;
  #file = -1;
  #lines = 0;

  /** Opens or makes the file in `dir`. Throws RingsideError `config_invalid` when it is damaged or cannot be written. */
  constructor(dir: string) {
    this.#path = join(dir, FILE);
    try {
      mkdirSync(dir, { recursive: true });
      this.floors = readFloors(this.#path);
      this.#rewrite();
    } catch (error) {
      if (error instanceof RingsideError) throw error;
      throw new RingsideError('config_invalid', `${this.#path} cannot be used: ${error}`, { cause: error });
    }
  }

  append(name: string, token: bigint): void {
    writeSync(this.#file, lineOf(name, token));
    fdatasyncSync(this.#file);
    this.floors.set(name, token);
    if (++this.#lines > this.floors.size + SURPLUS_LINES) this.#rewrite();
  }

  close(): void {
    closeSync(this.#file);
  }

  /** Puts a file with one line a fence in the place of the former one, which is whole until then. */
  #rewrite(): void {
    const temporary = `${this.#path}.new`;
    const file = openSync(temporary, 'w', 0o644);
    let text = '';
    for (const [name, token] of this.floors) text += lineOf(name, token);
    writeAll(file, text);
    fsyncSync(file);
    renameSync(temporary, this.#path);
    syncFolder(dirname(this.#path));
    if (this.#file >= 0) closeSync(this.#file);
    this.#file = file;
    this.#lines = this.floors.size;
  }
}

function lineOf(name: string, token: bigint): string {
  return `${JSON.stringify([name, String(token), checksum(name, token)])}\n`;
}

/** A floor that was changed on disk must not pass for one that was written: a lower one would let an old holder write again. */
function checksum(name: string, token: bigint): number {
  return crc32(`${token} ${name}`);
}

function writeAll(file: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}

function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

function readFloors(path: string): Map<string, bigint> {
  const floors = new Map<string, bigint>();
  const lines = readIfThere(path).split('\n');
  // Behind the last line end: nothing, or a line that was cut off.
  lines.pop();
  for (const [i, line] of lines.entries()) {
    const entry = parseLine(line);
    if (entry === null) throw new RingsideError('config_invalid', `${path} is damaged in line ${i + 1}`);
    const [name, token] = entry;
    if (token > (floors.get(name) ?? -1n)) floors.set(name, token);
  }
  return floors;
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

function parseLine(line: string): [string, bigint] | null {
  try {
    const [name, text, sum] = JSON.parse(line) as [unknown, unknown, unknown];
    if (typeof name !== 'string' || typeof text !== 'string' || !/^\d{1,20}$/.test(text)) return null;
    const token = BigInt(text);
    return sum === checksum(name, token) ? [name, token] : null;
  } catch {
    return null;
  }
}
