import { copyWords, MOST_WORD_BYTES, RecentViews, viewOf } from '../../lib/base/index.ts';
import { replyLineEnd, skipBulk, skipReply } from '../../lib/codec/resp/index.ts';
import { errorText, isErrorReply, plainError } from './frames.ts';
import { type AnsweredPart, countOf, sumOfIntegers } from './gather.ts';
import type { KeySplit } from './key-split.ts';
import type { Request } from './request.ts';
import { Slab } from './slab.ts';
import { ValueMerger } from './value-merger.ts';

/** Answers a command whose keys were split, of the replies to its parts. `name` is upper-case, for errors. */
export type MergeKeys = (
  split: KeySplit,
  parts: readonly AnsweredPart[],
  command: Request,
  name: string,
) => void;

/** Values of this size on average are passed on as they lie, smaller ones are copied together. */
const PASSED_ON_BYTES = 8 * 1024;

const slab = new Slab();
const merger = new ValueMerger();
/** How far the reply of each part has been used, and views of where they lie; of one merge at a time. */
const cursors: number[] = [];
const sources: DataView[] = [];
const targets = new RecentViews();

/** MGET: the values in the order of the keys, or one error that names the shards and keys that failed. */
export const mergeValues: MergeKeys = (split, parts, command, name) => {
  if (parts.some(isFailed)) {
    const rest = 'the other keys were read, but their values are not returned';
    command.answerWith(partialFailure(split, parts, name, rest));
    return;
  }
  const bytes = openParts(parts, split.counts, name);
  const header = `*${split.keyCount}\r\n`;
  if (bytes >= PASSED_ON_BYTES * split.keyCount) passOn(split, parts, command, header, bytes);
  else {
    const merged = copyTogether(split.owners, split.keyCount, parts, header, bytes);
    command.answer(merged.bytes, merged.start, merged.end);
  }
};

/** A range of bytes. */
export interface Range {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/**
 * The values that parts of an MGET brought, one behind the other in the order of the keys, which `owners` tells the parts of, by position. `counts`: how many keys each part
 * has. Throws when a part brought something else. The parts have not failed.
 */
export function valuesInOrder(
  owners: Uint16Array,
  parts: readonly AnsweredPart[],
  counts: readonly number[],
): Range {
  const bytes = openParts(parts, counts, 'MGET');
  if (parts.length > 1) return copyTogether(owners, owners.length, parts, '', bytes);
  const { reply } = parts[0];
  return { bytes: reply.bytes, start: cursors[0], end: reply.end };
}

/** Sets `cursors` to the first element of each part. Returns the bytes of all elements. */
function openParts(parts: readonly AnsweredPart[], counts: readonly number[], name: string): number {
  let bytes = 0;
  for (let part = 0; part < parts.length; part++) {
    const { reply, route } = parts[part];
    if (countOf(parts[part]) !== counts[part])
      throw new Error(`shard ${route.name} answered ${name} with other values`);
    cursors[part] = replyLineEnd(reply.bytes, reply.start);
    bytes += reply.end - cursors[part];
  }
  return bytes;
}

function copyTogether(
  owners: Uint16Array,
  keyCount: number,
  parts: readonly AnsweredPart[],
  header: string,
  bytes: number,
): Range {
  const start = slab.reserve(header.length + bytes);
  const merged = slab.bytes;
  if (merger.suits(keyCount, parts.length, bytes)) {
    const first = start + merged.latin1Write(header, start);
    if (merger.merge(owners, keyCount, parts, cursors, merged, first))
      return { bytes: merged, start, end: first + bytes };
  }
  const target = targets.of(merged);
  for (let part = 0; part < parts.length; part++) sources[part] = viewOf(parts[part].reply.bytes);
  let at = start + merged.latin1Write(header, start);
  for (let i = 0; i < keyCount; i++) {
    const owner = owners[i];
    const source = sources[owner];
    const from = cursors[owner];
    const to = skipBulk(source, from);
    if (to - from <= MOST_WORD_BYTES && to > 0) {
      cursors[owner] = to;
      copyWords(source, from, to - from, target, at);
      at += to - from;
    } else {
      const { bytes: whole } = parts[owner].reply;
      cursors[owner] = skipReply(whole, from);
      at += whole.copy(merged, at, from, cursors[owner]);
    }
  }
  sources.length = 0;
  return { bytes: merged, start, end: at };
}

function passOn(
  { owners, keyCount }: KeySplit,
  parts: readonly AnsweredPart[],
  command: Request,
  header: string,
  bytes: number,
): void {
  const pieces: Buffer[] = [];
  for (let i = 0; i < keyCount; i++) {
    const owner = owners[i];
    const source = parts[owner].reply.bytes;
    const from = cursors[owner];
    cursors[owner] = skipReply(source, from);
    pieces.push(source.subarray(from, cursors[owner]));
  }
  command.answerInPieces(Buffer.from(header), 0, header.length, pieces, bytes);
}

/** DEL, EXISTS and their like: the sum, or an error that says how much was done and which keys failed. */
export const mergeSums: MergeKeys = (split, parts, command, name) => {
  const sum = sumOfIntegers(parts);
  if (!parts.some(isFailed)) {
    command.answerWith(Buffer.from(`:${sum}\r\n`));
    return;
  }
  const done = split.keyCount - countFailed(split, parts);
  const rest = `done for the other ${done} keys, with the result ${sum}`;
  command.answerWith(partialFailure(split, parts, name, rest));
};

const OK = Buffer.from('+OK\r\n');

/** MSET: OK, or an error that says which keys were written and which were not. */
export const mergeOks: MergeKeys = (split, parts, command, name) => {
  if (!parts.some(isFailed)) {
    command.answerWith(OK);
    return;
  }
  const written = split.keyCount - countFailed(split, parts);
  command.answerWith(partialFailure(split, parts, name, `the other ${written} keys were written`));
};

function isFailed({ reply }: AnsweredPart): boolean {
  return isErrorReply(reply.bytes, reply.start);
}

function countFailed({ counts }: KeySplit, parts: readonly AnsweredPart[]): number {
  return parts.reduce((sum, part, place) => sum + (isFailed(part) ? counts[place] : 0), 0);
}

/** At most this many keys are named, by their place in the command (1 is the first). */
const NAMED_KEYS = 20;

/**
 * The code is that of the first failure, but UNKNOWN if the outcome of any part is: then the client must not believe that nothing
 * happened to those keys.
 */
function partialFailure(split: KeySplit, parts: readonly AnsweredPart[], name: string, rest: string): Buffer {
  let code = '';
  const details: string[] = [];
  for (const [place, part] of parts.entries()) {
    if (!isFailed(part)) continue;
    const { bytes, start, end } = part.reply;
    const error = errorText(bytes, start, end);
    if (error.startsWith('UNKNOWN ')) code = 'UNKNOWN write outcome unknown:';
    else if (code === '') code = error.split(' ', 1)[0];
    details.push(`shard ${part.route.name} (keys ${keysOf(split, place)}): ${error}`);
  }
  const failed = countFailed(split, parts);
  return plainError(
    `${code} ${name} failed for ${failed} of ${split.keyCount} keys: ${details.join('; ')}; ${rest}`,
  );
}

function keysOf({ owners, keyCount, counts }: KeySplit, place: number): string {
  const named: number[] = [];
  for (let i = 0; i < keyCount && named.length < NAMED_KEYS; i++) if (owners[i] === place) named.push(i + 1);
  return named.join(', ') + (counts[place] > NAMED_KEYS ? ', …' : '');
}
