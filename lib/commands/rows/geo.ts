import type { CommandRow } from '../spec.ts';

const READS = 'RO access';
const STORES = 'OW update';
const UNIT = '(M|KM|FT|MI)';
const COUNT = '[COUNT count [ANY]]';
const ORDER = '[ASC|DESC]';
const WITH = '[WITHCOORD] [WITHDIST] [WITHHASH]';
const AREA = `(FROMMEMBER member|FROMLONLAT longitude latitude) (BYRADIUS radius ${UNIT}|BYBOX width height ${UNIT})`;
const PER_AREA =
  'O(N+M*log(M)) where N is the number of members in the cells around the area and M the number of those within';

type Extra = Pick<CommandRow, 'summary' | 'syntax'> & Partial<CommandRow>;

function reading(name: string, arity: number, extra: Extra): CommandRow {
  return {
    name,
    arity,
    flags: 'readonly',
    keys: 'first',
    keyFlags: READS,
    since: '3.2.0',
    complexity: 'O(N*log(M)) where N is the number of members asked for and M the number of members',
    routing: 'key',
    ...extra,
  };
}

/** One of the older searches, in its form that may store and in the one that only reads. */
function oldSearch(
  name: string,
  arity: number,
  keys: CommandRow['keys'],
  from: string,
  summary: string,
): CommandRow[] {
  const by = name === 'georadius' ? '`BYRADIUS` argument' : '`BYRADIUS` and `FROMMEMBER` arguments';
  const syntax = `key ${from} radius ${UNIT} ${WITH} ${COUNT} ${ORDER}`;
  return [
    {
      ...reading(name, arity, { summary, syntax: `${syntax} [STORE key] [STOREDIST key]` }),
      flags: 'write denyoom movablekeys',
      keys,
      keyFlags: `${READS} | ${STORES} | ${STORES}`,
      complexity: PER_AREA,
      routing: 'key',
      deprecated: { since: '6.2.0', replacedBy: `\`GEOSEARCH\` and \`GEOSEARCHSTORE\` with the ${by}` },
    },
    {
      ...reading(`${name}_ro`, arity, { summary, syntax }),
      since: '3.2.10',
      complexity: PER_AREA,
      deprecated: { since: '6.2.0', replacedBy: `\`GEOSEARCH\` with the ${by}` },
    },
  ];
}

/** Commands on places: members of a sorted set whose scores are positions. */
export const geoRows: readonly CommandRow[] = [
  {
    name: 'geoadd',
    arity: -5,
    flags: 'write denyoom',
    keys: 'first',
    keyFlags: 'RW update',
    since: '3.2.0',
    complexity: 'O(log(N)) for each member, where N is the number of members',
    summary: 'Gives members their positions.',
    syntax: 'key [NX|XX] [CH] longitude latitude member [longitude latitude member ...]',
    routing: 'key',
  },
  reading('geodist', -4, {
    complexity: 'O(log(N)) where N is the number of members',
    summary: 'Returns the distance between two members.',
    syntax: `key member1 member2 [${UNIT}]`,
  }),
  reading('geohash', -2, {
    summary: 'Returns the positions of members as geohashes.',
    syntax: 'key [member [member ...]]',
  }),
  reading('geopos', -2, {
    summary: 'Returns the longitudes and latitudes of members.',
    syntax: 'key [member [member ...]]',
  }),
  reading('geosearch', -7, {
    since: '6.2.0',
    complexity: PER_AREA,
    summary: 'Returns the members within a circle or a box.',
    syntax: `key ${AREA} ${ORDER} ${COUNT} ${WITH}`,
  }),
  {
    name: 'geosearchstore',
    arity: -8,
    flags: 'write denyoom',
    keys: 'two',
    keyFlags: `${STORES} | ${READS}`,
    since: '6.2.0',
    complexity: PER_AREA,
    summary: 'Stores the members within a circle or a box, with their positions or distances.',
    syntax: `destination source ${AREA} ${ORDER} ${COUNT} [STOREDIST]`,
    routing: 'key',
  },
  ...oldSearch(
    'georadius',
    -6,
    'radius-store',
    'longitude latitude',
    'Returns or stores the members within a distance of a position.',
  ),
  ...oldSearch(
    'georadiusbymember',
    -5,
    'radius-member-store',
    'member',
    'Returns or stores the members within a distance of a member.',
  ),
];
