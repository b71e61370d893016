import { formatAddress } from '../../lib/net/index.ts';

/** What a node without a control plane calls its shard. */
const STANDALONE_SHARD = 'standalone';

/** What a migration has to know of a server, from its INFO. */
export interface ServerFacts {
  /** A node rather than a redis-server. */
  readonly isNode: boolean;
  /** `redis_version` as a number: 7.0.15 is 70015. */
  readonly version: number;
  readonly versionText: string;
  readonly runId: string;
  readonly isCluster: boolean;
  /** A node that a control plane gives its role. */
  readonly isControlled: boolean;
  readonly isLoading: boolean;
  /** A snapshot is being made, as before a full sync from a file. */
  readonly isSaving: boolean;
  /** `host:port` of whom it follows; null: it leads. */
  readonly leader: string | null;
  /** Whether it follows that one's stream. */
  readonly isLinked: boolean;
  readonly isSyncing: boolean;
  /** Why it is not linked, where the server says so; else empty. */
  readonly problem: string;
  /** Bytes of a snapshot that have come, and in all (0: unknown); null while none is coming. */
  readonly syncBytes: { readonly read: number; readonly total: number } | null;
  /** Offset of the stream up to which it has everything. */
  readonly offset: number;
  readonly replId: string;
  readonly keys: number;
  readonly usedBytes: number;
  /** 0: none. */
  readonly maxMemoryBytes: number;
}

/** Reads an INFO reply. */
export function factsOf(info: string): ServerFacts {
  const fields = new Map<string, string>();
  for (const line of info.split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1));
  }
  const text = (name: string) => fields.get(name) ?? '';
  const number = (name: string) => Number(fields.get(name) ?? 0);
  const follows = text('role') === 'slave';
  const read = fields.get('master_sync_read_bytes');
  return {
    isNode: fields.has('ringside_version'),
    version: versionNumber(text('redis_version')),
    versionText: text('redis_version'),
    runId: text('run_id'),
    isCluster: number('cluster_enabled') === 1,
    isControlled: fields.has('shard') && text('shard') !== STANDALONE_SHARD,
    isLoading: number('loading') === 1,
    isSaving: number('rdb_bgsave_in_progress') === 1,
    leader: follows ? formatAddress(text('master_host'), number('master_port')) : null,
    isLinked: follows && text('master_link_status') === 'up',
    isSyncing: number('master_sync_in_progress') === 1,
    problem: text('master_link_last_problem'),
    syncBytes: read === undefined ? null : { read: Number(read), total: number('master_sync_total_bytes') },
    offset: number(follows ? 'slave_repl_offset' : 'master_repl_offset'),
    replId: text('master_replid'),
    keys: keysOf(fields),
    usedBytes: number('used_memory'),
    maxMemoryBytes: number('maxmemory'),
  };
}

function versionNumber(text: string): number {
  const [major = 0, minor = 0, patch = 0] = text.split('.').map((part) => Number.parseInt(part, 10) || 0);
  return major * 10_000 + minor * 100 + patch;
}

/** Keys of all databases. */
function keysOf(fields: ReadonlyMap<string, string>): number {
  let sum = 0;
  for (const [name, value] of fields) {
    if (/^db\d+$/.test(name)) sum += Number(/^keys=(\d+)/.exec(value)?.[1] ?? 0);
  }
  return sum;
}
