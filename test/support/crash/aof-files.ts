import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../../../lib/base/index.ts';
import { JOURNAL } from './writer.ts';

const FOLDER = 'appendonlydir';
const FILE = 'appendonly.aof';
const NEWLINE = 0x0a;
const MOST_TORN_BYTES = 600;

/** A part of an AOF that is to be loaded. */
export interface Part {
  readonly path: string;
  readonly type: 'base' | 'incr';
}

/** Path of the manifest. */
export const manifestOf = (dir: string): string => join(dir, FOLDER, `${FILE}.manifest`);

/** The parts in the order in which they are loaded. */
export function partsOf(dir: string): Part[] {
  const text = readFileSync(manifestOf(dir), 'utf8');
  const files = [...text.matchAll(/^file (\S+) seq \d+ type ([bi])/gm)];
  return files.map(([, name, type]) => ({
    path: join(dir, FOLDER, name),
    type: type === 'b' ? 'base' : 'incr',
  }));
}

/** A whole command in a file. */
interface Frame {
  readonly at: number;
  readonly end: number;
  readonly words: readonly string[];
  /** Where the `*` and each `$` are. */
  readonly marks: readonly number[];
}

/** The whole commands of an incr file; ends at the first that is not whole. */
export function framesOf(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length; ) {
    const frame = frameAt(bytes, at);
    if (frame === null) break;
    if (frame.words.length > 0) frames.push(frame);
    at = frame.end;
  }
  return frames;
}

function frameAt(bytes: Buffer, at: number): Frame | null {
  const lineEnd = (from: number) => bytes.indexOf(NEWLINE, from);
  let next = lineEnd(at);
  if (next < 0) return null;
  // An annotation.
  if (bytes[at] === 0x23) return { at, end: next + 1, words: [], marks: [] };
  const words: string[] = [];
  const marks = [at];
  for (let left = Number(bytes.latin1Slice(at + 1, next)); left > 0; left--) {
    marks.push(next + 1);
    const header = next;
    next = lineEnd(header + 1);
    if (next < 0) return null;
    const end = next + 1 + Number(bytes.latin1Slice(header + 2, next));
    if (end + 2 > bytes.length) return null;
    words.push(bytes.latin1Slice(next + 1, end));
    next = end + 1;
  }
  return { at, end: next + 1, words, marks };
}

/** What can be loaded of a torn file: how far, and the last line it puts into the journal. */
export function whatIsWhole(bytes: Buffer): { end: number; lastLine: string | undefined } {
  let isOpen = false;
  let end = 0;
  let lastLine: string | undefined;
  let lastOpen: string | undefined;
  for (const { words, end: frameEnd } of framesOf(bytes)) {
    const name = words[0].toUpperCase();
    if (name === 'RPUSH' && words[1] === JOURNAL) lastOpen = words[2];
    if (name === 'MULTI') isOpen = true;
    if (name === 'EXEC') isOpen = false;
    if (isOpen) continue;
    end = frameEnd;
    lastLine = lastOpen;
  }
  return { end, lastLine };
}

/** What was done to a file, and the way back. */
export interface Injury {
  readonly what: string;
  readonly path: string;
  undo(): void;
}

function injure(path: string, what: string, change: (bytes: Buffer) => void): Injury {
  const bytes = readFileSync(path);
  change(Buffer.from(bytes));
  return { what: `${what} of ${path}`, path, undo: () => writeFileSync(path, bytes) };
}

/** Takes some bytes from the end. */
export function tear(path: string, random: Random): Injury {
  return injure(path, 'tail', (bytes) => {
    const most = Math.min(bytes.length, MOST_TORN_BYTES);
    if (most > 0) truncateSync(path, bytes.length - 1 - random.int(most));
  });
}

/** As `tear`, in the middle of a command or of a transaction; null where that does not come about. */
export function tearWithin(path: string, random: Random): Injury | null {
  const injury = tear(path, random);
  const bytes = readFileSync(path);
  if (whatIsWhole(bytes).end < bytes.length) return injury;
  injury.undo();
  return null;
}

/** Flips a bit of any byte behind the first `from`. */
export function flipAny(path: string, from: number, random: Random): Injury {
  return injure(path, 'a byte', (bytes) => {
    bytes[from + random.int(bytes.length - from)] ^= 1 << random.int(8);
    writeFileSync(path, bytes);
  });
}

/** Flips a bit of a byte that says where a command or an argument begins: nothing else of an incr file would be noticed. Null without commands. */
export function flipMark(path: string, random: Random): Injury | null {
  const frames = framesOf(readFileSync(path));
  if (frames.length < 2) return null;
  const { marks } = frames[random.int(frames.length - 1)];
  const at = marks[random.int(marks.length)];
  return injure(path, `the mark at ${at}`, (bytes) => {
    bytes[at] ^= 1 << (4 + random.int(4));
    writeFileSync(path, bytes);
  });
}

/** Puts one write behind the next of another connection: what a server that reorders would leave. */
export function swapTwo(path: string): Injury {
  return injure(path, 'the order', (bytes) => {
    const lines = framesOf(bytes).filter(({ words }) => words[0] === 'RPUSH' && words[1] === JOURNAL);
    const i = lines.findIndex(
      ({ words }, at) => at > lines.length / 2 && lines[at + 1]?.words[2] !== words[2],
    );
    const [a, b] = [lines[i], lines[i + 1]];
    const part = (from: number, to: number) => bytes.subarray(from, to);
    const swapped = [
      part(0, a.at),
      part(b.at, b.end),
      part(a.end, b.at),
      part(a.at, a.end),
      part(b.end, bytes.length),
    ];
    writeFileSync(path, Buffer.concat(swapped));
  });
}

/** Changes a letter of a value that is added to a hash. */
export function falsify(path: string): Injury {
  return injure(path, 'a value', (bytes) => {
    const last = framesOf(bytes).findLast(({ words }) => words[0] === 'HSET')!;
    bytes[last.end - 3] ^= 1;
    writeFileSync(path, bytes);
  });
}

/** Removes the file. */
export function remove(path: string): Injury {
  return injure(path, 'all', () => rmSync(path));
}
