/** What is counted of one origin in one thread. */
const NAMES = [
  'values',
  'absences',
  'failures',
  'timeouts',
  'refused',
  'queueFull',
  'joined',
  'stale',
  'refreshes',
  'earlyRefreshes',
  'late',
  'unstored',
  'gaveUp',
] as const;

export type FillFigure = (typeof NAMES)[number];

/** Figures of one origin in one thread, as plain data. */
export interface OriginFigures {
  readonly namespace: string;
  readonly breaker: string;
  /** Requests at the origin now, and keys that wait for their turn. */
  readonly inFlight: number;
  readonly queued: number;
  readonly counts: Readonly<Record<FillFigure, number>>;
}

/** Counters that begin at 0. */
export function newCounts(): Record<FillFigure, number> {
  return Object.fromEntries(NAMES.map((name) => [name, 0])) as Record<FillFigure, number>;
}
