import type { CommandRow } from '../spec.ts';

const ALWAYS = 'noscript loading stale fast allow_busy';

/** Commands of transactions. */
export const transactionRows: readonly CommandRow[] = [
  {
    name: 'multi',
    arity: 1,
    flags: ALWAYS,
    since: '1.2.0',
    complexity: 'O(1)',
    summary: 'Begins a transaction: what follows is queued.',
    routing: 'pinned',
  },
  {
    name: 'exec',
    arity: 1,
    flags: 'noscript loading stale skip_slowlog',
    since: '1.2.0',
    complexity: 'Depends on the commands of the transaction',
    summary: 'Executes what was queued, with nothing in between, unless a watched key has changed.',
    routing: 'pinned',
  },
  {
    name: 'discard',
    arity: 1,
    flags: ALWAYS,
    since: '2.0.0',
    complexity: 'O(N) where N is the number of queued commands',
    summary: 'Drops what was queued.',
    routing: 'pinned',
  },
  {
    name: 'watch',
    arity: -2,
    flags: ALWAYS,
    keys: 'all',
    keyFlags: 'RO',
    since: '2.2.0',
    complexity: 'O(1) for every key',
    summary: 'Lets the next transaction fail if one of the keys changes before.',
    syntax: 'key [key ...]',
    routing: 'pinned',
  },
  {
    name: 'unwatch',
    arity: 1,
    flags: ALWAYS,
    since: '2.2.0',
    complexity: 'O(1)',
    summary: 'Forgets which keys were watched.',
    routing: 'pinned',
  },
];
