import type { User } from '../../lib/acl/index.ts';
import { RingsideError } from '../../lib/base/index.ts';
import { argsOf } from '../../lib/codec/resp/index.ts';
import { commandTable } from '../../lib/commands/index.ts';
import { decodeKey, type MemcachedKey } from './key.ts';
import { type MemcachedParser, wordText } from './protocol/index.ts';

/** The commands of Redis that a user must be allowed for those of memcached, and which word the first key is. */
const NEEDED: Readonly<Record<string, readonly [command: string, firstKey: number]>> = {
  get: ['MGET', 1],
  bget: ['MGET', 1],
  gets: ['MGET', 1],
  gat: ['GETEX', 2],
  gats: ['GETEX', 2],
  touch: ['EXPIRE', 1],
  set: ['SET', 1],
  add: ['SET', 1],
  replace: ['SET', 1],
  cas: ['SET', 1],
  append: ['APPEND', 1],
  prepend: ['APPEND', 1],
  delete: ['DEL', 1],
  incr: ['INCRBY', 1],
  decr: ['INCRBY', 1],
  mg: ['GET', 1],
  me: ['GET', 1],
  ms: ['SET', 1],
  md: ['DEL', 1],
  ma: ['INCRBY', 1],
  flush_all: ['FLUSHDB', 0],
  stats: ['INFO', 0],
};
/** Of these every word from the first key on is one. */
const MANY = new Set(['MGET', 'GETEX']);
/** These have something behind the key. */
const PAIRED = new Set(['SET', 'APPEND', 'EXPIRE', 'INCRBY']);

/** The words of a command that are keys, and whether it changes them; null: it has none. */
export interface KeyWords {
  readonly isWrite: boolean;
  readonly first: number;
  readonly last: number;
}

export function keyWordsOf(parser: MemcachedParser): KeyWords | null {
  const name = parser.count === 0 ? '' : wordText(parser, 0);
  const [command, first] = Object.hasOwn(NEEDED, name) ? NEEDED[name] : ['', 0];
  if (first === 0 || first >= parser.count) return null;
  const { isWrite } = commandTable.get(command)!;
  return { isWrite, first, last: MANY.has(command) ? parser.count - 1 : first };
}

/** The line that refuses the command in `parser`; null when the user may run it. */
export function refusalFor(user: User, parser: MemcachedParser): string | null {
  if (user.isUnlimited || parser.count === 0) return null;
  const name = wordText(parser, 0);
  const needed = Object.hasOwn(NEEDED, name) ? NEEDED[name] : null;
  if (needed === null) return null;
  const [command, firstKey] = needed;
  const isTouching = name === 'mg' && hasWord(parser, 'T');
  const spec = commandTable.get(isTouching ? 'GETEX' : command)!;
  const last = MANY.has(command) ? parser.count - 1 : firstKey;
  for (let i = firstKey; i <= last && i < parser.count; i++) {
    const key = keyAt(parser, i, name);
    const operand = PAIRED.has(spec.word) ? ['0'] : [];
    const denial = user.denies(spec, argsOf(spec.word, ...(firstKey === 0 ? [] : [key, ...operand])));
    if (denial === null) continue;
    const what = denial.kind === 'command' ? `run ${name}` : `use this ${denial.kind}`;
    return new RingsideError('forbidden', `the user ${user.name} may not ${what}`).toMemcached();
  }
  return null;
}

/** The first key of the command in `parser`, as a view; null when it has none. */
export function firstKeyOf(parser: MemcachedParser): Buffer | null {
  const name = parser.count === 0 ? '' : wordText(parser, 0);
  const at = Object.hasOwn(NEEDED, name) ? NEEDED[name][1] : 0;
  return at === 0 || at >= parser.count ? null : keyAt(parser, at, name);
}

function keyAt(parser: MemcachedParser, i: number, name: string): Buffer {
  const given: MemcachedKey = { buffer: parser.buffer, start: parser.start(i), end: parser.end(i) };
  const isMeta = name.length === 2 && name[0] === 'm';
  const { buffer, start, end } = (isMeta && hasWord(parser, 'b') && decodeKey(given)) || given;
  return buffer.subarray(start, end);
}

/** Whether a flag of a meta command is there. */
function hasWord(parser: MemcachedParser, flag: string): boolean {
  for (let i = 2; i < parser.count; i++)
    if (parser.buffer[parser.start(i)] === flag.charCodeAt(0)) return true;
  return false;
}
