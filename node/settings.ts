/** What is evicted when the memory budget is used up. */
export type EvictionPolicy = 'allkeys-lru' | 'noeviction';

/** Settings that CONFIG SET may change while the node runs. */
export class Settings {
  /** Bytes; 0 for no limit but that of the JavaScript heap. */
  maxMemoryBytes: number;
  maxMemoryPolicy: EvictionPolicy;
  /** Empty: no password. */
  requirePass: string;
  /** Milliseconds after which a silent client is closed; 0 never. */
  idleTimeoutMs: number;
  /** Bytes of the JavaScript heap that entries may take, since beyond its limit the process would end. */
  readonly maxHeapBytes: number;
  /** Settings that cannot be changed, by Redis's name. */
  readonly fixed: Map<string, string>;

  constructor(fields: {
    maxMemoryBytes: number;
    maxMemoryPolicy: EvictionPolicy;
    requirePass: string;
    idleTimeoutMs: number;
    maxHeapBytes: number;
    fixed: Map<string, string>;
  }) {
    this.maxMemoryBytes = fields.maxMemoryBytes;
    this.maxMemoryPolicy = fields.maxMemoryPolicy;
    this.requirePass = fields.requirePass;
    this.idleTimeoutMs = fields.idleTimeoutMs;
    this.maxHeapBytes = fields.maxHeapBytes;
    this.fixed = fields.fixed;
  }
}
