/** One INFO section as names and values, in order. */
export type InfoFields = readonly (readonly [name: string, value: string])[];

/** Sections whose figures are those of the shards, in the words of INFO. */
export const shardSections: readonly string[] = [
  'clients',
  'memory',
  'persistence',
  'stats',
  'commandstats',
  'errorstats',
  'keyspace',
];

type Combine = (values: readonly string[]) => string;

const sum: Combine = (values) => String(values.reduce((total, value) => total + Number(value), 0));
const most: Combine = (values) => String(Math.max(...values.map(Number)));
const least: Combine = (values) => String(Math.min(...values.map(Number)));
/** `ok` when all are. */
const worst: Combine = (values) => values.find((value) => value !== 'ok') ?? 'ok';
const same: Combine = (values) => (new Set(values).size === 1 ? values[0] : 'mixed');
/** 0 is no limit: then there is none on all together. */
const limit: Combine = (values) => (values.includes('0') ? '0' : sum(values));

function named(combine: Combine, names: string): [string, Combine][] {
  return names.split(' ').map((name) => [name, combine]);
}

/** Fields that mean something of all shards together, and how; the others are left out. */
const fields: ReadonlyMap<string, Combine> = new Map([
  ...named(
    sum,
    'used_memory used_memory_rss used_memory_peak used_memory_overhead used_memory_dataset mem_clients_normal mem_clients_slaves mem_replication_backlog mem_aof_buffer',
  ),
  ...named(limit, 'maxmemory'),
  ...named(same, 'maxmemory_policy'),
  ...named(
    most,
    'loading async_loading rdb_bgsave_in_progress rdb_last_bgsave_time_sec rdb_current_bgsave_time_sec aof_enabled aof_rewrite_in_progress aof_rewrite_scheduled',
  ),
  ...named(sum, 'rdb_changes_since_last_save rdb_saves rdb_last_load_keys_expired rdb_last_load_keys_loaded'),
  ...named(sum, 'aof_rewrites aof_current_size aof_base_size'),
  ...named(least, 'rdb_last_save_time'),
  ...named(worst, 'rdb_last_bgsave_status aof_last_bgrewrite_status aof_last_write_status'),
  // Of all proxies: whether a client waits is known where it waits.
  ...named(sum, 'blocked_clients'),
  ...named(sum, 'lazyfree_pending_objects lazyfreed_objects mem_not_counted_for_evict'),
  ...named(sum, 'tracking_total_keys tracking_total_items'),
  // Every shard knows those of all clients.
  ...named(most, 'tracking_total_prefixes'),
  ...named(sum, 'expired_keys evicted_keys keyspace_hits keyspace_misses total_forks migrate_cached_sockets'),
]);

/** Fields that are repeated in words behind them. */
const humanFields: ReadonlySet<string> = new Set([
  'used_memory',
  'used_memory_rss',
  'used_memory_peak',
  'maxmemory',
]);

/** INFO of one shard: its sections by lower-case name. */
export type ShardInfo = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** Reads what INFO says. */
export function parseInfo(text: string): ShardInfo {
  const sections = new Map<string, Map<string, string>>();
  let section = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (line.startsWith('# ')) {
      section = new Map();
      sections.set(line.slice(2).toLowerCase(), section);
    } else if (colon > 0) section.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return sections;
}

/** One section of all shards together, in the order in which the first shard that has a field has it. */
export function combineSections(shards: readonly ShardInfo[], section: string): InfoFields {
  const found = new Map<string, string[]>();
  for (const shard of shards) {
    for (const [name, value] of shard.get(section) ?? []) {
      const values = found.get(name);
      if (values === undefined) found.set(name, [value]);
      else values.push(value);
    }
  }
  return Array.from(found, ([name, values]) => combineField(section, name, values)).flat();
}

function combineField(section: string, name: string, values: readonly string[]): [string, string][] {
  if (section === 'keyspace') return [[name, combineKeyspace(values)]];
  if (section === 'commandstats' || section === 'errorstats') return [[name, combineCounts(values)]];
  const combine = fields.get(name);
  if (combine === undefined) return [];
  const value = combine(values);
  return humanFields.has(name)
    ? [
        [name, value],
        [`${name}_human`, humanBytes(Number(value))],
      ]
    : [[name, value]];
}

/** `a=1,b=2` of each; what is missing is 0. */
function countsOf(value: string): Map<string, number> {
  return new Map(
    value.split(',').map((pair) => {
      const [name, count] = pair.split('=', 2);
      return [name, Number(count)];
    }),
  );
}

function combineKeyspace(values: readonly string[]): string {
  let keys = 0;
  let expires = 0;
  let ttl = 0;
  for (const value of values) {
    const counts = countsOf(value);
    const expiring = counts.get('expires') ?? 0;
    keys += counts.get('keys') ?? 0;
    expires += expiring;
    ttl += expiring * (counts.get('avg_ttl') ?? 0);
  }
  return `keys=${keys},expires=${expires},avg_ttl=${expires === 0 ? 0 : Math.floor(ttl / expires)}`;
}

/** Sums, but for what is per call. */
function combineCounts(values: readonly string[]): string {
  const sums = new Map<string, number>();
  for (const value of values)
    for (const [name, count] of countsOf(value)) sums.set(name, (sums.get(name) ?? 0) + count);
  const calls = sums.get('calls') ?? 0;
  const usec = sums.get('usec') ?? 0;
  return Array.from(sums, ([name, count]) =>
    name === 'usec_per_call' ? `${name}=${(calls === 0 ? 0 : usec / calls).toFixed(2)}` : `${name}=${count}`,
  ).join(',');
}

const UNITS = ['B', 'K', 'M', 'G', 'T', 'P'];

/** A number of bytes as Redis writes it for people. */
export function humanBytes(bytes: number): string {
  let unit = 0;
  let amount = bytes;
  for (; amount >= 1024 && unit < UNITS.length - 1; unit++) amount /= 1024;
  return unit === 0 ? `${amount}B` : `${amount.toFixed(2)}${UNITS[unit]}`;
}
