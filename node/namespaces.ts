import type { NamespacePolicy } from './eviction.ts';

/** What a namespace says about the keys that begin with its prefix. */
export interface NamespaceRule {
  readonly name: string;
  /** As UTF-8. */
  readonly prefix: string;
  /** Budget of its keys on this node; null: only the node's own budget counts. */
  readonly maxBytes: number | null;
  readonly policy: NamespacePolicy;
  /** Seconds; null: a value written without a time to live stays. */
  readonly defaultTtlSeconds: number | null;
  /** Null: no limit of its own. */
  readonly maxValueBytes: number | null;
}

/** The namespace of keys that no prefix covers. */
export const DEFAULT_NAMESPACE = 0;

/**
 * Finds the namespace of a key: the one with the longest prefix that the key begins with. Namespaces are numbered from 1 in the order of the
 * configuration; `DEFAULT_NAMESPACE` takes the rest.
 *
 * Of the prefixes in byte order, the last one that is not above the key begins with every prefix of the key; so the longest is found by a
 * binary search and a walk along the prefixes of that prefix. Nothing is allocated.
 */
export class Namespaces {
  /** Rules by number; null for the default namespace. */
  readonly rules: readonly (NamespaceRule | null)[];
  /** Whether any has a default time to live. */
  readonly givesTtl: boolean;
  /** Whether any bounds its values. */
  readonly boundsValues: boolean;
  /** Whether any has a budget of its own. */
  readonly boundsBytes: boolean;
  readonly #prefixes: readonly Buffer[];
  readonly #numbers: Int32Array;
  /** Place of the longest prefix that is a proper prefix of this one; -1 for none. */
  readonly #shorter: Int32Array;

  constructor(rules: readonly NamespaceRule[]) {
    this.rules = [null, ...rules];
    this.givesTtl = rules.some(({ defaultTtlSeconds }) => defaultTtlSeconds !== null);
    this.boundsValues = rules.some(({ maxValueBytes }) => maxValueBytes !== null);
    this.boundsBytes = rules.some(({ maxBytes }) => maxBytes !== null);
    const sorted = rules
      .map(({ prefix }, i) => ({ prefix: Buffer.from(prefix), number: i + 1 }))
      .sort((a, b) => Buffer.compare(a.prefix, b.prefix));
    this.#prefixes = sorted.map(({ prefix }) => prefix);
    this.#numbers = Int32Array.from(sorted, ({ number }) => number);
    this.#shorter = Int32Array.from(this.#prefixes, (prefix, i) => {
      let at = i - 1;
      while (at >= 0 && !startsWith(prefix, 0, prefix.length, this.#prefixes[at])) at--;
      return at;
    });
  }

  /** How many there are, with the default one. */
  get count(): number {
    return this.rules.length;
  }

  /** Number of the namespace of the key. */
  numberOf(buffer: Uint8Array, start: number, end: number): number {
    const prefixes = this.#prefixes;
    let low = 0;
    let high = prefixes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isAbove(prefixes[middle], buffer, start, end)) high = middle;
      else low = middle + 1;
    }
    let at = low - 1;
    while (at >= 0 && !startsWith(buffer, start, end, prefixes[at])) at = this.#shorter[at];
    return at < 0 ? DEFAULT_NAMESPACE : this.#numbers[at];
  }

  /** Milliseconds that a value of this namespace lives when it is written without a time to live; 0: for ever. */
  ttlMs(number: number): number {
    return (this.rules[number]?.defaultTtlSeconds ?? 0) * 1000;
  }
}

/** No namespaces: every key is in the default one. */
export const noNamespaces: Namespaces = new Namespaces([]);

/** Whether `prefix` comes behind the key in byte order. */
function isAbove(prefix: Uint8Array, key: Uint8Array, start: number, end: number): boolean {
  const shared = Math.min(prefix.length, end - start);
  for (let i = 0; i < shared; i++) {
    const difference = prefix[i] - key[start + i];
    if (difference !== 0) return difference > 0;
  }
  return prefix.length > end - start;
}

function startsWith(key: Uint8Array, start: number, end: number, prefix: Uint8Array): boolean {
  if (end - start < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) if (key[start + i] !== prefix[i]) return false;
  return true;
}
