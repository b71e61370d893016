import type { KeySearch } from './key-specs.ts';
import type { CommandSpec } from './spec.ts';
import type { CommandArgs } from './texts.ts';

/** A key of a command. */
export interface KeyReference {
  /** Index of the argument. */
  readonly index: number;
  /** What the command does to the key, in Redis's words. */
  readonly flags: readonly string[];
}

const DIGITS = /^(0|[1-9][0-9]{0,9})$/;
const RO_ACCESS = ['RO', 'access'];
const RW_UPDATE = ['RW', 'access', 'update'];
const OW_UPDATE = ['OW', 'update'];

/** Options of SORT that take arguments, and how many. */
const SORT_OPERANDS: Readonly<Record<string, number>> = { LIMIT: 2, GET: 1, BY: 1 };

/** Commands whose keys, or what is done to them, depend on their options. */
const special: Readonly<Record<string, (args: CommandArgs, first: number) => KeyReference[]>> = {
  set: (args, first) => {
    let flags = OW_UPDATE;
    for (let i = first + 3; i < args.count; i++) if (word(args, i) === 'GET') flags = RW_UPDATE;
    return [{ index: first + 1, flags }];
  },
  bitfield: (args, first) => [{ index: first + 1, flags: readsOnly(args, first) ? RO_ACCESS : RW_UPDATE }],
  migrate: migratedKeys,
  sort: sortKeys,
  sort_ro: (_args, first) => [{ index: first + 1, flags: RO_ACCESS }],
};

/**
 * The keys of a whole command, the name of which is argument `first`; null when its arguments are such that nobody can tell. Shard
 * channels, which clients of a cluster route like keys, are none. Rules of
 * Redis's key specifications: https://redis.io/docs/latest/develop/reference/key-specs/
 */
export function keysOf(spec: CommandSpec, args: CommandArgs, first = 0): KeyReference[] | null {
  const find = special[spec.name];
  if (find !== undefined) return find(args, first);
  const found: KeyReference[] = [];
  for (const { start, find, flags } of spec.keySpecs) {
    if (flags.includes('not_key')) continue;
    const [from, to, step] = extent({ start, find }, args, first);
    if (from === 0) continue;
    if (to < from || to >= args.count) return null;
    for (let index = from; index <= to; index += step) found.push({ index, flags });
  }
  return found;
}

/** Some of a command's arguments, all of them keys: from `first` on, every `step`-th, up to `last` (negative: counted from the end, as -1 is the last). */
export interface KeyRange {
  readonly first: number;
  readonly last: number;
  readonly step: number;
}

/** Where the keys of a command are, whatever its arguments say; null when that depends on them, and only `keysOf` can tell. */
export function keyRangesOf({ name, keySpecs }: CommandSpec): readonly KeyRange[] | null {
  const ranges: KeyRange[] = [];
  for (const { start, find, flags } of keySpecs) {
    if (flags.includes('not_key')) continue;
    if (start.type !== 'index' || find.type !== 'range' || name === 'migrate') return null;
    const { last, step } = find;
    ranges.push({ first: start.index, last: last < 0 ? last : start.index + last, step });
  }
  return ranges;
}

/** First and last key and the step between them; a first of 0: none. */
function extent({ start, find }: KeySearch, args: CommandArgs, first: number): [number, number, number] {
  let from = 0;
  if (start.type === 'index') from = first + start.index;
  else if (start.type === 'keyword') from = behindKeyword(args, first + start.from, start.keyword);
  if (from === 0) return [0, 0, 1];
  if (find.type === 'range') {
    return [from, find.last < 0 ? args.count + find.last : from + find.last, find.step];
  }
  const count = from < args.count ? args.latin1(from) : '';
  return [from + 1, DIGITS.test(count) ? from + Number(count) : -1, 1];
}

function behindKeyword(args: CommandArgs, from: number, keyword: string): number {
  for (let i = from; i < args.count - 1; i++) if (word(args, i) === keyword) return i + 1;
  return 0;
}

/** The third argument, or when that is empty, all behind KEYS. */
function migratedKeys(args: CommandArgs, first: number): KeyReference[] {
  const flags = ['RW', 'access', 'delete'];
  if (first + 3 < args.count && args.latin1(first + 3) !== '') return [{ index: first + 3, flags }];
  const from = behindKeyword(args, first + 6, 'KEYS');
  if (from === 0) return [{ index: first + 3, flags }];
  return Array.from({ length: args.count - from }, (_, i) => ({ index: from + i, flags }));
}

/** Like SORT itself, takes the last STORE of several. */
function sortKeys(args: CommandArgs, first: number): KeyReference[] {
  let store = 0;
  for (let i = first + 2; i < args.count; i++) {
    const option = word(args, i);
    if (option === 'STORE' && i + 1 < args.count) store = i + 1;
    else i += SORT_OPERANDS[option] ?? 0;
  }
  const key = { index: first + 1, flags: RO_ACCESS };
  return store === 0 ? [key] : [key, { index: store, flags: OW_UPDATE }];
}

/** Whether all operations of a BITFIELD are GET. */
function readsOnly(args: CommandArgs, first: number): boolean {
  let i = first + 2;
  while (i < args.count) {
    const left = args.count - i - 1;
    const option = word(args, i);
    if (option === 'GET' && left >= 2) i += 3;
    else if (option === 'OVERFLOW' && left >= 1) i += 2;
    else return false;
  }
  return true;
}

function word(args: CommandArgs, i: number): string {
  return args.latin1(i).toUpperCase();
}
