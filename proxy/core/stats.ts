/** What a worker counts, by name. */
const NAMES = [
  'commands',
  'connectionsAccepted',
  'connectionsOpen',
  'connectionsRefused',
  'connectionsCut',
  'protocolErrors',
  'readRetries',
  'possiblyStaleReads',
  'writeRetries',
  'writesUnknown',
  'readTimeouts',
  'shardDownErrors',
  'overloadedErrors',
  'upstreamFailures',
  'waitCommands',
  'breakerRefusals',
  'queueRefusals',
  'retriesRefused',
  'gutterReads',
  'gutterWrites',
] as const;

export type StatName = (typeof NAMES)[number];

/** Index of each counter. */
export const Stat = Object.freeze(Object.fromEntries(NAMES.map((name, i) => [name, i]))) as Readonly<
  Record<StatName, number>
>;

/**
 * Counters of one worker: a plain array in shared memory, so that the main thread adds up all workers without asking them and an
 * increment costs one store.
 */
export class Stats {
  readonly counts: Float64Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(NAMES.length * 8)) {
    this.counts = new Float64Array(memory);
  }

  /** What another thread needs to read along: `new Stats(memory)`. */
  get memory(): SharedArrayBuffer {
    return this.counts.buffer as SharedArrayBuffer;
  }

  add(index: number, by = 1): void {
    this.counts[index] += by;
  }

  /** Everything begins again at 0, but what there is now. */
  reset(): void {
    const open = this.counts[Stat.connectionsOpen];
    this.counts.fill(0);
    this.counts[Stat.connectionsOpen] = open;
  }

  get(name: StatName): number {
    return this.counts[Stat[name]];
  }
}

/** The sum of one counter over several workers. */
export function sumOf(stats: readonly Stats[], name: StatName): number {
  return stats.reduce((sum, one) => sum + one.get(name), 0);
}
