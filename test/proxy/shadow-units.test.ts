import t from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { lookupCommand } from '../../lib/commands/index.ts';
import { configFrom } from '../../lib/config/index.ts';
import { NamespaceMatcher } from '../../proxy/core/namespace-rules.ts';
import { comparisonOf, digestOf } from '../../proxy/shadow/reply-digest.ts';
import { Share } from '../../proxy/shadow/share.ts';

/* What is shadowed, and when two replies are the same. */

const config = configFrom({
  namespaces: [
    { name: 'all', prefix: 'a:' },
    { name: 'none', prefix: 'n:' },
    { name: 'usual', prefix: 'u:' },
  ],
});
const matcher = new NamespaceMatcher(config);

function picked(settings: object, prefix = '', count = 20_000) {
  const share = new Share({ share: 0.1, by: 'key', namespaces: [], ...settings }, matcher, seededRandom(3));
  const keys = Array.from({ length: count }, (_, i) => Buffer.from(`${prefix}key:${i}`));
  return keys.map((key) => share.picks(key, 0, key.length));
}

const part = (all: readonly boolean[]) => all.filter(Boolean).length / all.length;

t.test('a share of the keys, or of the commands', async (t) => {
  const byKey = picked({});
  t.ok(Math.abs(part(byKey) - 0.1) < 0.01, `${part(byKey)}`);
  t.same(picked({}), byKey, 'always the same keys');
  const wider = picked({ share: 0.5 });
  t.ok(
    byKey.every((one, i) => !one || wider[i]),
    'a larger share has those of a smaller one',
  );
  const random = picked({ by: 'random' });
  t.ok(Math.abs(part(random) - 0.1) < 0.01, `${part(random)}`);
  t.not(random.join(), byKey.join());
  t.equal(part(picked({ share: 1 })), 1);
  t.equal(part(picked({ share: 0 })), 0);
});

t.test('namespaces with a share of their own', async (t) => {
  const settings = {
    namespaces: [
      { name: 'all', share: 1 },
      { name: 'none', share: 0 },
    ],
  };
  t.equal(part(picked(settings, 'a:')), 1);
  t.equal(part(picked(settings, 'n:')), 0);
  t.ok(Math.abs(part(picked(settings, 'u:')) - 0.1) < 0.01);
  t.ok(Math.abs(part(picked(settings)) - 0.1) < 0.01, 'keys of no namespace');
});

t.test('how replies are compared', async (t) => {
  const of = (name: string, words = 2) =>
    comparisonOf(lookupCommand(Buffer.from(name), 0, name.length)!, words);
  t.equal(of('GET'), 'whole');
  t.equal(of('HGET', 3), 'whole');
  t.equal(of('LRANGE', 4), 'whole');
  t.equal(of('SMEMBERS'), 'unordered');
  t.equal(of('HGETALL'), 'unordered');
  t.equal(of('SRANDMEMBER'), null);
  t.equal(of('PTTL'), null);
  t.equal(of('RS.GET', 3), 'value');
  t.equal(of('RS.GET', 4), null, 'leases are each cluster’s own');
  t.equal(of('RS.MCMETA'), null);
  t.equal(of('RS.MCGET'), 'whole');
});

t.test('digests', async (t) => {
  const of = (kind: 'whole' | 'unordered' | 'value', text: string, rest: string[] | null = null) => {
    const bytes = Buffer.from(`xx${text}yy`);
    return digestOf(kind, bytes, 2, bytes.length - 2, rest?.map((piece) => Buffer.from(piece)) ?? null);
  };
  t.equal(of('whole', '$1\r\na\r\n'), of('whole', '$1\r\na\r\n'));
  t.not(of('whole', '$1\r\na\r\n'), of('whole', '$1\r\nb\r\n'));
  t.not(of('whole', '$-1\r\n'), of('whole', '$0\r\n\r\n'));
  t.equal(of('whole', '$4\r\na', ['b', 'cd\r\n']), of('whole', '$4\r\nabcd\r\n'), 'in pieces');
  t.equal(of('unordered', '*2\r\n:1\r\n:2\r\n'), of('unordered', '*2\r\n:2\r\n:1\r\n'));
  t.not(of('unordered', '*2\r\n:1\r\n:2\r\n'), of('unordered', '*2\r\n:1\r\n:3\r\n'));
  t.not(of('whole', '*2\r\n:1\r\n:2\r\n'), of('whole', '*2\r\n:2\r\n:1\r\n'));
  const rsGet = (version: string, value: string) =>
    `*8\r\n$1\r\n${version}\r\n:0\r\n:5\r\n:-1\r\n$3\r\nhit\r\n$-1\r\n:0\r\n$1\r\n${value}\r\n`;
  t.equal(of('value', rsGet('7', 'a')), of('value', rsGet('9', 'a')), 'versions differ');
  t.not(of('value', rsGet('7', 'a')), of('value', rsGet('7', 'b')));
  t.equal(of('whole', '-WRONGTYPE one text\r\n'), of('whole', '-WRONGTYPE another\r\n'), 'the same error');
  t.not(of('whole', '-ERR a\r\n'), of('whole', '-WRONGTYPE a\r\n'));
  t.equal(of('whole', '$2000000\r\n', ['x'.repeat(2_000_002)]), null, 'too long');
});
