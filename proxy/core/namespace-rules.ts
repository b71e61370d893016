import type { Config } from '../../lib/config/index.ts';

type NamespaceConfig = Config['namespaces'][number];

/** Which reads of a namespace are answered from a proxy's own memory. */
export type NearCacheMode = Config['nearCache']['mode'];

/** What a proxy does with the keys of one namespace. */
export interface NamespaceRules {
  /** Position in `NamespaceMatcher.all`, for whoever counts by namespace. */
  readonly index: number;
  readonly name: string;
  /** Milliseconds that a value read may be old; 0: reads go to the leader while it answers. */
  readonly stalenessMs: number;
  /** `off` where `stalenessMs` is 0. */
  readonly nearCache: NearCacheMode;
  /** A follower may answer while the leader is unreachable. */
  readonly mayFallBack: boolean;
  /** Everything that the configuration says of it; null of the keys of no namespace. */
  readonly config: NamespaceConfig | null;
}

const NO_NAMESPACE: NamespaceRules = {
  index: 0,
  name: 'default',
  stalenessMs: 0,
  nearCache: 'off',
  mayFallBack: true,
  config: null,
};

interface Prefixed {
  readonly prefix: Buffer;
  readonly rules: NamespaceRules;
}

/** Tells the namespace of a key: that with the longest prefix the key begins with. */
export class NamespaceMatcher {
  /** First what holds for keys of no namespace. */
  readonly all: readonly NamespaceRules[];
  /** By the first byte of the prefix, the longest first. */
  readonly #byFirstByte: readonly (readonly Prefixed[])[];
  /** Of the namespace whose prefix is empty, or of none. */
  readonly #others: NamespaceRules;
  /** Every namespace lets followers answer: no key has to be looked at for that. */
  readonly neverRestricts: boolean;

  constructor({ namespaces, nearCache }: Pick<Config, 'namespaces' | 'nearCache'>) {
    const prefixed = namespaces.map((config, i) => ({
      prefix: Buffer.from(config.prefix),
      rules: rulesFor(config, i + 1, nearCache.mode),
    }));
    this.all = [NO_NAMESPACE, ...prefixed.map(({ rules }) => rules)];
    this.neverRestricts = this.all.every(({ mayFallBack }) => mayFallBack);
    this.#others = prefixed.find(({ prefix }) => prefix.length === 0)?.rules ?? NO_NAMESPACE;
    const longestFirst = prefixed.toSorted((a, b) => b.prefix.length - a.prefix.length);
    this.#byFirstByte = Array.from({ length: 256 }, (_, byte) =>
      longestFirst.filter(({ prefix }) => prefix.length > 0 && prefix[0] === byte),
    );
  }

  /** What holds for the key `buffer[start, end)`. */
  rulesOf(buffer: Buffer, start: number, end: number): NamespaceRules {
    if (start === end) return this.#others;
    const candidates = this.#byFirstByte[buffer[start]];
    for (let i = 0; i < candidates.length; i++) {
      const { prefix, rules } = candidates[i];
      if (beginsWith(buffer, start, end, prefix)) return rules;
    }
    return this.#others;
  }
}

function rulesFor(config: NamespaceConfig, index: number, mode: NearCacheMode): NamespaceRules {
  const { name, stalenessMs, readFallback } = config;
  const nearCache = stalenessMs > 0 ? (config.nearCache ?? mode) : 'off';
  return { index, name, stalenessMs, nearCache, mayFallBack: readFallback === 'follower', config };
}

function beginsWith(buffer: Buffer, start: number, end: number, prefix: Buffer): boolean {
  if (end - start < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) if (buffer[start + i] !== prefix[i]) return false;
  return true;
}
