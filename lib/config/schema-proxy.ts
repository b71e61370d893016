import type { Static } from '@sinclair/typebox';
import {
  address,
  group,
  list,
  milliseconds,
  oneOf,
  port,
  ratio,
  size,
  text,
  typed,
  whole,
} from './option.ts';
import { resilienceSchema } from './schema-resilience.ts';
import { shadowSchema } from './schema-shadow.ts';
import { ownTlsSchema } from './schema-shared.ts';
import { upstreamSchema } from './schema-upstream.ts';
import { warmUpSchema } from './schema-warm-up.ts';

const limits = group(
  {
    maxConnections: whole({
      minimum: 1,
      maximum: 1_000_000,
      unit: 'connections',
      default: 10_000,
      description:
        'Client connections of one worker, per listener. One more is told so (not over gRPC, nor with TLS), counted and closed.',
    }),
    maxBulkBytes: size({
      minimum: '1kb',
      maximum: '512mb',
      default: '64mb',
      description:
        'The largest key or value a client may send over RESP. A longer one is a protocol error and closes its connection.',
    }),
    maxArrayLength: whole({
      minimum: 16,
      maximum: 1_048_576,
      unit: 'arguments',
      default: 1_048_576,
      description: 'The most arguments one command may have.',
    }),
    maxInlineBytes: size({
      minimum: '64',
      maximum: '1mb',
      default: '64kb',
      description: 'The longest line of a command typed by hand (inline command).',
    }),
    maxInFlightPerConnection: whole({
      minimum: 1,
      maximum: 1_000_000,
      unit: 'commands',
      default: 10_000,
      description:
        'Commands of one client that wait for an answer. At the limit the proxy stops reading from that client until answers have left.',
    }),
    maxInFlightPerShard: whole({
      minimum: 1,
      maximum: 10_000_000,
      unit: 'commands',
      default: 100_000,
      description:
        'Commands of one worker that wait for one shard. Further ones are answered OVERLOADED and not sent.',
    }),
    maxCommandsPerSecond: whole({
      minimum: 1,
      maximum: 100_000_000,
      unit: '1/s',
      default: null,
      description:
        "Commands of one client identity a second, in each worker: of an ACL user; of who is not logged in, by the name of its certificate, or the address where clients show none. Further ones are answered OVERLOADED (HTTP 429) and not executed. After a rest one second's worth may come at once. Left out: no limit.",
    }),
    maxItemBytes: size({
      minimum: '1kb',
      maximum: '512mb',
      default: '1mb',
      description:
        'The largest value a client may store over memcached. A longer one is answered `SERVER_ERROR object too large for cache`, and a `set` of it deletes the item, as memcached does.',
    }),
    maxWaitsPerNode: whole({
      minimum: 1,
      maximum: 10_000,
      unit: 'connections',
      default: 64,
      description:
        'WAIT commands of one worker that one node answers at once, each on a connection of its own. Further ones queue for up to `operationTimeoutMs`, then are answered OVERLOADED.',
    }),
    maxPrivateConnectionsPerNode: whole({
      minimum: 1,
      maximum: 100_000,
      unit: 'connections',
      default: 1024,
      description:
        'Connections of one worker to one node that one client each has for itself: blocking commands, and transactions that WATCH. A command that needs one more is answered OVERLOADED.',
    }),
    maxDatabaseLinksPerNode: whole({
      minimum: 1,
      maximum: 30,
      unit: 'connections',
      default: 30,
      description:
        'Connections of one worker to one node for databases other than 0, one for each database and RESP version in use; closed after a minute without use. A command that needs one more while all are busy is answered OVERLOADED.',
    }),
    maxBufferedBytesPerConnection: size({
      minimum: '64kb',
      maximum: '4gb',
      default: '128mb',
      formula: 'maxBufferedBytesPerConnection >= maxBulkBytes',
      description:
        'Requests not yet sent and replies not yet read of one client. At the limit the proxy stops reading from it; a client that lets replies pile up beyond it is closed.',
    }),
    maxUnreadMessageBytes: size({
      minimum: '64kb',
      maximum: '4gb',
      default: '32mb',
      description:
        'Messages (of subscriptions, MONITOR and CLIENT TRACKING) that one client has not read. A client beyond it is closed; nobody else waits for it.',
    }),
    maxSubscriptions: whole({
      minimum: 1,
      maximum: 100_000_000,
      unit: 'subscriptions',
      default: 1_000_000,
      description:
        'Channels and patterns that the clients of one worker listen to, counted for each client. SUBSCRIBE to more is answered OVERLOADED.',
    }),
    maxHttpBodyBytes: size({
      minimum: '1kb',
      maximum: '512mb',
      default: '64mb',
      description:
        'The largest HTTP body and gRPC message. A larger one is answered 413 or RESOURCE_EXHAUSTED.',
    }),
    maxApiBytes: size({
      minimum: '1mb',
      maximum: '64gb',
      default: '256mb',
      formula: 'maxApiBytes >= maxHttpBodyBytes; memory of the HTTP and gRPC listeners <= 2 x maxApiBytes',
      description:
        'Bodies being received and answers not yet read of all clients, for HTTP and for gRPC each. Beyond it requests are answered 503 or RESOURCE_EXHAUSTED.',
    }),
    handshakeTimeoutMs: milliseconds({
      minimum: 100,
      maximum: 600_000,
      default: 10_000,
      description: 'How long a TLS handshake may take before the connection is closed.',
    }),
    headerTimeoutMs: milliseconds({
      minimum: 100,
      maximum: 600_000,
      default: 10_000,
      description:
        'How long a client may take to send one whole request once it has begun (slow-loris); then its connection is closed.',
    }),
    idleTimeoutMs: milliseconds({
      minimum: 0,
      maximum: 86_400_000,
      default: 0,
      description:
        'A client connection silent between requests for this long is closed; 0 keeps it for ever.',
    }),
    stalledReaderTimeoutMs: milliseconds({
      minimum: 0,
      maximum: 86_400_000,
      default: 60_000,
      description:
        'A RESP client that takes none of the replies that wait for it for this long is closed; until then it is not read from. 0 keeps it for ever.',
    }),
  },
  { description: 'What one client, or all of them, may use of this proxy.' },
);

const user = group(
  {
    name: text({
      maxLength: 255,
      pattern: '^\\S+$',
      expects: 'a name without spaces',
      description: 'Name that clients give with AUTH.',
    }),
    rules: text({
      unit: 'secret',
      description:
        'Rules as ACL SETUSER takes them, with spaces between: `on >password ~app:* +@read`. `#` and a SHA-256 instead of `>` and a password keeps it out of the file.',
    }),
  },
  { description: 'One user.' },
);

const accessLog = group(
  {
    path: text({
      default: null,
      unit: 'path',
      description: 'File that lines are appended to, made with its folders; stderr without one.',
    }),
    sample: ratio({
      default: 0,
      description:
        'Part of the commands that is logged, picked at random: 0 for none, 0.01 for one of a hundred, 1 for all. Each costs about 10 µs.',
    }),
    slowerThanMs: milliseconds({
      minimum: 1,
      maximum: 600_000,
      default: null,
      description: 'Commands that take so long or longer are logged too, whether picked or not.',
    }),
    keys: oneOf(['hash', 'plain'], {
      default: 'hash',
      description:
        'How keys are shown: by the hash that places them on the ring (`keyHash`), or as they are (`key`), which may tell secrets.',
    }),
  },
  {
    description:
      'One line of JSON for each command that is picked or slow: when, by which listener, whose, what, where, how long, and how it ended.',
  },
);

type ClientTls = 'inherit' | 'off' | Static<typeof ownTlsSchema>;

/** Options of `ringside proxy`. */
export const proxySchema = group(
  {
    id: text({
      default: null,
      maxLength: 255,
      pattern: '^\\S+$',
      expects: 'a name without spaces',
      description: 'Name of this proxy in status and metrics; by default host name and process id.',
    }),
    bind: text({
      default: '127.0.0.1',
      unit: 'address',
      description:
        'Address of the client listeners. A sidecar stays on 127.0.0.1, where only the pod reaches it.',
    }),
    respPort: port({ default: 7379, description: 'RESP (Redis) port for clients.' }),
    memcachedPort: port({ default: 7311, description: 'memcached port for clients.' }),
    httpPort: port({ default: 7380, description: 'HTTP port for clients.' }),
    grpcPort: port({ default: 7381, description: 'gRPC port for clients.' }),
    adminBind: text({
      default: null,
      unit: 'address',
      description:
        'Address of the admin listener, where probes and scrapes come from outside; by default `bind`.',
    }),
    adminPort: port({
      default: 7390,
      description: 'HTTP port for health, readiness, metrics, status and drain.',
    }),
    adminTls: oneOf(['inherit', 'off'], {
      default: 'inherit',
      description:
        'TLS of the admin port: as the client listeners (`clientTls`), or none, where probes and scrapes come without a certificate (Kubernetes).',
    }),
    adminAdvertise: address({
      default: null,
      description: 'Address under which others reach the admin port; by default the address it listens on.',
    }),
    workers: whole({
      minimum: 1,
      maximum: 256,
      unit: 'threads',
      default: 1,
      formula: 'upstream connections = workers x nodes; limits count per worker',
      description:
        'Threads that share the listeners. More use more cores, and more connections to each node.',
    }),
    controlPlane: address({
      default: null,
      description:
        "The control plane's gRPC address, where the ring comes from. Either this or `upstreams`, of which only gutter shards may stand beside it.",
    }),
    dir: text({
      default: null,
      unit: 'path',
      description:
        'Folder for the last known good ring. Without it a restarted proxy needs the control plane to learn the ring.',
    }),
    engine: oneOf(['ringside', 'redis'], {
      default: 'ringside',
      description:
        'What the upstreams are that do not say it themselves. `redis`: redis-servers or Valkeys of a fixed ring, followed by their `ROLE` or their Sentinels, never promoted by Ringside; no fencing of epochs, no versions, and what needs them answers `not supported by engine redis`.',
    }),
    upstreams: list(upstreamSchema, {
      unit: 'shards',
      maxItems: 1000,
      description: 'A fixed ring instead of a control plane; with one, gutter shards only.',
    }),
    requirePass: text({
      default: null,
      unit: 'secret',
      description:
        "Password of the user `default`, which this proxy's clients give with AUTH, and as `Authorization: Bearer` over HTTP and gRPC. Without it everybody who reaches the port is let in.",
    }),
    users: list(user, {
      unit: 'users',
      maxItems: 1000,
      description:
        'Users of RESP and memcached clients beside `default`, or what `default` may do. Rules are checked by the proxy; its nodes know nothing of them.',
    }),
    aclFile: text({
      default: null,
      unit: 'path',
      description:
        "File of users in Redis's form (`user NAME RULES`), read at the start and by ACL LOAD, written by ACL SAVE. Excludes `users` and `requirePass`.",
    }),
    accessLog,
    nodePassword: text({
      default: null,
      unit: 'secret',
      description: "The nodes' `requirePass`, which the proxy gives when it connects.",
    }),
    clientTls: typed<ClientTls>({
      anyOf: [{ type: 'string', enum: ['inherit', 'off'] }, ownTlsSchema],
      default: 'inherit',
      unit: 'word or group',
      expects: '`inherit`, `off` or a group with `ca`, `cert`, `key` and `allowedNames`',
      description:
        'TLS of the client listeners: as the fleet (`tls`), none, or certificates of their own. `off` suits a sidecar that listens on 127.0.0.1 only.',
    }),
    operationTimeoutMs: milliseconds({
      minimum: 10,
      maximum: 600_000,
      default: 1000,
      formula: 'operationTimeoutMs > readTimeoutMs',
      description:
        'Deadline of one command, retries included. A write without an answer by then is reported as of unknown outcome, a read as timed out. A gRPC call with a shorter deadline of its own ends at that.',
    }),
    readTimeoutMs: milliseconds({
      minimum: 1,
      maximum: 600_000,
      default: 250,
      description: 'How long a read waits for the leader before a follower is asked.',
    }),
    connectTimeoutMs: milliseconds({
      minimum: 10,
      maximum: 600_000,
      default: 500,
      description: 'How long opening a connection to a node may take before it counts as unreachable.',
    }),
    drainTimeoutMs: milliseconds({
      minimum: 0,
      maximum: 600_000,
      default: 10_000,
      description:
        'After SIGTERM: how long commands under way may take to finish before connections are closed.',
    }),
    limits,
    resilience: resilienceSchema,
    warmUp: warmUpSchema,
    shadow: shadowSchema,
  },
  { description: 'One process that clients talk to (`ringside proxy`).' },
);
