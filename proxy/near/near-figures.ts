import type { NamespaceRules } from '../core/namespace-rules.ts';

/** What is counted for each namespace. */
const NAMES = [
  'hits',
  'staleHits',
  'joined',
  'bypasses',
  'fills',
  'voidedFills',
  'evictions',
  'drops',
] as const;
export type NearCount = (typeof NAMES)[number];

/** Place of each count. */
export const NearStat = Object.freeze(Object.fromEntries(NAMES.map((name, i) => [name, i]))) as Readonly<
  Record<NearCount, number>
>;

/** What one namespace's near cache did, in one thread. */
export type NamespaceFigures = { readonly namespace: string } & Readonly<Record<NearCount, number>>;

/** Counts what the near cache of one thread does, by namespace. */
export class NearFigures {
  readonly #namespaces: readonly NamespaceRules[];
  readonly #counts: Float64Array;

  constructor(namespaces: readonly NamespaceRules[]) {
    this.#namespaces = namespaces;
    this.#counts = new Float64Array(namespaces.length * NAMES.length);
  }

  /** One more, of the namespace with this index. */
  add(stat: number, namespace: number): void {
    this.#counts[namespace * NAMES.length + stat]++;
  }

  /** By now, of every namespace that has a near cache. */
  all(): NamespaceFigures[] {
    return this.#namespaces
      .filter(({ nearCache }) => nearCache !== 'off')
      .map(({ name, index }) => {
        const counts = NAMES.map((stat, i) => [stat, this.#counts[index * NAMES.length + i]]);
        return { namespace: name, ...Object.fromEntries(counts) };
      });
  }

  reset(): void {
    this.#counts.fill(0);
  }
}

/** The figures of all threads, one for each namespace. */
export function summed(figures: readonly NamespaceFigures[]): NamespaceFigures[] {
  const sums = new Map<string, NamespaceFigures>();
  for (const one of figures) {
    const sum = sums.get(one.namespace);
    const counts = NAMES.map((stat) => [stat, one[stat] + (sum?.[stat] ?? 0)]);
    sums.set(one.namespace, { namespace: one.namespace, ...Object.fromEntries(counts) });
  }
  return [...sums.values()];
}
