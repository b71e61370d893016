import type { NamespaceRules } from '../core/namespace-rules.ts';
import { type NearState, NO_NEAR_CACHE } from '../core/near-port.ts';

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

  /** So many more, of the namespace with this index. */
  add(stat: number, namespace: number, times = 1): void {
    this.#counts[namespace * NAMES.length + stat] += times;
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

/** The least telling first. */
const TELLING: readonly NearState['state'][] = ['off', 'absent', 'filling', 'pass', 'miss', 'value'];

/** What the thread says that knows most of a key. */
export function mostTelling(states: readonly NearState[]): NearState {
  const rank = ({ state }: NearState) => TELLING.indexOf(state);
  return states.reduce((most, one) => (rank(one) > rank(most) ? one : most), NO_NEAR_CACHE);
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
