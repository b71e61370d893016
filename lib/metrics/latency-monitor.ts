/** Samples that one event keeps, as Redis does. */
const SAMPLES = 160;

/** One time that an event took long. */
export interface LatencySample {
  /** Unix seconds. */
  readonly atS: number;
  readonly ms: number;
}

/** What is known of one kind of event. */
export interface LatencyEvent {
  readonly name: string;
  /** Oldest first, at most one a second. */
  readonly samples: readonly LatencySample[];
  readonly maxMs: number;
}

interface MutableEvent {
  readonly name: string;
  samples: LatencySample[];
  maxMs: number;
}

/** Remembers when events took long: Redis's latency monitor. */
export class LatencyMonitor {
  readonly #events = new Map<string, MutableEvent>();

  /** Takes note of an event of `ms` milliseconds. Within one second only the longest is kept. */
  add(name: string, ms: number, atS: number): void {
    const event = this.#events.get(name) ?? { name, samples: [], maxMs: 0 };
    this.#events.set(name, event);
    event.maxMs = Math.max(event.maxMs, ms);
    const last = event.samples.at(-1);
    if (last?.atS === atS) event.samples[event.samples.length - 1] = { atS, ms: Math.max(ms, last.ms) };
    else event.samples.push({ atS, ms });
    if (event.samples.length > SAMPLES) event.samples.shift();
  }

  get(name: string): LatencyEvent | undefined {
    return this.#events.get(name);
  }

  all(): LatencyEvent[] {
    return [...this.#events.values()];
  }

  /** Forgets the kinds of event named, in any case, or all of them when none is; returns how many there were. */
  reset(names: readonly string[]): number {
    const asked = names.length === 0 ? [...this.#events.keys()] : names.map((name) => name.toLowerCase());
    return asked.filter((name) => this.#events.delete(name)).length;
  }
}
