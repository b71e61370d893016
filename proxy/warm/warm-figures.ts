/** What is counted. */
const NAMES = [
  'hits',
  'warmed',
  'misses',
  'outdated',
  'added',
  'addedBytes',
  'overRate',
  'late',
  'unstored',
  'failures',
  'queueFull',
] as const;
export type WarmCount = (typeof NAMES)[number];

/** What a warm-up did, in one thread or in all. */
export type WarmCounts = Readonly<Record<WarmCount, number>>;

/** Counters that begin at 0. */
export function newWarmCounts(): Record<WarmCount, number> {
  return Object.fromEntries(NAMES.map((name) => [name, 0])) as Record<WarmCount, number>;
}

/** The counts of all threads. */
export function sumOfWarmCounts(counts: readonly WarmCounts[]): WarmCounts {
  const sum = newWarmCounts();
  for (const one of counts) for (const name of NAMES) sum[name] += one[name];
  return sum;
}
