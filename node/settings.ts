/** What is evicted when the memory budget is used up. */
export type EvictionPolicy = 'allkeys-lru' | 'noeviction';

/** Settings that CONFIG SET may change while the node runs. */
export class Settings {
  /** Bytes; 0 for no limit. */
  maxMemoryBytes: number;
  maxMemoryPolicy: EvictionPolicy;
  /** Empty: no password. */
  requirePass: string;
  /** Milliseconds after which a silent client is closed; 0 never. */
  idleTimeoutMs: number;
  /** Settings that cannot be changed, by Redis's name. */
  readonly fixed: Map<string, string>;

  constructor(fields: {
    maxMemoryBytes: number;
    maxMemoryPolicy: EvictionPolicy;
    requirePass: string;
    idleTimeoutMs: number;
    fixed: Map<string, string>;
  }) {
    this.maxMemoryBytes = fields.maxMemoryBytes;
    this.maxMemoryPolicy = fields.maxMemoryPolicy;
    this.requirePass = fields.requirePass;
    this.idleTimeoutMs = fields.idleTimeoutMs;
    this.fixed = fields.fixed;
  }
}
