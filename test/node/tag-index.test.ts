import t from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { LargeMap } from '../../node/cache/large-map.ts';
import { TagBudget, TagIndex } from '../../node/cache/tag-index.ts';

/* The map that spreads against the language's own, and the index of tags against a list. */

t.test('a large map does what a map does', async (t) => {
  const random = seededRandom(20261121);
  const large = new LargeMap<number>();
  const plain = new Map<string, number>();
  // Grows far beyond the first part, and shrinks to nothing, twice.
  for (const target of [30_000, 0, 20_000, 0]) {
    while (plain.size !== target) {
      const key = `k${random.int(60_000)}`;
      const grows = plain.size < target;
      if (plain.has(key) !== large.has(key) || plain.get(key) !== large.get(key)) t.fail(key);
      if (grows && !plain.has(key)) {
        const value = random.u32();
        plain.set(key, value);
        large.add(key, value);
      } else if (!grows && plain.delete(key) !== large.delete(key)) t.fail(`delete ${key}`);
      if (plain.size !== large.size) t.fail(`${large.size} of ${plain.size}`);
    }
    t.same([...large.keys()].sort(), [...plain.keys()].sort(), `${target} keys`);
  }
  large.add('x', 1);
  large.clear();
  t.same([large.size, large.has('x'), [...large.keys()]], [0, false, []]);
});

t.test('tags and keys find each other, and what they take is given back', async (t) => {
  const random = seededRandom(7);
  const budget = new TagBudget(1e9);
  const index = new TagIndex(budget);
  const tagsByKey = new Map<string, string[]>();
  const keysOf = (tag: string) => [...tagsByKey].filter(([, tags]) => tags.includes(tag)).map(([key]) => key);
  for (let i = 0; i < 5000; i++) {
    const key = `k${random.int(300)}`;
    index.remove(key);
    tagsByKey.delete(key);
    if (random.int(3) === 0) continue;
    const tags = [...new Set(Array.from({ length: 1 + random.int(4) }, () => `t${random.int(40)}`))];
    index.add(key, tags);
    tagsByKey.set(key, tags);
  }
  t.equal(index.size, tagsByKey.size);
  for (const [key, tags] of tagsByKey) t.same(index.tagsOf(key), tags);
  for (let i = 0; i < 40; i++) t.equal(index.countOf(`t${i}`), keysOf(`t${i}`).length);
  t.same([...index.takeTag('t1').keys()].sort(), keysOf('t1').sort());
  t.equal(index.countOf('t1'), 0);
  for (const key of tagsByKey.keys()) index.remove(key);
  t.equal(budget.usedBytes, 0, 'nothing is left');
  index.add('a', ['x', 'y']);
  t.ok(budget.usedBytes > 0);
  index.clear();
  t.equal(budget.usedBytes, 0);
});

t.test('a new tag needs more room than one that is there', async (t) => {
  const index = new TagIndex(new TagBudget(1200));
  t.ok(index.hasRoomFor('a', ['x']));
  index.add('a', ['x']);
  t.notOk(index.hasRoomFor('b', ['y']));
  t.ok(index.hasRoomFor('b', ['x']));
});
