import { Durations, MAX_NS } from './durations.ts';

/** Shortest time told apart. */
const UNIT_NS = 250;
const UNITS_PER_MS = 1e6 / UNIT_NS;
const MAX_UNITS = 0x7fffffff;
/** Each doubling of the time has so many slots: what is counted together differs by less than 1 %. */
const SLOT_BITS = 7;
const SLOTS = 1 << SLOT_BITS;
const LEAST_ZEROS = 31 - SLOT_BITS;
const LENGTH = (LEAST_ZEROS + 1) * SLOTS + SLOTS;

/** Counts of `DurationCounts` that are not zero, as slot, count, slot, count, …; plain data, may be posted between threads. */
export interface CountedDurations {
  readonly slots: readonly number[];
  /** Sum of the times, in milliseconds. */
  readonly elapsedMs: number;
}

/**
 * How long things took, for hot paths: recording is a handful of instructions (5 ns; hdr-histogram-js takes 90), and 25 KB. Slots are
 * those of an HDR histogram (G. Tene) with 7 bits of precision; an hdr-histogram-js is made of them when somebody asks.
 */
export class DurationCounts {
  readonly #counts = new Float64Array(LENGTH);
  /** Sum of the times, in milliseconds. */
  elapsedMs = 0;

  /** Counts `times` things that took `ms` (at least 0) each. */
  record(ms: number, times: number): void {
    const units = Math.min(ms * UNITS_PER_MS, MAX_UNITS) | 0;
    this.#counts[slotOf(units)] += times;
    this.elapsedMs += ms * times;
  }

  /** What was counted, for another thread or to be added up. */
  counted(): CountedDurations {
    const slots: number[] = [];
    for (const [slot, count] of this.#counts.entries()) if (count > 0) slots.push(slot, count);
    return { slots, elapsedMs: this.elapsedMs };
  }

  reset(): void {
    this.#counts.fill(0);
    this.elapsedMs = 0;
  }
}

/** Everything that was counted, as one histogram. */
export function durationsOf(counted: Iterable<CountedDurations>): Durations {
  const durations = new Durations();
  for (const { slots, elapsedMs } of counted) {
    let counts = 0;
    for (let i = 0; i < slots.length; i += 2) {
      durations.record(middleNs(slots[i]), slots[i + 1]);
      counts += slots[i + 1] * middleNs(slots[i]);
    }
    // The sum is known better than from the slots.
    durations.sum += elapsedMs * 1e6 - counts;
  }
  return durations;
}

function slotOf(units: number): number {
  const shift = LEAST_ZEROS - Math.clz32(units | SLOTS);
  return (shift << SLOT_BITS) + (units >> shift);
}

/** The middle of the times that share a slot. */
function middleNs(slot: number): number {
  const shift = Math.max(0, (slot >> SLOT_BITS) - 1);
  const units = (slot - (shift << SLOT_BITS)) * 2 ** shift;
  return Math.min(MAX_NS, Math.max(1, (units + 2 ** shift / 2) * UNIT_NS));
}
