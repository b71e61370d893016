import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import { STRING } from '../store/index.ts';
import { type CommandContext, type CommandHandlers, NOT_AN_INTEGER, SYNTAX_ERROR } from './command.ts';
import { longOf } from './lookup.ts';
import { maxStringBytes } from './string-edits.ts';

interface LcsOptions {
  idx: boolean;
  len: boolean;
  withMatchLen: boolean;
  minMatchLength: number;
}

/** A run of equal bytes: where it begins in both strings. */
interface Match {
  readonly a: number;
  readonly b: number;
  readonly length: number;
}

function parseOptions(args: Args): LcsOptions | string {
  const options: LcsOptions = { idx: false, len: false, withMatchLen: false, minMatchLength: 0 };
  for (let i = 3; i < args.count; i++) {
    if (args.equalsIgnoreCase(i, 'IDX')) options.idx = true;
    else if (args.equalsIgnoreCase(i, 'LEN')) options.len = true;
    else if (args.equalsIgnoreCase(i, 'WITHMATCHLEN')) options.withMatchLen = true;
    else if (args.equalsIgnoreCase(i, 'MINMATCHLEN') && i + 1 < args.count) {
      const length = longOf(args, ++i);
      if (length === null) return NOT_AN_INTEGER;
      options.minMatchLength = length;
    } else return SYNTAX_ERROR;
  }
  if (!options.len || !options.idx) return options;
  return 'ERR If you want both the length and indexes, please just use IDX.';
}

/** Lengths of the longest common subsequence of all pairs of prefixes, row by row of `a`; the usual dynamic program. */
function lengthsOf(a: Buffer, b: Buffer): Uint32Array {
  const width = b.length + 1;
  const lengths = new Uint32Array((a.length + 1) * width);
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1, at = i * width + 1; j <= b.length; j++, at++) {
      lengths[at] =
        a[i - 1] === b[j - 1] ? lengths[at - width - 1] + 1 : Math.max(lengths[at - width], lengths[at - 1]);
    }
  }
  return lengths;
}

/** Goes back through the table: the subsequence, and its runs from the last to the first. */
function trace(a: Buffer, b: Buffer, lengths: Uint32Array): { text: Buffer; matches: Match[] } {
  const width = b.length + 1;
  let left = lengths[lengths.length - 1];
  const text = Buffer.allocUnsafe(left);
  const matches: Match[] = [];
  let run = 0;
  let i = a.length;
  let j = b.length;
  const endRun = () => {
    if (run > 0) matches.push({ a: i, b: j, length: run });
    run = 0;
  };
  while (i > 0 && j > 0) {
    if (a[i - 1] === b[j - 1]) {
      text[--left] = a[--i];
      j--;
      run++;
      continue;
    }
    endRun();
    if (lengths[(i - 1) * width + j] > lengths[i * width + j - 1]) i--;
    else j--;
  }
  endRun();
  return { text, matches };
}

function replyMatches(
  matches: readonly Match[],
  length: number,
  { minMatchLength, withMatchLen }: LcsOptions,
  reply: RespWriter,
): void {
  const wanted = matches.filter((match) => match.length >= minMatchLength);
  reply.mapHeader(2);
  reply.bulkLatin1('matches');
  reply.arrayHeader(wanted.length);
  for (const match of wanted) {
    reply.arrayHeader(withMatchLen ? 3 : 2);
    for (const start of [match.a, match.b]) {
      reply.arrayHeader(2);
      reply.integer(start);
      reply.integer(start + match.length - 1);
    }
    if (withMatchLen) reply.integer(match.length);
  }
  reply.bulkLatin1('len');
  reply.integer(length);
}

/** A copy of the string at argument `i`, empty without one; null when something else is there. */
function stringAt({ keyspace }: CommandContext, args: Args, i: number): Buffer | null {
  const slot = keyspace.read(args.buffer, args.start(i), args.end(i));
  if (slot === 0) return Buffer.alloc(0);
  if (keyspace.store.typeOf(slot) !== STRING) return null;
  const value = Buffer.allocUnsafe(keyspace.store.length(slot));
  keyspace.store.copyValue(slot, value, 0);
  return value;
}

function lcs(context: CommandContext, args: Args, reply: RespWriter) {
  const a = stringAt(context, args, 1);
  const b = stringAt(context, args, 2);
  if (a === null || b === null) return reply.error('ERR The specified keys must contain string values');
  const options = parseOptions(args);
  if (typeof options === 'string') return reply.error(options);
  const tableBytes = (a.length + 1) * (b.length + 1) * Uint32Array.BYTES_PER_ELEMENT;
  if (tableBytes > maxStringBytes(context)) {
    return reply.error('ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len');
  }
  const lengths = lengthsOf(a, b);
  const length = lengths[lengths.length - 1];
  if (options.len) return reply.integer(length);
  const { text, matches } = trace(a, b, lengths);
  if (options.idx) replyMatches(matches, length, options, reply);
  else reply.bulk(text);
}

/** The longest common subsequence of two strings. */
export const lcsCommands: CommandHandlers = { LCS: lcs };
