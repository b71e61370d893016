import type { CommandRow } from '../spec.ts';

/** For tests. */
export const debugRows: readonly CommandRow[] = [
  {
    name: 'debug',
    arity: -2,
    flags: 'admin noscript loading stale',
    since: '1.0.0',
    complexity: 'Depends on the subcommand',
    summary: 'Looks into a node, and makes it do what only tests want.',
    syntax: 'subcommand [arg [arg ...]]',
    routing: 'node',
    routingByWord: {
      object: 'key',
      // One shard answers for all: which one does not matter.
      error: 'key',
      protocol: 'key',
      'stringmatch-len': 'key',
      log: 'all',
      'pause-cron': 'all',
      'quicklist-packed-threshold': 'all',
      reload: 'all',
      loadaof: 'all',
      'set-active-expire': 'all',
      sleep: 'all',
    },
  },
];
