/** What is counted. */
const NAMES = ['sent', 'equal', 'different', 'failed', 'uncompared', 'dropped', 'unsupported'] as const;
export type ShadowCount = (typeof NAMES)[number];

/** What shadowing did, in one thread or in all. */
export type ShadowCounts = Readonly<Record<ShadowCount, number>>;

/** Counters that begin at 0. */
export function newShadowCounts(): Record<ShadowCount, number> {
  return Object.fromEntries(NAMES.map((name) => [name, 0])) as Record<ShadowCount, number>;
}

/** The counts of all threads. */
export function sumOfShadowCounts(counts: readonly ShadowCounts[]): ShadowCounts {
  const sum = newShadowCounts();
  for (const one of counts) for (const name of NAMES) sum[name] += one[name];
  return sum;
}

/** Shadowing, as the admin listener shows it. */
export interface ShadowStatus {
  /** Leaders of the other cluster. */
  readonly to: readonly (string | null)[];
  readonly share: number;
  readonly counts: ShadowCounts;
}
