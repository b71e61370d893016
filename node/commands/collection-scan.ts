import { matchesGlob } from '../../lib/base/index.ts';
import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import type { Keyspace } from '../keyspace.ts';
import type { Slot, ValueType } from '../store/index.ts';
import { type CommandHandler, NOT_AN_INTEGER, SYNTAX_ERROR } from './command.ts';
import { readAs } from './lookup.ts';

const MAX_CURSOR = 2n ** 64n - 1n;
/** What strtoul reads, since Redis reads cursors with it. */
const CURSOR = /^[+-]?[0-9]{1,20}$/;

interface ScanOptions {
  /** Where to begin: what the call before gave back, or 0. */
  readonly cursor: number;
  /** About so many elements. */
  count: number;
  /** Null for all. */
  pattern: string | null;
}

/** Whether a field or member is asked for; who asks answers it right after. */
export type IsWanted = (buffer: Buffer, start: number, end: number) => boolean;

/** Scans the collection of an entry, answers what is wanted, and returns where to go on. */
export type ScanStep = (
  keyspace: Keyspace,
  slot: Slot,
  options: Readonly<ScanOptions>,
  isWanted: IsWanted,
  reply: RespWriter,
) => number;

/** Handles HSCAN, SSCAN or ZSCAN: `key cursor [MATCH pattern] [COUNT count]`. `perElement`: how many replies one element has. */
export function scanCollection(type: ValueType, perElement: 1 | 2, step: ScanStep): CommandHandler {
  return (context, args, reply) => {
    const cursor = parseCursor(args.latin1(2));
    if (cursor === null) return reply.error('ERR invalid cursor');
    const slot = readAs(type, context, args, reply, nothingFound);
    if (slot === 0) return;
    const options = parseOptions(args, cursor);
    if (typeof options === 'string') return reply.error(options);
    const { pattern } = options;
    const offset = reply.length;
    let found = 0;
    const isWanted: IsWanted = (buffer, start, end) => {
      const matches = pattern === null || matchesGlob(pattern, buffer.latin1Slice(start, end));
      if (matches) found += perElement;
      return matches;
    };
    const next = step(context.keyspace, slot, options, isWanted, reply);
    reply.insertAt(offset, () => header(next, found, reply));
  };
}

function nothingFound(reply: RespWriter): void {
  header(0, 0, reply);
}

function header(cursor: number, elements: number, reply: RespWriter): void {
  reply.arrayHeader(2);
  reply.bulkLatin1(String(cursor));
  reply.arrayHeader(elements);
}

/** The lower 32 bits of a cursor, all that ours have; null when it is none. */
export function parseCursor(text: string): number | null {
  if (text === '') return 0;
  if (!CURSOR.test(text)) return null;
  const cursor = BigInt(text.replace('+', ''));
  return cursor > MAX_CURSOR || cursor < -MAX_CURSOR ? null : Number(cursor & 0xffffffffn);
}

/** The options from argument 3 on, or the text of an error. */
function parseOptions(args: Args, cursor: number): ScanOptions | string {
  const options: ScanOptions = { cursor, count: 10, pattern: null };
  for (let i = 3; i < args.count; i += 2) {
    if (i + 1 === args.count) return SYNTAX_ERROR;
    if (args.equalsIgnoreCase(i, 'COUNT')) {
      const count = args.bigint(i + 1);
      if (count === null) return NOT_AN_INTEGER;
      if (count < 1n) return SYNTAX_ERROR;
      options.count = Number(count);
    } else if (args.equalsIgnoreCase(i, 'MATCH')) {
      const pattern = args.latin1(i + 1);
      options.pattern = pattern === '*' ? null : pattern;
    } else {
      return SYNTAX_ERROR;
    }
  }
  return options;
}
