import { address, flag, group, milliseconds, oneOf, port, size, text, whole } from './option.ts';

const OUTPUT_CLASS = '(normal|pubsub|replica|slave)( +[0-9]{1,15}([kmgKMG][bB]?)?){2} +[0-9]{1,9}';
const OUTPUT_CLASSES = `^${OUTPUT_CLASS}( +${OUTPUT_CLASS})*$`;

/** Nothing that leads elsewhere. */
const FILE_NAME = '^(?!\\.{1,2}$)[^/\\\\]+$';

const limits = group(
  {
    maxConnections: whole({
      minimum: 1,
      maximum: 1_000_000,
      unit: 'connections',
      default: 10_000,
      description:
        'Clients, proxies and followers connected at once. One more is told so and closed; the others are not affected.',
    }),
    maxBulkBytes: size({
      minimum: '1kb',
      maximum: '512mb',
      default: '512mb',
      description:
        'The largest argument (key or value) a command may carry. A longer one is a protocol error and closes the connection.',
    }),
    maxArrayLength: whole({
      minimum: 16,
      maximum: 1_048_576,
      unit: 'arguments',
      default: 1_048_576,
      description:
        'The most arguments one command may have. More is a protocol error and closes the connection.',
    }),
    maxInlineBytes: size({
      minimum: '64',
      maximum: '1mb',
      default: '64kb',
      description:
        'The longest line of a command typed by hand (inline command). A longer one closes the connection.',
    }),
    maxOutputBytes: size({
      minimum: '1mb',
      maximum: '64gb',
      default: '256mb',
      formula: 'memory held for replies <= maxConnections x maxOutputBytes',
      description:
        'Replies waiting for one client that does not read them. Beyond it the connection is closed.',
    }),
    clientOutputBuffer: text({
      default: 'normal 0 0 0 pubsub 32mb 8mb 60',
      pattern: OUTPUT_CLASSES,
      expects: '`class hard soft seconds`, once or several times',
      description:
        "Redis's `client-output-buffer-limit`: what else closes a client of the class `normal`, `pubsub` or `replica` that does not read, at once beyond the hard limit, after so many seconds beyond the soft one; 0 for no limit. The hard limit of `replica` is `node.replication.maxOutputBytes` unless this names that class.",
    }),
    handshakeTimeoutMs: milliseconds({
      minimum: 100,
      maximum: 600_000,
      default: 10_000,
      description: 'How long a TLS handshake may take before the connection is closed.',
    }),
    maxFences: whole({
      minimum: 1,
      maximum: 10_000_000,
      unit: 'names',
      default: 100_000,
      formula: 'memory <= maxFences x (140 bytes + the name)',
      description:
        'Names of fences (`FENCE name token`) whose highest token the node keeps, for ever. One more is refused: dropping one would let an old holder write again.',
    }),
    maxLeases: whole({
      minimum: 1,
      maximum: 10_000_000,
      unit: 'leases',
      default: 100_000,
      description:
        'Leases to fill a missing or stale value held at once. While there are so many, no further one is handed out, and a miss is filled by whoever sees it.',
    }),
    maxIdempotencyKeys: whole({
      minimum: 1,
      maximum: 1_000_000,
      unit: 'keys',
      default: 100_000,
      formula: 'memory <= maxIdempotencyKeys x 500 bytes',
      description:
        'Answers to writes with an idempotency key that are kept for 10 minutes, to be given again when the write comes again. Of more than these the oldest are forgotten.',
    }),
    maxTagBytes: size({
      minimum: '64kb',
      maximum: '64gb',
      default: '256mb',
      formula:
        'a tagged key takes about 150 bytes + the key + 60 bytes for each tag, and each different tag 500 bytes',
      description:
        'Memory for the index from tags to keys, a part of `node.maxMemoryBytes`. Beyond it writes with tags are refused.',
    }),
    maxCopyBytes: size({
      minimum: '0',
      maximum: '64gb',
      default: '16mb',
      formula: 'a copy takes its key, its value and about 300 bytes; none takes more than a quarter',
      description:
        'Memory for copies of values of other shards that proxies keep here for a moment (`balance.mode`), a part of `node.maxMemoryBytes`. The oldest make room, and all of them do before a key is evicted. 0: none are kept.',
    }),
    idleTimeoutMs: milliseconds({
      minimum: 0,
      maximum: 86_400_000,
      default: 0,
      description: 'A client connection silent for this long is closed; 0 keeps it for ever, as Redis does.',
    }),
  },
  { description: 'What one client, or all of them, may use of this node.' },
);

const replication = group(
  {
    backlogBytes: size({
      minimum: '64kb',
      maximum: '4gb',
      default: '16mb',
      formula: 'bridgeable cut in seconds = backlogBytes / bytes written per second',
      description:
        'Recent writes kept so that a follower that was cut off shortly catches up without a full copy. Uses this much memory on leader and follower.',
    }),
    pingMs: milliseconds({
      minimum: 10,
      maximum: 10_000,
      default: 250,
      formula: 'renewals within one lease = leaseMs x 2/3 / pingMs, should be >= 2',
      description:
        'How often a leader speaks to each follower when there is nothing to replicate; carries the renewal of the lease while no control plane answers.',
    }),
    timeoutMs: milliseconds({
      minimum: 100,
      maximum: 600_000,
      default: 3000,
      formula: 'timeoutMs >= 3 x pingMs',
      description:
        'A replication link silent for this long is closed and opened again. Lower finds dead peers sooner and mistakes pauses for death.',
    }),
    maxOutputBytes: size({
      minimum: '1mb',
      maximum: '64gb',
      default: '256mb',
      description:
        'Stream waiting for one follower that does not keep up. Beyond it the link is dropped and the follower resyncs.',
    }),
    minReplicasToWrite: whole({
      minimum: 0,
      maximum: 1000,
      unit: 'followers',
      default: 0,
      description:
        "Redis's `min-replicas-to-write`: a leader with fewer followers than this refuses writes (`no_replicas`). Unlike `ack: replica` it does not wait until one has the write.",
    }),
    minReplicasMaxLagSeconds: whole({
      minimum: 0,
      maximum: 86_400,
      unit: 'seconds',
      default: 10,
      description:
        "Redis's `min-replicas-max-lag`: a follower that was silent for longer does not count for `minReplicasToWrite`. Silence is counted in whole seconds, as in Redis: with 1, a follower counts until it has been silent for 2 s. Followers speak every `pingMs`, a redis-server every second; 0 turns the check off.",
    }),
  },
  { description: 'The stream from a leader to its followers.' },
);

/** Options of `ringside node`. */
export const nodeSchema = group(
  {
    id: text({
      default: null,
      maxLength: 255,
      pattern: '^\\S+$',
      expects: 'a name without spaces',
      description:
        'Name of this node in the fleet; unique, and the same after a restart. Required unless `standalone`. Two live nodes with one id push each other out.',
    }),
    shard: text({
      default: null,
      maxLength: 255,
      pattern: '^\\S+$',
      expects: 'a name without spaces',
      description: 'The shard whose data this node holds. Required unless `standalone`.',
    }),
    weight: whole({
      minimum: 1,
      maximum: 100,
      unit: 'ratio',
      default: 1,
      formula: 'share of the keys = weight / sum of the weights of all shards',
      description: 'Size of this shard relative to the others; counts when the ring is formed.',
    }),
    bind: text({
      default: '127.0.0.1',
      unit: 'address',
      description:
        'Address to listen on. `0.0.0.0` or `::` opens the node to the network: set `tls` or `requirePass` as well.',
    }),
    port: port({
      default: 7501,
      offAllowed: false,
      description: 'RESP port, for proxies, clients and followers.',
    }),
    adminPort: port({
      default: 7601,
      description:
        'HTTP port for health, readiness, metrics and status. Without it probes and scrapes have nothing to ask.',
    }),
    adminTls: oneOf(['inherit', 'off'], {
      default: 'inherit',
      description:
        'TLS of the admin port: as the fleet (`tls`), or none, where probes and scrapes come without a certificate (Kubernetes). It has no password either.',
    }),
    advertise: address({
      default: null,
      description:
        'Address under which others reach the RESP port; by default `bind` and the port in use. Set it behind NAT and in containers.',
    }),
    adminAdvertise: address({
      default: null,
      description: 'Address under which others reach the admin port; by default `bind` and the port in use.',
    }),
    dir: text({
      default: null,
      unit: 'path',
      description:
        'Folder for what must survive a restart (the sealed shard epoch, the highest token of each fence, snapshots of the data set). Without it nothing is kept on disk, fences start anew with the process, and a restarted node waits for the control plane to say what it is.',
    }),
    maxMemoryBytes: size({
      minimum: '1mb',
      maximum: '1024gb',
      default: '256mb',
      formula: 'resident memory <= maxMemoryBytes + replication.backlogBytes + output buffers + 64 MB',
      description:
        'Budget for keys and values with their overhead. Beyond it keys are evicted as `maxMemoryPolicy` says.',
    }),
    maxMemoryPolicy: oneOf(
      [
        'volatile-lru',
        'volatile-lfu',
        'volatile-random',
        'volatile-ttl',
        'allkeys-lru',
        'allkeys-lfu',
        'allkeys-random',
        'noeviction',
        'allkeys-s3-fifo',
      ],
      {
        default: 'allkeys-s3-fifo',
        description:
          "What is evicted when `maxMemoryBytes` is used up, by Redis's names: `volatile` evicts only keys that expire, `noeviction` refuses writes that need memory. `allkeys-s3-fifo` is Ringside's own: keys that were asked for once make room before those that came back.",
      },
    ),
    requirePass: text({
      default: null,
      unit: 'secret',
      description:
        'Password that clients, proxies and followers give with AUTH; the same on all nodes of a shard. Without it everybody who reaches the port is let in.',
    }),
    controlPlane: address({
      default: null,
      description: "The control plane's gRPC address. Required unless `standalone`.",
    }),
    ack: oneOf(['leader', 'replica'], {
      default: 'leader',
      description:
        'When a write is acknowledged, where its namespace does not say: once the leader has it (a failover may lose the last few), or once a follower has it too (slower by a round trip; no single failure loses it; refused while no follower is connected).',
    }),
    ackTimeoutMs: milliseconds({
      minimum: 1,
      maximum: 600_000,
      default: 1000,
      description:
        'How long `ack: replica` waits for a follower before the write is reported as of unknown outcome.',
    }),
    standalone: flag({
      default: false,
      description:
        'A plain RESP server: no control plane, no shard, no lease; always takes writes unless `replicaof` is set.',
    }),
    replicaof: text({
      default: null,
      pattern: '^(?:\\S+ [0-9]{1,5}|no one)$',
      unit: 'host port',
      expects: 'a host and a port with a space between (`10.0.0.5 7501`)',
      description: 'With `standalone`: follow the standalone node at this host and port, and refuse writes.',
    }),
    save: text({
      default: '',
      pattern: '^ *([0-9]{1,9} +[0-9]{1,9}( +[0-9]{1,9} +[0-9]{1,9})*)? *$',
      expects: '`seconds changes`, once or several times, or nothing',
      description:
        "Redis's `save`: an RDB snapshot of the data set is written to `dir` in the background when there have been so many changes and the last one is so many seconds ago; empty for never. A node loads the file when it starts, and lets its followers catch up before it writes the last one.",
    }),
    dbFilename: text({
      default: 'dump.rdb',
      pattern: FILE_NAME,
      expects: 'the name of a file, without a folder',
      description: "Redis's `dbfilename`: the snapshot's file in `dir`.",
    }),
    appendOnly: flag({
      default: false,
      description:
        "Redis's `appendonly`: every write is appended to a file in `dir`, in parts that Redis reads too, and a node loads them when it starts.",
    }),
    appendDirname: text({
      default: 'appendonlydir',
      pattern: FILE_NAME,
      expects: 'the name of a folder, without those above it',
      description: "Redis's `appenddirname`: the folder in `dir` with the parts of the append-only file.",
    }),
    appendFilename: text({
      default: 'appendonly.aof',
      pattern: FILE_NAME,
      expects: 'the name of a file, without a folder',
      description: "Redis's `appendfilename`: what the names of those parts begin with.",
    }),
    appendFsync: oneOf(['everysec', 'always', 'no'], {
      default: 'everysec',
      description:
        "Redis's `appendfsync`: when what has been appended is put on disk for good: before the reply of the write (replies of many clients share one sync), once a second, or when the system does it.",
    }),
    autoAofRewritePercentage: whole({
      minimum: 0,
      maximum: 1_000_000,
      default: 100,
      unit: '%',
      description:
        "Redis's `auto-aof-rewrite-percentage`: the append-only file is rewritten when it has grown so much since the last time; 0: never.",
    }),
    autoAofRewriteMinSize: size({
      minimum: '0',
      maximum: '1024gb',
      default: '64mb',
      description: "Redis's `auto-aof-rewrite-min-size`: a smaller file is not rewritten for its growth.",
    }),
    aofLoadTruncated: flag({
      default: true,
      description:
        "Redis's `aof-load-truncated`: what a crash has left unfinished at the end of the append-only file is cut off when it is loaded, with a warning; otherwise it stops the start.",
    }),
    enableDebugCommand: oneOf(['no', 'local', 'yes'], {
      default: 'no',
      description:
        'Who may use DEBUG: nobody, connections from this host, or everybody. It can stop the node: for tests only.',
    }),
    limits,
    replication,
  },
  { description: 'One process that holds data (`ringside node`).' },
);
