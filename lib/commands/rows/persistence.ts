import type { CommandRow } from '../spec.ts';

/** Commands about files. */
export const persistenceRows: readonly CommandRow[] = [
  {
    name: 'save',
    arity: 1,
    flags: 'admin noscript no_async_loading no_multi',
    since: '1.0.0',
    complexity: 'O(N) where N is the number of keys',
    summary: 'Writes the snapshot and serves nobody meanwhile.',
    routing: 'all',
  },
  {
    name: 'bgsave',
    arity: -1,
    flags: 'admin noscript no_async_loading',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Begins to write the snapshot in the background.',
    syntax: '[SCHEDULE]',
    routing: 'all',
  },
  {
    name: 'bgrewriteaof',
    arity: 1,
    flags: 'admin noscript no_async_loading',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Begins to rewrite the append-only file in the background.',
    routing: 'all',
  },
  {
    name: 'lastsave',
    arity: 1,
    flags: 'loading stale fast',
    acl: 'admin dangerous',
    tips: 'nondeterministic_output',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Returns when the snapshot was last written, in unix seconds.',
    routing: 'all',
  },
  {
    name: 'shutdown',
    arity: -1,
    flags: 'admin noscript loading stale no_multi allow_busy',
    since: '1.0.0',
    complexity: 'O(N) where N is the number of keys when it saves, else O(1)',
    summary: 'Writes the snapshot if there are save points, and ends the node.',
    syntax: '[NOSAVE|SAVE] [NOW] [FORCE] [ABORT]',
    routing: 'node',
  },
];
