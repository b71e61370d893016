import t from 'tap';
import { RespError } from '../../lib/codec/resp/index.ts';
import { configFrom } from '../../lib/config/index.ts';
import { ShardRoute } from '../../proxy/core/topology.ts';
import { chooseServers } from '../../proxy/engine/choose.ts';
import { accessOf, capability, engineOf, isFollowed } from '../../proxy/engine/index.ts';
import { type NodeView, parseRole } from '../../proxy/engine/role.ts';
import { latestView, parseSentinel, type SentinelView } from '../../proxy/engine/sentinel.ts';

/*
 * Who leads a shard that Ringside does not govern, decided from what its servers and Sentinels say.
 */

const unknown: NodeView = { role: 'unknown' };
const gone: NodeView = { role: 'unreachable' };
const leads = (offset = 100, followers = 1): NodeView => ({ role: 'leader', offset, followers });
const follows = (link = 'connected'): NodeView => ({ role: 'follower', leader: 'x:1', link });

interface Case {
  readonly what: string;
  readonly nodes: Readonly<Record<string, NodeView>>;
  readonly leader?: string | null;
  readonly named?: string;
  readonly expected: string | null;
  readonly followers: string[];
}

const cases: readonly Case[] = [
  {
    what: 'the leader leads',
    nodes: { a: leads(), b: follows() },
    expected: 'a',
    followers: ['b'],
  },
  {
    what: 'nobody has answered yet: the configured one stays',
    nodes: { a: unknown, b: leads() },
    expected: 'a',
    followers: [],
  },
  {
    what: 'nobody answers: the last leader stays',
    nodes: { a: gone, b: gone },
    expected: 'a',
    followers: ['b'],
  },
  {
    what: 'the leader is gone and nobody says that he leads',
    nodes: { a: gone, b: follows('connecting') },
    expected: 'a',
    followers: ['b'],
  },
  {
    what: 'the leader is gone and a follower was promoted',
    nodes: { a: gone, b: leads(90, 0), c: follows('connect') },
    expected: 'b',
    followers: ['a', 'c'],
  },
  {
    what: 'a switchover half way: nobody leads, everybody may be read',
    nodes: { a: follows('connect'), b: follows() },
    expected: null,
    followers: ['a', 'b'],
  },
  {
    what: 'a switchover: the former leader has to fetch everything',
    nodes: { a: follows('sync'), b: leads() },
    expected: 'b',
    followers: [],
  },
  {
    what: 'two lead: the present one stays',
    nodes: { a: leads(1, 0), b: leads(100, 2), c: follows() },
    expected: 'a',
    followers: ['c'],
  },
  {
    what: 'two lead, neither of them before: most followers',
    nodes: { a: leads(100, 0), b: leads(1, 2), c: follows() },
    leader: null,
    expected: 'b',
    followers: ['c'],
  },
  {
    what: 'two lead with as many followers: who is further',
    nodes: { a: leads(1, 1), b: leads(2, 1) },
    leader: null,
    expected: 'b',
    followers: [],
  },
  {
    what: 'Sentinel names another than the present leader',
    nodes: { a: leads(), b: leads(), c: follows() },
    named: 'b',
    expected: 'b',
    followers: ['c'],
  },
  {
    what: 'whom Sentinel names does not say so yet',
    nodes: { a: leads(), b: follows() },
    named: 'b',
    expected: 'a',
    followers: ['b'],
  },
  {
    what: 'whom Sentinel does not name is not taken',
    nodes: { a: gone, b: gone, c: leads() },
    named: 'b',
    expected: 'a',
    followers: ['b'],
  },
  {
    what: 'the leader follows, and whom Sentinel names is gone',
    nodes: { a: follows(), b: gone },
    named: 'b',
    expected: null,
    followers: ['a', 'b'],
  },
];

for (const { what, nodes, leader = 'a', named, expected, followers } of cases) {
  t.test(what, async (t) => {
    const view = { nodes: new Map(Object.entries(nodes)), leader, named };
    t.same(chooseServers(view), { leader: expected, followers });
  });
}

t.test('answers to ROLE', async (t) => {
  const followers = [[Buffer.from('127.0.0.1'), Buffer.from('7002'), Buffer.from('14')]];
  t.same(parseRole([Buffer.from('master'), 15, followers]), { role: 'leader', offset: 15, followers: 1 });
  t.same(parseRole([Buffer.from('slave'), Buffer.from('::1'), 7001, Buffer.from('sync'), -1]), {
    ...{ role: 'follower', leader: '[::1]:7001', link: 'sync' },
  });
  t.throws(() => parseRole([Buffer.from('sentinel'), []]), { message: 'it answers ROLE with sentinel' });
  t.throws(() => parseRole(new RespError('NOPERM this user …')), { message: 'NOPERM this user …' });
});

t.test('answers of a Sentinel', async (t) => {
  const fields = (...flat: string[]) => flat.map((text) => Buffer.from(text));
  const master = fields('name', 'm', 'flags', 'master', 'config-epoch', '12');
  const followers = [
    fields('ip', '127.0.0.1', 'port', '2', 'flags', 'slave'),
    fields('ip', '127.0.0.1', 'port', '3', 'flags', 's_down,slave,disconnected'),
    fields('ip', '127.0.0.1', 'port', '1', 'flags', 'slave'),
  ];
  const view = parseSentinel([fields('127.0.0.1', '1'), master, followers], 'm');
  t.same(view, { configEpoch: 12n, leader: '127.0.0.1:1', followers: ['127.0.0.1:2'] });
  const unknownName = new RespError('ERR No such master with that name');
  t.throws(() => parseSentinel([null, unknownName, unknownName], 'm'), unknownName);
  const at = (configEpoch: bigint, leader: string): SentinelView => ({ configEpoch, leader, followers: [] });
  t.equal(latestView([null, at(3n, 'a:1'), at(4n, 'b:1'), at(4n, 'c:1')])?.leader, 'b:1');
  t.equal(latestView([null]), null);
});

t.test('what a shard of a fixed ring is, and how it is entered', async (t) => {
  const one = { name: 'a', leader: 'h:1' };
  const { proxy } = configFrom({
    proxy: {
      ...{ engine: 'redis', nodePassword: 'fleet' },
      upstreams: [
        one,
        { ...one, name: 'b', engine: 'ringside', followers: ['h:2'] },
        { ...one, name: 'c', followers: ['h:2'], username: 'u', password: 'p', tls: 'off' },
        { name: 'd', password: 'p', sentinels: ['s:1'], masterName: 'm' },
      ],
    },
  });
  t.same(
    proxy.upstreams.map((upstream) => [engineOf(upstream, proxy), isFollowed(upstream, proxy)]),
    [
      ['redis', false],
      ['ringside', false],
      ['redis', true],
      ['redis', true],
    ],
  );
  t.same(
    proxy.upstreams.map((upstream) => accessOf(upstream, proxy)),
    [
      { login: ['fleet'], usesTls: true },
      { login: ['fleet'], usesTls: true },
      { login: ['u', 'p'], usesTls: false },
      { login: ['p'], usesTls: true },
    ],
  );
});

t.test('what an engine lacks is named', async (t) => {
  t.equal(capability(new ShardRoute('a', '1'), 'leases'), null);
  const error = capability(new ShardRoute('a', null, 'redis'), 'leases');
  t.equal(error?.code, 'not_implemented');
  t.equal(error?.toResp(), 'ERR leases: not supported by engine redis');
});
