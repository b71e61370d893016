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
  /** Connections closed because a write was to be acknowledged without a lease. */
  leaseLossKills = 0;
  /** Writes answered UNKNOWN. */
  unknownWrites = 0;
  usedBytesPeak = 0;
  /** Over the last second or so. */
  commandsPerSecond = 0;

  countError(code: string): void {
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1);
  }

  reset(): void {
    this.errors.clear();
    Object.assign(this, { ...new NodeStats(), errors: this.errors });
  }
}
