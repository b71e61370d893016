import { decimal, flag, group, list, milliseconds, oneOf, size, text, whole } from './option.ts';
import { originSchema } from './schema-origin.ts';

const tlsOptions = {
  ca: text({
    unit: 'path',
    description:
      'Certificates (PEM) of the authorities whose peers are trusted. Nothing else is trusted, not even the system store.',
  }),
  cert: text({ unit: 'path', description: 'Own certificate chain (PEM), used as server and as client.' }),
  key: text({
    unit: 'path',
    description:
      'Private key (PEM) of `cert`. Files are read again when they change; a broken new one is logged and the old one stays.',
  }),
  allowedNames: list(
    text({
      maxLength: 2048,
      pattern: '^[^*\\s]*\\*?$',
      expects: 'a SPIFFE URI or DNS name, with `*` at the end at most',
      description: 'A SPIFFE URI or DNS name of the peer certificate; `*` at the end stands for any rest.',
    }),
    {
      unit: 'names',
      maxItems: 1000,
      description:
        'Names (SAN) accepted in a peer certificate, one of which it must carry. Empty accepts every certificate of the authorities.',
    },
  ),
};

/** Identity inside the fleet. */
export const tlsSchema = group(tlsOptions, {
  nullable: true,
  description:
    'Mutual TLS between proxies, nodes and control plane, both sides verified. Left out: plain TCP, for one host or a trusted network.',
});

/** A TLS identity that differs from the fleet's. */
export const ownTlsSchema = group(tlsOptions, { description: 'Certificates and names of one listener.' });

const namespace = group(
  {
    name: text({
      maxLength: 64,
      pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]*$',
      expects: 'letters, digits, `_`, `.` and `-`',
      description: 'Name in metrics and messages; unique.',
    }),
    prefix: text({
      maxLength: 512,
      description:
        'Keys that begin with it belong to the namespace; the longest matching prefix wins, and an empty one matches every key.',
    }),
    maxBytes: size({
      minimum: '1mb',
      maximum: '1024gb',
      default: null,
      formula: 'sum of maxBytes <= node.maxMemoryBytes, or the larger budgets are never used up',
      description:
        "Memory budget of the namespace's keys on each node, with their overhead. Beyond it keys of this namespace are evicted and no others. Left out: only `node.maxMemoryBytes` counts.",
    }),
    policy: oneOf(['lru', 'lfu', 'ttl', 's3-fifo', 'noeviction'], {
      default: 's3-fifo',
      description:
        'What is evicted when `maxBytes` is used up: the least recently used key (`lru`), the least often used (`lfu`), the one that expires next (`ttl`; one that never expires stays), what was asked for only once in a while (`s3-fifo`, the best on most real workloads), or nothing, and writes that need memory are refused (`noeviction`).',
    }),
    defaultTtlSeconds: whole({
      minimum: 1,
      maximum: 315_360_000,
      unit: 's',
      default: null,
      description:
        'Time to live of values written without one (SET, and whatever makes a new key). PERSIST still takes it away.',
    }),
    maxValueBytes: size({
      minimum: '1',
      maximum: '512mb',
      default: null,
      description:
        'Largest string accepted, and largest element of a collection; a larger one is refused and nothing changes. Left out: only `limits.maxBulkBytes` counts.',
    }),
    ack: oneOf(['leader', 'replica'], {
      default: null,
      description: 'When a write is acknowledged; left out: as `node.ack` says.',
    }),
    ackTimeoutMs: milliseconds({
      minimum: 1,
      maximum: 600_000,
      default: null,
      description:
        'How long `ack: replica` waits before the outcome is reported as unknown; left out: `node.ackTimeoutMs`.',
    }),
    stalenessMs: milliseconds({
      minimum: 0,
      maximum: 3_600_000,
      default: 0,
      description:
        'How old a value read may be. 0: reads go to the leader while it answers; no near cache. Above 0 a connection still reads its own writes, and never an older value after a newer one.',
    }),
    nearCache: oneOf(['off', 'hot-keys', 'always'], {
      default: null,
      description:
        "Which reads of the namespace are answered from the proxy's own memory; needs `stalenessMs` above 0. Left out: as `nearCache.mode` says.",
    }),
    maxReadsPerSecond: whole({
      minimum: 1,
      maximum: 100_000_000,
      unit: '1/s',
      default: null,
      description:
        'Keys of the namespace that one worker of a proxy reads a second, for all clients together. Further commands are answered OVERLOADED (HTTP 429) and not executed. Left out: no limit.',
    }),
    maxWritesPerSecond: whole({
      minimum: 1,
      maximum: 100_000_000,
      unit: '1/s',
      default: null,
      description: 'The same for keys that are written.',
    }),
    hedgedReads: flag({
      default: false,
      description:
        'A read of one key, or what one shard is asked for of a multi-get (up to 128 keys), whose leader is slow to answer (`proxy.resilience.hedge`) is sent to a follower as well, and the first good answer counts. Needs `stalenessMs` above 0, and neither a near cache nor an origin. Bounded load leaves such namespaces alone.',
    }),
    gutter: flag({
      default: false,
      description:
        'While no node of a shard answers, its keys are read and written at a gutter shard (`proxy.upstreams[].gutter`) that knows nothing at first, and forgets what is written after `proxy.resilience.gutterTtlMs`; what is written there is lost for the shard, where it is deleted when it answers again. Needs `stalenessMs` above 0. Writes under `ack: replica` are never written there.',
    }),
    readFallback: oneOf(['follower', 'off'], {
      default: 'follower',
      description:
        'What a read does while the leader is unreachable: ask a follower, whose value may be a little older (counted as possibly stale), or answer an error.',
    }),
    origin: originSchema,
  },
  { description: 'Rules for the keys that share a prefix.' },
);

/** Rules by key prefix. */
export const namespacesSchema = list(namespace, {
  unit: 'namespaces',
  maxItems: 1000,
  description:
    'Rules by key prefix; the same list belongs on every proxy and node. Keys of no namespace follow the defaults.',
});

/** The proxies' own memory. */
export const nearCacheSchema = group(
  {
    mode: oneOf(['off', 'hot-keys', 'always'], {
      default: 'off',
      description:
        'Which values a proxy keeps in its own memory for a short, bounded time, in namespaces with `stalenessMs` above 0: none (`off`), those of keys read more often than `hotKeysPerSecond` (`hot-keys`), or all that are read (`always`).',
    }),
    maxBytes: size({
      minimum: '1mb',
      maximum: '64gb',
      default: '64mb',
      formula: 'each thread has maxBytes / (proxy.workers + 1), or all of it with one worker',
      description: 'Memory of one proxy process for such values.',
    }),
    hotKeysPerSecond: whole({
      minimum: 1,
      maximum: 1_000_000,
      unit: 'reads/s',
      default: 500,
      formula:
        'a worker thread that gets its share of the reads finds a key hot at hotKeysPerSecond / proxy.workers',
      description:
        'Reads of one key through one proxy, from which on the key is hot. Found within a second; cold again within ten.',
    }),
    minTtlMs: milliseconds({
      minimum: 1,
      maximum: 3_600_000,
      default: 1000,
      description: 'The shortest time for which a value is kept.',
    }),
    maxTtlMs: milliseconds({
      minimum: 1,
      maximum: 3_600_000,
      default: 5000,
      formula: 'minTtlMs <= maxTtlMs; at most stalenessMs, and never beyond the expiry of the key itself',
      description:
        'The longest time for which a value is kept. Each is kept for a random time between the two, so that not all are fetched again at once.',
    }),
  },
  { description: 'Near cache (L1) of each proxy.' },
);

/** How reads are spread when a shard has too much to do. */
export const balanceSchema = group(
  {
    mode: oneOf(['off', 'followers', 'overflow'], {
      default: 'off',
      description:
        'Where hot keys (`nearCache.hotKeysPerSecond`) are read while the leader of their shard has too much to do, in namespaces with `stalenessMs` above 0 and neither an origin nor hedged reads, as far as a near cache does not answer: nowhere else (`off`), at the followers too (`followers`), or there and then at other shards, which keep copies for a moment (`overflow`).',
    }),
    loadFactor: decimal({
      minimum: 1.05,
      maximum: 10,
      unit: 'ratio',
      default: 1.25,
      formula: 'too much = more than loadFactor x the mean load of all shards, and than 50',
      description:
        'What a node may have to do, in parts of the mean. Load is commands of the last second and in flight: those of this proxy, and what nodes report of others. Nearer to 1 spreads more evenly, and reads more often elsewhere.',
    }),
    copyTtlMs: milliseconds({
      minimum: 10,
      maximum: 60_000,
      default: 1000,
      formula: 'at most stalenessMs, and never beyond the expiry of the key itself',
      description: 'How long another shard keeps a copy.',
    }),
  },
  { description: 'Bounded load: reads of shards that have too much to do.' },
);
