import type { CommandRow } from '../spec.ts';

const PER_MEMBER = 'O(N) where N is the number of members named';
const SMALLEST = 'O(N*M) where N is the size of the smallest set and M the number of sets';
const ALL = 'O(N) where N is the number of members in all sets';
const ANY_ORDER = 'nondeterministic_output_order';
const ANY_OUTPUT = 'nondeterministic_output';

type Extra = Partial<CommandRow> & Pick<CommandRow, 'arity' | 'complexity' | 'summary' | 'syntax'>;

/** A command on one set. */
function onSet(name: string, flags: string, keyFlags: string, since: string, extra: Extra): CommandRow {
  return { name, flags, keys: 'first', keyFlags, since, routing: 'key', ...extra };
}

/** A command that returns what several sets make together. */
function combine(name: string, complexity: string, summary: string): CommandRow {
  return {
    name,
    arity: -2,
    flags: 'readonly',
    keys: 'all',
    keyFlags: 'RO access',
    tips: ANY_ORDER,
    since: '1.0.0',
    complexity,
    summary,
    syntax: 'key [key ...]',
    routing: 'gather',
  };
}

/** A command that keeps what several sets make together. */
function store(name: string, keyFlags: string, complexity: string, summary: string): CommandRow {
  return {
    name,
    arity: -3,
    flags: 'write denyoom',
    keys: 'target-and-all',
    keyFlags: `${keyFlags} | RO access`,
    since: '1.0.0',
    complexity,
    summary,
    syntax: 'destination key [key ...]',
    routing: 'key',
  };
}

/** Commands on sets. */
export const setRows: readonly CommandRow[] = [
  onSet('sadd', 'write denyoom fast', 'RW insert', '1.0.0', {
    arity: -3,
    complexity: PER_MEMBER,
    summary: 'Adds members; returns how many are new.',
    syntax: 'key member [member ...]',
  }),
  onSet('srem', 'write fast', 'RW delete', '1.0.0', {
    arity: -3,
    complexity: PER_MEMBER,
    summary: 'Removes members; returns how many were there.',
    syntax: 'key member [member ...]',
  }),
  onSet('sismember', 'readonly fast', 'RO', '1.0.0', {
    arity: 3,
    complexity: 'O(1)',
    summary: 'Tells whether a set has a member.',
    syntax: 'key member',
  }),
  onSet('smismember', 'readonly fast', 'RO access', '6.2.0', {
    arity: -3,
    complexity: PER_MEMBER,
    summary: 'Tells which members a set has.',
    syntax: 'key member [member ...]',
  }),
  onSet('smembers', 'readonly', 'RO access', '1.0.0', {
    arity: 2,
    tips: ANY_ORDER,
    complexity: 'O(N) where N is the size of the set',
    summary: 'Returns all members.',
    syntax: 'key',
  }),
  onSet('scard', 'readonly fast', 'RO', '1.0.0', {
    arity: 2,
    complexity: 'O(1)',
    summary: 'Returns how many members a set has.',
    syntax: 'key',
  }),
  onSet('spop', 'write fast', 'RW access delete', '1.0.0', {
    arity: -2,
    tips: ANY_OUTPUT,
    complexity: 'O(N) where N is the number of members returned',
    summary: 'Removes members chosen at random and returns them.',
    syntax: 'key [count]',
  }),
  onSet('srandmember', 'readonly', 'RO access', '1.0.0', {
    arity: -2,
    tips: ANY_OUTPUT,
    complexity: 'O(N) where N is the number of members returned',
    summary: 'Returns some members at random.',
    syntax: 'key [count]',
  }),
  onSet('smove', 'write fast', 'RW access delete | RW insert', '1.0.0', {
    arity: 4,
    keys: 'two',
    complexity: 'O(1)',
    summary: 'Moves a member from one set to another.',
    syntax: 'source destination member',
  }),
  combine('sinter', SMALLEST, 'Returns the members that all sets have.'),
  {
    name: 'sintercard',
    arity: -3,
    flags: 'readonly movablekeys',
    keys: 'counted',
    keyFlags: 'RO access',
    since: '7.0.0',
    complexity: SMALLEST,
    summary: 'Returns how many members all sets have in common.',
    syntax: 'numkeys key [key ...] [LIMIT limit]',
    routing: 'gather',
  },
  store('sinterstore', 'RW update', SMALLEST, 'Makes a set of the members that all sets have.'),
  combine('sunion', ALL, 'Returns the members that any of the sets has.'),
  store('sunionstore', 'OW update', ALL, 'Makes a set of the members that any of the sets has.'),
  combine('sdiff', ALL, 'Returns the members of the first set that no other has.'),
  store('sdiffstore', 'OW update', ALL, 'Makes a set of the members of the first set that no other has.'),
  onSet('sscan', 'readonly', 'RO access', '2.8.0', {
    arity: -3,
    tips: ANY_OUTPUT,
    complexity: 'O(N) where N is the size of the set, for a whole iteration',
    summary: 'Returns some members, and where to go on.',
    syntax: 'key cursor [MATCH pattern] [COUNT count]',
  }),
];
