import t from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { commands } from '../../lib/commands/index.ts';
import { parseConfig } from '../../lib/config/index.ts';
import { evictionPolicies } from '../../node/eviction.ts';
import { type NamespaceRule, Namespaces } from '../../node/namespaces.ts';
import { argumentBytes } from '../../node/value-limit.ts';

/* Longest-prefix resolution against the naive one. */

const rule = (prefix: string, i: number): NamespaceRule => ({
  name: `n${i}`,
  prefix,
  maxBytes: null,
  policy: 'lru',
  defaultTtlSeconds: null,
  maxValueBytes: null,
});

function naive(prefixes: readonly string[], key: Buffer): number {
  let found = 0;
  let longest = -1;
  for (const [i, prefix] of prefixes.entries()) {
    const bytes = Buffer.from(prefix);
    if (bytes.length <= longest || !key.subarray(0, bytes.length).equals(bytes)) continue;
    found = i + 1;
    longest = bytes.length;
  }
  return found;
}

t.test('the longest prefix decides, as in the naive search', async (t) => {
  const random = seededRandom(20261121);
  const letters = ['a', 'b', ':', 'é', '\u0000'];
  const word = (longest: number) =>
    Array.from({ length: random.int(longest + 1) }, () => letters[random.int(letters.length)]).join('');
  let covered = 0;
  for (let round = 0; round < 300; round++) {
    const prefixes = [...new Set(Array.from({ length: random.int(40) }, () => word(5)))];
    const namespaces = new Namespaces(prefixes.map(rule));
    t.equal(namespaces.count, prefixes.length + 1);
    for (let i = 0; i < 200; i++) {
      const key = Buffer.from(word(9));
      const padded = Buffer.concat([Buffer.from('aa'), key, Buffer.from('bb')]);
      const found = namespaces.numberOf(padded, 2, 2 + key.length);
      if (found !== 0) covered++;
      if (found !== naive(prefixes, key))
        t.fail(`${JSON.stringify(prefixes)} ${key}: ${found}, not ${naive(prefixes, key)}`);
    }
  }
  t.ok(covered > 10_000, `${covered} keys were in a namespace`);
});

t.test('an empty prefix takes every key, none takes none', async (t) => {
  const key = Buffer.from('anything');
  t.equal(new Namespaces([]).numberOf(key, 0, key.length), 0);
  t.equal(new Namespaces([rule('', 0)]).numberOf(key, 0, key.length), 1);
  t.equal(new Namespaces([rule('', 0)]).numberOf(key, 0, 0), 1);
});

t.test('every command that adds data is held to the largest value, or is known not to', async (t) => {
  // Measured by the command itself, once it has made the value; test/node/cache.test.ts has each of them refused.
  const whenMade = new Set(
    `bitop copy decr decrby georadius georadiusbymember geosearchstore incr incrby incrbyfloat blmove brpoplpush lmove rpoplpush
    pfadd pfmerge rename renamenx restore sort sdiffstore sinterstore sunionstore zdiffstore zinterstore zrangestore zunionstore rs.incr rs.mcincr`.split(
      /\s+/,
    ),
  );
  const unbounded = new Set(['pfdebug', 'rs.mark']);
  for (const { name, isWrite, deniesOom } of commands) {
    const known = [name in argumentBytes, whenMade.has(name), unbounded.has(name)].filter(Boolean).length;
    const adds = (isWrite && deniesOom) || ['rename', 'renamenx', 'smove'].includes(name);
    t.equal(known, adds ? 1 : 0, name);
  }
});

t.test('the configuration takes exactly the policies there are', async (t) => {
  const errors = (policy: string) =>
    (parseConfig(`node: {standalone: true, maxMemoryPolicy: ${policy}}`).errors ?? []).map(
      ({ text }) => text,
    );
  for (const policy of evictionPolicies) t.same(errors(policy), [], policy);
  t.equal(errors('newest').length, 1);
  t.ok(
    errors('newest')[0].includes(evictionPolicies.map((policy) => `\`${policy}\``).join(', ')),
    errors('newest')[0],
  );
});
