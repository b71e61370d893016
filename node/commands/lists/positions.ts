import type { Args, RespWriter } from '../../../lib/codec/resp/index.ts';
import { LIST } from '../../store/index.ts';
import { ListValue } from '../../values/index.ts';
import { type CommandContext, type CommandHandlers, NOT_AN_INTEGER, SYNTAX_ERROR } from '../command.ts';
import { bytesEqual, emptyArray, longOf, noValue, readAs } from '../lookup.ts';

const ZERO_RANK =
  "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... " +
  'or use negative to start from the end of the list';

/** What LPOS looks for. */
interface Search {
  /** Matches from this one on count, from 1. */
  rank: number;
  fromTail: boolean;
  /** Matches wanted, 0 for all of them; -1 when one position was asked for, not an array. */
  count: number;
  /** Elements looked at, 0 for all. */
  maxLength: number;
}

/** The options from argument 3 on, or the text of an error. */
function parseSearch(args: Args): Search | string {
  const search: Search = { rank: 1, fromTail: false, count: -1, maxLength: 0 };
  for (let i = 3; i < args.count; i += 2) {
    const value = i + 1 < args.count ? longOf(args, i + 1) : undefined;
    if (value === undefined) return SYNTAX_ERROR;
    if (args.equalsIgnoreCase(i, 'RANK')) {
      if (value === null) return NOT_AN_INTEGER;
      if (value === 0) return ZERO_RANK;
      search.rank = Math.abs(value);
      search.fromTail = value < 0;
    } else if (args.equalsIgnoreCase(i, 'COUNT')) {
      if (value === null || value < 0) return "ERR COUNT can't be negative";
      search.count = value;
    } else if (args.equalsIgnoreCase(i, 'MAXLEN')) {
      if (value === null || value < 0) return "ERR MAXLEN can't be negative";
      search.maxLength = value;
    } else {
      return SYNTAX_ERROR;
    }
  }
  return search;
}

/** Calls `found` with the index of each match, as long as it returns true. */
function searchList(list: ListValue, search: Search, args: Args, found: (index: number) => boolean): void {
  const { fromTail, rank } = search;
  let left = search.maxLength === 0 ? list.size : search.maxLength;
  let matches = 0;
  const [wanted, from, to] = [args.buffer, args.start(2), args.end(2)];
  list.walk(fromTail ? list.size - 1 : 0, fromTail, (buffer, start, end, index) => {
    const isWanted = bytesEqual(buffer, start, end, wanted, from, to) && ++matches >= rank;
    if (isWanted && !found(index)) return false;
    return --left > 0;
  });
}

function positions(context: CommandContext, args: Args, reply: RespWriter) {
  const search = parseSearch(args);
  if (typeof search === 'string') return reply.error(search);
  const { count } = search;
  const slot = readAs(LIST, context, args, reply, count < 0 ? noValue : emptyArray);
  if (slot === 0) return;
  const offset = reply.length;
  let found = 0;
  searchList(ListValue.open(context.keyspace, slot), search, args, (index) => {
    reply.integer(index);
    found++;
    return count >= 0 && found !== count;
  });
  if (count >= 0) reply.insertAt(offset, () => reply.arrayHeader(found));
  else if (found === 0) reply.nullBulk();
}

/** The search in a list. */
export const listPositionCommands: CommandHandlers = { LPOS: positions };
