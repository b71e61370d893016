/** Counters of which rates are made. */
export interface RateSample {
  readonly commands: number;
  readonly inputBytes: number;
  readonly outputBytes: number;
}

/** Counters since the start, or since CONFIG RESETSTAT. Plain fields: they are incremented on the hot path. */
export class NodeStats {
  commands = 0;
  connectionsReceived = 0;
  connectionsRefused = 0;
  inputBytes = 0;
  outputBytes = 0;
  /** Error replies by code (`ERR`, `READONLY` …). */
  readonly errors = new Map<string, number>();
  fullSyncs = 0;
  partialSyncsAccepted = 0;
  partialSyncsRefused = 0;
  /** Connections closed because their output passed the limit. */
  outputLimitKills = 0;
  /** Connections closed because the buffers of all clients took more than they may. */
  evictedClients = 0;
  /** Connections closed because a write was to be acknowledged without a lease. */
  leaseLossKills = 0;
  /** Writes answered UNKNOWN. */
  unknownWrites = 0;
  usedBytesPeak = 0;
  /** Over the last second or so. */
  commandsPerSecond = 0;
  inputBytesPerSecond = 0;
  outputBytesPerSecond = 0;
  /** Milliseconds that looking for expired entries took. */
  expireCycleMs = 0;

  countError(code: string): void {
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1);
  }

  /** To be called once a second with what the counters were a second before; returns what they are. */
  sampleRates(before: RateSample): RateSample {
    const now = { commands: this.commands, inputBytes: this.inputBytes, outputBytes: this.outputBytes };
    this.commandsPerSecond = Math.max(0, now.commands - before.commands);
    this.inputBytesPerSecond = Math.max(0, now.inputBytes - before.inputBytes);
    this.outputBytesPerSecond = Math.max(0, now.outputBytes - before.outputBytes);
    return now;
  }

  reset(): void {
    this.errors.clear();
    Object.assign(this, { ...new NodeStats(), errors: this.errors });
  }
}
