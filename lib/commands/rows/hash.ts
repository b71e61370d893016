import type { CommandRow } from '../spec.ts';

const PER_FIELD = 'O(N) where N is the number of fields named';
const WHOLE = 'O(N) where N is the size of the hash';
const UPDATES = 'RW access update';

function write(
  name: string,
  arity: number,
  keyFlags: string,
  since: string,
  syntax: string,
  summary: string,
): CommandRow {
  const flags = keyFlags === 'RW delete' ? 'write fast' : 'write denyoom fast';
  const complexity = arity < 0 ? PER_FIELD : 'O(1)';
  return { name, arity, flags, keys: 'first', keyFlags, since, complexity, summary, syntax, routing: 'key' };
}

/** A command that asks for single fields, or for the size. */
function ask(
  name: string,
  arity: number,
  keyFlags: string,
  since: string,
  syntax: string,
  summary: string,
): CommandRow {
  const flags = 'readonly fast';
  const complexity = arity < 0 ? PER_FIELD : 'O(1)';
  return { name, arity, flags, keys: 'first', keyFlags, since, complexity, summary, syntax, routing: 'key' };
}

/** A command whose reply grows with the hash. */
function askMany(
  name: string,
  arity: number,
  tips: string,
  since: string,
  syntax: string,
  summary: string,
): CommandRow {
  const keyFlags = 'RO access';
  return {
    name,
    arity,
    flags: 'readonly',
    keys: 'first',
    keyFlags,
    tips,
    since,
    complexity: WHOLE,
    summary,
    syntax,
    routing: 'key',
  };
}

const ANY_ORDER = 'nondeterministic_output_order';
const ANY_OUTPUT = 'nondeterministic_output';
const PAIRS = 'key field value [field value ...]';

/** Commands on hashes. */
export const hashRows: readonly CommandRow[] = [
  write('hset', -4, 'RW update', '2.0.0', PAIRS, 'Sets fields; returns how many are new.'),
  write('hsetnx', 4, 'RW insert', '2.0.0', 'key field value', 'Sets a field that does not exist yet.'),
  {
    ...write('hmset', -4, 'RW update', '2.0.0', PAIRS, 'Sets fields.'),
    deprecated: { since: '4.0.0', replacedBy: '`HSET` with multiple field-value pairs' },
  },
  ask('hget', 3, 'RO access', '2.0.0', 'key field', 'Returns the value of a field.'),
  ask('hmget', -3, 'RO access', '2.0.0', 'key field [field ...]', 'Returns the values of fields.'),
  askMany('hgetall', 2, ANY_ORDER, '2.0.0', 'key', 'Returns all fields and their values.'),
  write('hdel', -3, 'RW delete', '2.0.0', 'key field [field ...]', 'Deletes fields.'),
  ask('hlen', 2, 'RO', '2.0.0', 'key', 'Returns how many fields a hash has.'),
  ask('hstrlen', 3, 'RO', '3.2.0', 'key field', 'Returns the length of the value of a field in bytes.'),
  ask('hexists', 3, 'RO', '2.0.0', 'key field', 'Tells whether a field exists.'),
  write(
    'hincrby',
    4,
    UPDATES,
    '2.0.0',
    'key field increment',
    'Adds a whole number to the one that a field holds.',
  ),
  write(
    'hincrbyfloat',
    4,
    UPDATES,
    '2.6.0',
    'key field increment:double',
    'Adds a decimal number to the one that a field holds.',
  ),
  askMany('hkeys', 2, ANY_ORDER, '2.0.0', 'key', 'Returns all fields.'),
  askMany('hvals', 2, ANY_ORDER, '2.0.0', 'key', 'Returns the values of all fields.'),
  askMany(
    'hscan',
    -3,
    ANY_OUTPUT,
    '2.8.0',
    'key cursor [MATCH pattern] [COUNT count]',
    'Returns some fields with their values, and where to go on.',
  ),
  askMany(
    'hrandfield',
    -2,
    ANY_OUTPUT,
    '6.2.0',
    'key options:[count [WITHVALUES]]',
    'Returns some fields at random.',
  ),
];
