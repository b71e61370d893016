import { createHash } from 'node:crypto';
import t from 'tap';
import {
  compareVersions,
  judgeDocument,
  parseDocument,
  type RingDocument,
  sealDocument,
} from '../../lib/ring/index.ts';
import { fc } from '../support/fast-check.ts';

type Content = Omit<RingDocument, 'sha256'>;

const content: Content = {
  incarnation: '1',
  epoch: '7',
  virtualNodes: 256,
  leaseMs: 1000,
  shards: [
    { name: 's1', weight: 1, epoch: '3', leader: 'n1', followers: ['n2'] },
    { name: 's2', weight: 2, epoch: '1', leader: null, followers: [] },
  ],
  nodes: [
    { id: 'n1', runId: 'r1', shard: 's1', address: '127.0.0.1:7501', admin: '127.0.0.1:7601' },
    { id: 'n2', runId: 'r2', shard: 's1', address: '127.0.0.1:7502', admin: '' },
    { id: 'n3', runId: 'r3', shard: 's2', address: '[::1]:7503', admin: '' },
  ],
};

const seal = (change: Partial<Content> = {}) => sealDocument({ ...content, ...change });

t.test('a sealed document survives its text, and is frozen', async (t) => {
  const sealed = seal();
  const parsed = parseDocument(JSON.stringify(sealed));
  t.same(parsed, sealed);
  for (const document of [sealed, parsed]) {
    t.ok(
      Object.isFrozen(document) &&
        Object.isFrozen(document.shards[0].followers) &&
        Object.isFrozen(document.nodes[2]),
    );
  }
});

t.test('sha256 is that of the JSON with sorted keys, whatever the order they came in', async (t) => {
  const canonical =
    '{"epoch":"7","incarnation":"1","leaseMs":1000,"nodes":[' +
    '{"address":"127.0.0.1:7501","admin":"127.0.0.1:7601","id":"n1","runId":"r1","shard":"s1"},' +
    '{"address":"127.0.0.1:7502","admin":"","id":"n2","runId":"r2","shard":"s1"},' +
    '{"address":"[::1]:7503","admin":"","id":"n3","runId":"r3","shard":"s2"}],"shards":[' +
    '{"epoch":"3","followers":["n2"],"leader":"n1","name":"s1","weight":1},' +
    '{"epoch":"1","followers":[],"leader":null,"name":"s2","weight":2}],"virtualNodes":256}';
  t.equal(seal().sha256, createHash('sha256').update(canonical).digest('hex'));
  const reversed = Object.fromEntries(Object.entries(content).toReversed()) as unknown as Content;
  t.equal(sealDocument(reversed).sha256, seal().sha256);
});

t.test('any change of a document is noticed', async (t) => {
  const text = JSON.stringify(seal());
  const altered = (from: string, to: string) => text.replace(from, to);
  for (const [from, to] of [
    ['"epoch":"7"', '"epoch":"8"'],
    ['"leader":null', '"leader":"n3"'],
    ['"weight":2', '"weight":3'],
    ['"runId":"r1"', '"runId":"r9"'],
    ['"virtualNodes"', '"more":1,"virtualNodes"'],
  ]) {
    t.throws(() => parseDocument(altered(from, to)), { code: 'config_invalid', message: /was altered/ }, to);
  }
});

t.test('fields of a later release are kept and count for the sha256', async (t) => {
  const later = sealDocument({ ...content, regions: { b: 1, a: [{ y: 2, x: 1 }] } } as Content);
  const parsed = parseDocument(JSON.stringify(later)) as RingDocument & { regions: unknown };
  t.same(parsed.regions, { b: 1, a: [{ y: 2, x: 1 }] });
  t.not(later.sha256, seal().sha256);
});

t.test('a document that does not hold together is refused, with the field', async (t) => {
  const [s1, s2] = content.shards;
  const [n1, n2, n3] = content.nodes;
  const cases: [Record<string, unknown>, RegExp][] = [
    [{ incarnation: 1 }, /incarnation must be text/],
    [{ epoch: '-1' }, /epoch must be text of the right form/],
    [{ epoch: '007' }, /epoch must be text of the right form/],
    [{ epoch: '18446744073709551616' }, /epoch must be at most 18446744073709551615/],
    [{ virtualNodes: 0 }, /virtualNodes is not a number in range/],
    [{ virtualNodes: 1.5 }, /virtualNodes/],
    [{ leaseMs: '1000' }, /leaseMs/],
    [{ shards: {} }, /shards must be a list/],
    [{ shards: [] }, /shards is empty/],
    [{ shards: [s1, null] }, /shards\.1 must be an object/],
    [{ shards: [{ ...s1, name: '' }, s2] }, /shards\.0\.name/],
    [{ shards: [{ ...s1, weight: 0 }, s2] }, /shards\.0\.weight/],
    [{ shards: [{ ...s1, epoch: '1048576' }, s2] }, /shards\.0\.epoch must be at most 1048575/],
    [{ shards: [{ ...s1, leader: undefined }, s2] }, /shards\.0\.leader/],
    [{ shards: [{ ...s1, followers: [7] }, s2] }, /shards\.0\.followers must hold node ids/],
    [{ shards: [{ ...s1, followers: 'n2' }, s2] }, /shards\.0\.followers must be a list/],
    [{ shards: [{ ...s1, name: 's2' }, s2] }, /s2 comes up twice/],
    [{ shards: [{ ...s1, leader: 'n9' }, s2] }, /shard s1 lists n9/],
    [{ shards: [{ ...s1, leader: 'n3' }, s2] }, /shard s1 lists n3, which is not a node of it/],
    [{ shards: [{ ...s1, followers: ['n1'] }, s2] }, /shard s1 lists a node twice/],
    [{ nodes: [n1, n2, { ...n3, shard: 's9' }] }, /node n3 belongs to shard s9/],
    [{ nodes: [n1, n2, { ...n3, id: 'n1' }] }, /n1 comes up twice/],
    [{ nodes: [n1, n2, { ...n3, runId: undefined }] }, /nodes\.2\.runId/],
    [{ nodes: [n1, n2, { ...n3, address: '' }] }, /nodes\.2\.address/],
  ];
  for (const [change, message] of cases) {
    t.throws(
      () => seal(change as Partial<Content>),
      { code: 'config_invalid', message },
      JSON.stringify(change),
    );
  }
  for (const text of ['', '{', 'null', '[]', '7', '"x"', '{}', '{"sha256":"x"}']) {
    t.throws(() => parseDocument(text), { code: 'config_invalid' }, text);
  }
  fc.assert(
    fc.property(fc.json(), (text) => {
      t.throws(() => parseDocument(text), { code: 'config_invalid' });
    }),
  );
});

t.test('versions are ordered by incarnation, then epoch, as numbers of 64 bits', async (t) => {
  const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  fc.assert(
    fc.property(u64, u64, u64, u64, (i1, e1, i2, e2) => {
      const order = i1 !== i2 ? (i1 < i2 ? -1 : 1) : e1 === e2 ? 0 : e1 < e2 ? -1 : 1;
      const a = { incarnation: String(i1), epoch: String(e1) };
      const b = { incarnation: String(i2), epoch: String(e2) };
      return (
        compareVersions(a, b) === order &&
        compareVersions(b, a) === 0 - order &&
        compareVersions(a, { ...a }) === 0
      );
    }),
  );
  t.equal(compareVersions({ incarnation: '1', epoch: '10' }, { incarnation: '1', epoch: '9' }), 1);
  t.equal(compareVersions({ incarnation: '2', epoch: '1' }, { incarnation: '1', epoch: '9' }), 1);
});

t.test(
  'only a newer document is to be applied, and two contents of one version are a conflict',
  async (t) => {
    const held = seal();
    t.equal(judgeDocument(null, held), 'newer');
    t.equal(judgeDocument(held, seal()), 'same');
    t.equal(judgeDocument(held, seal({ epoch: '8' })), 'newer');
    t.equal(judgeDocument(held, seal({ epoch: '6' })), 'older');
    t.equal(judgeDocument(held, seal({ incarnation: '2', epoch: '1' })), 'newer');
    t.equal(judgeDocument(held, seal({ incarnation: '0', epoch: '99' })), 'older');
    t.equal(judgeDocument(held, seal({ leaseMs: 999 })), 'conflict');
  },
);
