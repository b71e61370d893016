import t from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { configFrom } from '../../lib/config/index.ts';
import { NamespaceMatcher } from '../../proxy/core/namespace-rules.ts';

function matcherOf(prefixes: readonly string[], rest: object = {}): NamespaceMatcher {
  const namespaces = prefixes.map((prefix, i) => ({ name: `n${i}`, prefix, ...rest }));
  return new NamespaceMatcher(configFrom({ namespaces }));
}

const nameOf = (matcher: NamespaceMatcher, key: string) => {
  const bytes = Buffer.from(`<<${key}>>`);
  return matcher.rulesOf(bytes, 2, bytes.length - 2).name;
};

t.test('the longest prefix wins, as an obvious search finds it', async (t) => {
  const random = seededRandom(1);
  const word = (most: number) =>
    Array.from({ length: random.int(most + 1) }, () => 'ab:'[random.int(3)]).join('');
  for (let round = 0; round < 50; round++) {
    const prefixes = [...new Set(Array.from({ length: 8 }, () => word(4)))];
    const matcher = matcherOf(prefixes);
    for (let i = 0; i < 50; i++) {
      const key = word(8);
      const fitting = prefixes.filter((prefix) => key.startsWith(prefix));
      const longest = fitting.toSorted((a, b) => b.length - a.length)[0];
      const expected = longest === undefined ? 'default' : `n${prefixes.indexOf(longest)}`;
      t.equal(nameOf(matcher, key), expected, `${key} of ${prefixes}`);
    }
  }
});

t.test(
  'the near cache needs a staleness bound, and the namespace its own word or the general one',
  async (t) => {
    const config = configFrom({
      nearCache: { mode: 'always' },
      namespaces: [
        { name: 'strict', prefix: 's:' },
        { name: 'general', prefix: 'g:', stalenessMs: 100 },
        { name: 'own', prefix: 'o:', stalenessMs: 100, nearCache: 'hot-keys', readFallback: 'off' },
      ],
    });
    const matcher = new NamespaceMatcher(config);
    t.same(
      matcher.all.map(({ name, nearCache, stalenessMs, mayFallBack }) => [
        name,
        nearCache,
        stalenessMs,
        mayFallBack,
      ]),
      [
        ['default', 'off', 0, true],
        ['strict', 'off', 0, true],
        ['general', 'always', 100, true],
        ['own', 'hot-keys', 100, false],
      ],
    );
    t.same(
      matcher.all.map(({ index }) => index),
      [0, 1, 2, 3],
    );
    t.notOk(matcher.neverRestricts);
    t.ok(matcherOf(['a']).neverRestricts);
  },
);
