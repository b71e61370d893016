import type { MemoryPolicy } from './eviction.ts';
import type { OutputLimits, SavePoint } from './settings/kinds-of-lists.ts';

const MIB = 1 << 20;

/** When the AOF is put on disk. */
export type AppendFsync = 'always' | 'everysec' | 'no';

/** Settings that CONFIG SET may change while the node runs, as what goes by them wants them. */
export class Settings {
  /** Bytes; 0 for no limit. */
  maxMemoryBytes: number;
  maxMemoryPolicy: MemoryPolicy;
  /** Bytes that the buffers of all clients may take; a negative figure is a percentage of `maxMemoryBytes`; 0 for no limit. */
  maxClientBytes = 0;
  /** Empty: no password. */
  requirePass: string;
  /** Milliseconds after which a silent client is closed; 0 never. */
  idleTimeoutMs: number;
  maxClients: number;
  /** Longest argument, and longest string. */
  maxBulkBytes: number;
  outputLimits: OutputLimits = {
    normal: { hardBytes: 0, softBytes: 0, softSeconds: 0 },
    replica: { hardBytes: 256 * MIB, softBytes: 64 * MIB, softSeconds: 60 },
    pubsub: { hardBytes: 32 * MIB, softBytes: 8 * MIB, softSeconds: 60 },
  };
  /** Followers without which a leader refuses writes; 0: none needed. */
  minReplicasToWrite = 0;
  /** Milliseconds of silence after which a follower does not count for that; 0: no write is refused. */
  minReplicasMaxLagMs = 10_000;
  /** How often a leader says something to followers that are no nodes, milliseconds. */
  replPingMs = 10_000;
  /** Milliseconds of silence after which a link is given up whose other end is no node, or sends or loads a snapshot. */
  replTimeoutMs = 60_000;
  /** Whether a follower refuses its clients' writes. */
  replicaReadOnly = true;
  /** Whether a follower whose link is down answers reads with what it has. */
  servesStaleData = true;
  /** Keys that client tracking remembers; 0 for no limit. */
  trackingTableMaxKeys = 1_000_000;
  /** Microseconds from which on a command is put into the slow log; -1 for none. */
  slowlogSlowerThanUs = 10_000;
  slowlogMaxLength = 128;
  /** Milliseconds from which on the latency monitor takes note; 0 for never. */
  latencyThresholdMs = 0;
  /** Whether durations of commands are kept as histograms. */
  latencyTracking = true;
  /** What INFO shows of them. */
  latencyPercentiles: readonly number[] = [50, 99, 99.9];
  /** When a snapshot is due; empty: never. */
  savePoints: readonly SavePoint[] = [];
  /** Whether a snapshot that failed makes writes refused until one succeeds. */
  stopWritesOnSaveError = true;
  /** Whether snapshots compress strings. */
  compressesSnapshots = true;
  /** When what is appended to the AOF is put on disk: before the reply, once a second, or when the system does. */
  appendFsync: AppendFsync = 'everysec';
  /** Whether the AOF is not synced while a snapshot is written. */
  skipsFsyncOnRewrite = false;
  /** Growth of the AOF since its last rewrite, in percent, at which it is rewritten; 0 for never. */
  rewritePercentage = 100;
  /** Bytes up to which it is not. */
  rewriteMinBytes = 64 * MIB;
  aclLogMaxLength = 128;
  /** Whether a new user may use all channels of publish and subscribe. */
  newUsersHaveAllChannels = false;
  /** Settings given at the start, by Redis's name. */
  readonly fixed: Map<string, string>;
  /** Settings that are only remembered, by Redis's name; what nobody has set is not in it. */
  readonly kept = new Map<string, string>();

  constructor(fields: {
    maxMemoryBytes: number;
    maxMemoryPolicy: MemoryPolicy;
    requirePass: string;
    idleTimeoutMs: number;
    maxClients: number;
    maxBulkBytes: number;
    fixed: Map<string, string>;
  }) {
    this.maxMemoryBytes = fields.maxMemoryBytes;
    this.maxMemoryPolicy = fields.maxMemoryPolicy;
    this.requirePass = fields.requirePass;
    this.idleTimeoutMs = fields.idleTimeoutMs;
    this.maxClients = fields.maxClients;
    this.maxBulkBytes = fields.maxBulkBytes;
    this.fixed = fields.fixed;
  }
}
