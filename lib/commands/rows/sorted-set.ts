import type { CommandRow } from '../spec.ts';

const READS = 'RO access';
const TAKES = 'RW access delete';
const LOG = 'O(log(N)) where N is the number of members';
const PER_RANGE = 'O(log(N)+M) where N is the number of members and M the number in the range';
const PER_POP = 'O(M*log(N)) where N is the number of members and M the number taken out';
const UNION = 'O(N)+O(M*log(M)) where N is the sum of the sizes and M the number of members that result';
const INTER =
  'O(N*K)+O(M*log(M)) where N is the size of the smallest input, K the number of inputs and M the number of members that result';
const DIFF =
  'O(N*K)+O(M*log(M)) where N is the size of the first input, K the number of inputs and M the number of members that result';

const KEYS = 'numkeys key [key ...]';
const WEIGHTED = '[WEIGHTS weight [weight ...]] [AGGREGATE (SUM|MIN|MAX)]';
const WITH_SCORES = '[WITHSCORES]';
const LIMIT = '[LIMIT offset count]';

type Extra = Pick<CommandRow, 'arity' | 'since' | 'summary' | 'syntax'> & Partial<CommandRow>;

/** A command that reads one sorted set. */
function reading(name: string, flags: string, complexity: string, extra: Extra): CommandRow {
  return { name, flags, keys: 'first', keyFlags: READS, complexity, routing: 'key', ...extra };
}

/** A command that changes one sorted set. */
function changing(name: string, flags: string, keyFlags: string, extra: Extra): CommandRow {
  return { name, flags, keys: 'first', keyFlags, complexity: LOG, routing: 'key', ...extra };
}

/** One of the older names of what ZRANGE can do with options. */
function oldRange(name: string, since: string, syntax: string, options: string, summary: string): CommandRow {
  return reading(name, 'readonly', PER_RANGE, {
    arity: -4,
    since,
    summary,
    syntax,
    deprecated: { since: '6.2.0', replacedBy: `\`ZRANGE\` with the ${options}` },
  });
}

function removal(name: string, since: string, bounds: string, what: string): CommandRow {
  return changing(name, 'write', 'RW delete', {
    arity: 4,
    since,
    complexity: PER_RANGE,
    summary: `Removes the members within a range of ${what}.`,
    syntax: `key ${bounds}`,
  });
}

function pop(name: string, summary: string): CommandRow {
  return changing(name, 'write fast', TAKES, {
    arity: -2,
    since: '5.0.0',
    complexity: PER_POP,
    summary,
    syntax: 'key [count]',
  });
}

function blockingPop(name: string, summary: string): CommandRow {
  return {
    name,
    arity: -3,
    flags: 'write noscript blocking fast',
    keys: 'all-but-last',
    keyFlags: TAKES,
    since: '5.0.0',
    complexity: LOG,
    summary,
    syntax: 'key [key ...] timeout',
    routing: 'pinned',
  };
}

/** A command that puts sets and sorted sets together and replies with what results. */
function combining(name: string, complexity: string, summary: string, syntax: string): CommandRow {
  return {
    name,
    arity: -3,
    flags: 'readonly movablekeys',
    keys: 'counted',
    keyFlags: READS,
    since: '6.2.0',
    complexity,
    summary,
    syntax,
    routing: 'gather',
  };
}

/** The same, storing it. */
function storing(
  name: string,
  since: string,
  complexity: string,
  summary: string,
  options: string,
): CommandRow {
  return {
    name,
    arity: -4,
    flags: 'write denyoom movablekeys',
    keys: 'target-and-counted',
    keyFlags: `OW update | ${READS}`,
    since,
    complexity,
    summary,
    syntax: `destination ${KEYS} ${options}`,
    routing: 'key',
  };
}

const memberRows: readonly CommandRow[] = [
  changing('zadd', 'write denyoom fast', 'RW update', {
    arity: -4,
    since: '1.2.0',
    complexity: 'O(log(N)) for each member, where N is the number of members',
    summary: 'Gives members their scores, or adds to a score, with or without conditions.',
    syntax: 'key [NX|XX] [GT|LT] [CH] [INCR] score member [score member ...]',
  }),
  changing('zincrby', 'write denyoom fast', 'RW access update', {
    arity: 4,
    since: '1.2.0',
    summary: 'Adds to the score of a member.',
    syntax: 'key increment member',
  }),
  changing('zrem', 'write fast', 'RW delete', {
    arity: -3,
    since: '1.2.0',
    complexity: 'O(M*log(N)) where N is the number of members and M the number to be removed',
    summary: 'Removes members.',
    syntax: 'key member [member ...]',
  }),
  reading('zcard', 'readonly fast', 'O(1)', {
    arity: 2,
    keyFlags: 'RO',
    since: '1.2.0',
    summary: 'Returns the number of members.',
    syntax: 'key',
  }),
  reading('zscore', 'readonly fast', 'O(1)', {
    arity: 3,
    since: '1.2.0',
    summary: 'Returns the score of a member.',
    syntax: 'key member',
  }),
  reading('zmscore', 'readonly fast', 'O(N) where N is the number of members asked for', {
    arity: -3,
    since: '6.2.0',
    summary: 'Returns the scores of members.',
    syntax: 'key member [member ...]',
  }),
  reading('zrank', 'readonly fast', LOG, {
    arity: 3,
    since: '2.0.0',
    summary: 'Returns how many members come before a member.',
    syntax: 'key member',
  }),
  reading('zrevrank', 'readonly fast', LOG, {
    arity: 3,
    since: '2.0.0',
    summary: 'Returns how many members come behind a member.',
    syntax: 'key member',
  }),
  reading('zrandmember', 'readonly', 'O(N) where N is the number of members returned', {
    arity: -2,
    tips: 'nondeterministic_output',
    since: '6.2.0',
    summary: 'Returns members chosen by chance.',
    syntax: 'key [count [WITHSCORES]]',
  }),
  reading('zscan', 'readonly', 'O(1) for a call, O(N) for all calls of a whole walk', {
    arity: -3,
    tips: 'nondeterministic_output',
    since: '2.8.0',
    summary: 'Walks over the members and their scores with a cursor.',
    syntax: 'key cursor [MATCH pattern] [COUNT count]',
  }),
];

const rangeRows: readonly CommandRow[] = [
  reading('zrange', 'readonly', PER_RANGE, {
    arity: -4,
    since: '1.2.0',
    summary: 'Returns the members within a range of ranks, scores or members.',
    syntax: `key min max [BYSCORE|BYLEX] [REV] ${LIMIT} ${WITH_SCORES}`,
  }),
  {
    name: 'zrangestore',
    arity: -5,
    flags: 'write denyoom',
    keys: 'two',
    keyFlags: `OW update | ${READS}`,
    since: '6.2.0',
    complexity: PER_RANGE,
    summary: 'Stores the members within a range of ranks, scores or members.',
    syntax: `destination key min max [BYSCORE|BYLEX] [REV] ${LIMIT}`,
    routing: 'key',
  },
  oldRange(
    'zrevrange',
    '1.2.0',
    `key start stop ${WITH_SCORES}`,
    '`REV` argument',
    'Returns the members within a range of ranks, the highest score first.',
  ),
  oldRange(
    'zrangebyscore',
    '1.0.5',
    `key min max ${WITH_SCORES} ${LIMIT}`,
    '`BYSCORE` argument',
    'Returns the members within a range of scores.',
  ),
  oldRange(
    'zrevrangebyscore',
    '2.2.0',
    `key max min ${WITH_SCORES} ${LIMIT}`,
    '`REV` and `BYSCORE` arguments',
    'Returns the members within a range of scores, the highest score first.',
  ),
  oldRange(
    'zrangebylex',
    '2.8.9',
    `key min max ${LIMIT}`,
    '`BYLEX` argument',
    'Returns the members within a range of members, all scores being equal.',
  ),
  oldRange(
    'zrevrangebylex',
    '2.8.9',
    `key max min ${LIMIT}`,
    '`REV` and `BYLEX` arguments',
    'Returns the members within a range of members, all scores being equal, in reverse order.',
  ),
  reading('zcount', 'readonly fast', LOG, {
    arity: 4,
    since: '2.0.0',
    summary: 'Returns the number of members within a range of scores.',
    syntax: 'key min max',
  }),
  reading('zlexcount', 'readonly fast', LOG, {
    arity: 4,
    since: '2.8.9',
    summary: 'Returns the number of members within a range of members, all scores being equal.',
    syntax: 'key min max',
  }),
  removal('zremrangebyrank', '2.0.0', 'start stop', 'ranks'),
  removal('zremrangebyscore', '1.2.0', 'min max', 'scores'),
  removal('zremrangebylex', '2.8.9', 'min max', 'members, all scores being equal'),
];

const popRows: readonly CommandRow[] = [
  pop('zpopmin', 'Takes out the members with the lowest scores.'),
  pop('zpopmax', 'Takes out the members with the highest scores.'),
  blockingPop('bzpopmin', 'Takes out the member with the lowest score, waiting for one if need be.'),
  blockingPop('bzpopmax', 'Takes out the member with the highest score, waiting for one if need be.'),
  {
    name: 'zmpop',
    arity: -4,
    flags: 'write movablekeys',
    keys: 'counted',
    keyFlags: TAKES,
    since: '7.0.0',
    complexity: PER_POP,
    summary: 'Takes members out of the first of several sorted sets that exists.',
    syntax: `${KEYS} (MIN|MAX) [COUNT count]`,
    routing: 'key',
  },
  {
    name: 'bzmpop',
    arity: -5,
    flags: 'write blocking movablekeys',
    keys: 'counted-second',
    keyFlags: TAKES,
    since: '7.0.0',
    complexity: PER_POP,
    summary: 'Takes members out of the first of several sorted sets that exists, waiting for one if need be.',
    syntax: `timeout ${KEYS} (MIN|MAX) [COUNT count]`,
    routing: 'pinned',
  },
];

const algebraRows: readonly CommandRow[] = [
  combining('zunion', UNION, 'Returns the members of all inputs.', `${KEYS} ${WEIGHTED} ${WITH_SCORES}`),
  combining(
    'zinter',
    INTER,
    'Returns the members that all inputs have.',
    `${KEYS} ${WEIGHTED} ${WITH_SCORES}`,
  ),
  combining(
    'zdiff',
    DIFF,
    'Returns the members of the first input that no other has.',
    `${KEYS} ${WITH_SCORES}`,
  ),
  {
    ...combining(
      'zintercard',
      'O(N*K) where N is the size of the smallest input and K the number of inputs',
      'Returns how many members all inputs have in common.',
      `${KEYS} [LIMIT limit]`,
    ),
    since: '7.0.0',
  },
  storing('zunionstore', '2.0.0', UNION, 'Stores the members of all inputs.', WEIGHTED),
  storing('zinterstore', '2.0.0', INTER, 'Stores the members that all inputs have.', WEIGHTED),
  storing('zdiffstore', '6.2.0', DIFF, 'Stores the members of the first input that no other has.', ''),
];

/** Commands on sorted sets. */
export const sortedSetRows: readonly CommandRow[] = [...memberRows, ...rangeRows, ...popRows, ...algebraRows];
