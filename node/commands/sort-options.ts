import type { Args } from '../../lib/codec/resp/index.ts';
import { NOT_AN_INTEGER, SYNTAX_ERROR } from './command.ts';
import { longOf } from './lookup.ts';

/** Options of SORT, as they were given. Texts are of one byte a character. */
export interface SortOptions {
  descending: boolean;
  alpha: boolean;
  offset: number;
  /** Negative: all. */
  count: number;
  by: string | null;
  readonly get: string[];
  /** Patterns may name any key. */
  readonly readsAllKeys: boolean;
  /** Which argument is the key to store the result in; 0 for none. */
  storeAt: number;
}

/** What one option does; returns how many arguments it took behind its name, or the text of an error. */
type Option = (options: SortOptions, args: Args, i: number) => number | string;

const flags: Readonly<Record<string, Option>> = {
  ASC: (options) => {
    options.descending = false;
    return 0;
  },
  DESC: (options) => {
    options.descending = true;
    return 0;
  },
  ALPHA: (options) => {
    options.alpha = true;
    return 0;
  },
  LIMIT: (options, args, i) => {
    if (i + 2 >= args.count) return SYNTAX_ERROR;
    const offset = longOf(args, i + 1);
    const count = longOf(args, i + 2);
    if (offset === null || count === null) return NOT_AN_INTEGER;
    options.offset = offset;
    options.count = count;
    return 2;
  },
  BY: (options, args, i) => {
    if (i + 1 >= args.count) return SYNTAX_ERROR;
    options.by = args.latin1(i + 1);
    // Without a * no key is ever looked up.
    if (options.by.includes('*') && !options.readsAllKeys) return denied('BY');
    return 1;
  },
  GET: (options, args, i) => {
    if (i + 1 >= args.count) return SYNTAX_ERROR;
    if (!options.readsAllKeys) return denied('GET');
    options.get.push(args.latin1(i + 1));
    return 1;
  },
  STORE: (options, args, i) => {
    if (i + 1 >= args.count) return SYNTAX_ERROR;
    options.storeAt = i + 1;
    return 1;
  },
};

function denied(option: string): string {
  return `ERR ${option} option of SORT denied due to insufficient ACL permissions.`;
}

/**
 * The options from argument 2 on, or the text of an error. `stores`: STORE is one of them. `readsAllKeys`: patterns may name any key.
 */
export function parseSort(args: Args, stores: boolean, readsAllKeys: boolean): SortOptions | string {
  const options: SortOptions = {
    descending: false,
    alpha: false,
    offset: 0,
    count: -1,
    by: null,
    get: [],
    readsAllKeys,
    storeAt: 0,
  };
  for (let i = 2; i < args.count; i++) {
    const name = args.upper(i);
    const option = Object.hasOwn(flags, name) && (stores || name !== 'STORE') ? flags[name] : undefined;
    const taken = option === undefined ? SYNTAX_ERROR : option(options, args, i);
    if (typeof taken === 'string') return taken;
    i += taken;
  }
  return options;
}
