import type { CommandRow } from '../spec.ts';

const WHERE = 'where:(LEFT|RIGHT)';
const ENDS = 'wherefrom:(LEFT|RIGHT) whereto:(LEFT|RIGHT)';
const TAKES = 'RW access delete';

type Extra = Partial<CommandRow> & Pick<CommandRow, 'arity' | 'complexity' | 'summary' | 'syntax'>;

/** A command on one list. */
function onList(name: string, flags: string, keyFlags: string, since: string, extra: Extra): CommandRow {
  return { name, flags, keys: 'first', keyFlags, since, routing: 'key', ...extra };
}

function push(name: string, since: string, summary: string): CommandRow {
  return onList(name, 'write denyoom fast', 'RW insert', since, {
    arity: -3,
    complexity: 'O(N) where N is the number of elements',
    summary,
    syntax: 'key element [element ...]',
  });
}

function pop(name: string, summary: string): CommandRow {
  return onList(name, 'write fast', TAKES, '1.0.0', {
    arity: -2,
    complexity: 'O(N) where N is the number of elements returned',
    summary,
    syntax: 'key [count]',
  });
}

function blockingPop(name: string, summary: string): CommandRow {
  return {
    name,
    arity: -3,
    flags: 'write noscript blocking',
    keys: 'all-but-last',
    keyFlags: TAKES,
    since: '2.0.0',
    complexity: 'O(N) where N is the number of keys',
    summary,
    syntax: 'key [key ...] timeout:double',
    routing: 'pinned',
  };
}

/** A command that takes an element from one list and puts it into another. */
function move(name: string, flags: string, since: string, extra: Extra): CommandRow {
  return {
    name,
    flags: `write denyoom${flags}`,
    keys: 'two',
    keyFlags: `${TAKES} | RW insert`,
    since,
    routing: 'key',
    ...extra,
  };
}

function popFromOne(name: string, flags: string, keys: CommandRow['keys'], extra: Extra): CommandRow {
  return { name, flags, keys, keyFlags: TAKES, since: '7.0.0', routing: 'key', ...extra };
}

/** Commands on lists. */
export const listRows: readonly CommandRow[] = [
  push('lpush', '1.0.0', 'Puts elements before all others, each before the last; makes the list if need be.'),
  push('rpush', '1.0.0', 'Puts elements behind all others; makes the list if need be.'),
  push('lpushx', '2.2.0', 'Puts elements before all others of a list that exists.'),
  push('rpushx', '2.2.0', 'Puts elements behind all others of a list that exists.'),
  pop('lpop', 'Removes the first elements of a list and returns them.'),
  pop('rpop', 'Removes the last elements of a list and returns them.'),
  onList('llen', 'readonly fast', 'RO', '1.0.0', {
    arity: 2,
    complexity: 'O(1)',
    summary: 'Returns how many elements a list has.',
    syntax: 'key',
  }),
  onList('lrange', 'readonly', 'RO access', '1.0.0', {
    arity: 4,
    complexity: 'O(S+N) where S is the distance to the first element and N the number of elements returned',
    summary: 'Returns the elements from one index to another.',
    syntax: 'key start stop',
  }),
  onList('lindex', 'readonly', 'RO access', '1.0.0', {
    arity: 3,
    complexity: 'O(N) where N is the distance to the element',
    summary: 'Returns the element at an index.',
    syntax: 'key index',
  }),
  onList('lset', 'write denyoom', 'RW update', '1.0.0', {
    arity: 4,
    complexity: 'O(N) where N is the length of the list',
    summary: 'Replaces the element at an index.',
    syntax: 'key index element',
  }),
  onList('linsert', 'write denyoom', 'RW insert', '2.2.0', {
    arity: 5,
    complexity: 'O(N) where N is the distance to the pivot',
    summary: 'Puts an element before or behind another one.',
    syntax: 'key where:(BEFORE|AFTER) pivot element',
  }),
  onList('lrem', 'write', 'RW delete', '1.0.0', {
    arity: 4,
    complexity: 'O(N) where N is the length of the list',
    summary: 'Removes elements that equal a value, from either end on.',
    syntax: 'key count element',
  }),
  onList('ltrim', 'write', 'RW delete', '1.0.0', {
    arity: 4,
    complexity: 'O(N) where N is the number of elements removed',
    summary: 'Removes all elements but those from one index to another.',
    syntax: 'key start stop',
  }),
  onList('lpos', 'readonly', 'RO access', '6.0.6', {
    arity: -3,
    complexity: 'O(N) where N is the length of the list',
    summary: 'Returns the indexes of elements that equal a value.',
    syntax: 'key element [RANK rank] [COUNT num-matches] [MAXLEN len]',
  }),
  move('lmove', '', '6.2.0', {
    arity: 5,
    complexity: 'O(1)',
    summary: 'Moves an element from one end of a list to an end of another, and returns it.',
    syntax: `source destination ${ENDS}`,
  }),
  move('rpoplpush', '', '1.2.0', {
    arity: 3,
    complexity: 'O(1)',
    summary: 'Moves the last element of a list to the head of another, and returns it.',
    syntax: 'source destination',
    deprecated: { since: '6.2.0', replacedBy: '`LMOVE` with the `RIGHT` and `LEFT` arguments' },
  }),
  popFromOne('lmpop', 'write movablekeys', 'counted', {
    arity: -4,
    complexity: 'O(N+M) where N is the number of keys and M the number of elements returned',
    summary: 'Removes elements from the first list that has some, and returns them.',
    syntax: `numkeys key [key ...] ${WHERE} [COUNT count]`,
  }),
  blockingPop('blpop', 'Removes and returns the first element of the first list that has one; waits for it.'),
  blockingPop('brpop', 'Removes and returns the last element of the first list that has one; waits for it.'),
  move('blmove', ' noscript blocking', '6.2.0', {
    routing: 'pinned',
    arity: 6,
    complexity: 'O(1)',
    summary: 'Moves an element from one list to another and returns it; waits for it.',
    syntax: `source destination ${ENDS} timeout:double`,
  }),
  move('brpoplpush', ' noscript blocking', '2.2.0', {
    routing: 'pinned',
    arity: 4,
    complexity: 'O(1)',
    summary: 'Moves the last element of a list to the head of another and returns it; waits for it.',
    syntax: 'source destination timeout:double',
    deprecated: { since: '6.2.0', replacedBy: '`BLMOVE` with the `RIGHT` and `LEFT` arguments' },
  }),
  popFromOne('blmpop', 'write blocking movablekeys', 'counted-second', {
    routing: 'pinned',
    arity: -5,
    complexity: 'O(N+M) where N is the number of keys and M the number of elements returned',
    summary: 'Removes elements from the first list that has some, and returns them; waits for them.',
    syntax: `timeout:double numkeys key [key ...] ${WHERE} [COUNT count]`,
  }),
];
