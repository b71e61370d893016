import t from 'tap';
import { matchesGlob } from '../../lib/base/index.ts';
import { argsOf } from '../../lib/codec/resp/index.ts';
import { commandTable } from '../../lib/commands/index.ts';
import { sealDocument } from '../../lib/ring/index.ts';
import { AckRules } from '../../node/ack-rules.ts';
import { Lease } from '../../node/cluster/lease.ts';
import { decidePosition } from '../../node/cluster/role.ts';
import { addLongDoubles } from '../../node/commands/long-double.ts';
import { type Output, OutputQueue, withErrors } from '../../node/server/output-queue.ts';

/* Decisions without I/O: lease, role, acknowledgement; and small algorithms. */

t.test('lease: the control plane renews it for 2/3 of its length from the moment of sending', async (t) => {
  const lease = new Lease();
  t.notOk(lease.isHeld(0), 'nobody has one at first');
  lease.hold(7, 900, ['f1', 'f2']);
  t.notOk(lease.isHeld(0), 'to lead is not to hold it');
  lease.grantedByControlPlane(7, 1000);
  t.ok(lease.isHeld(1000 + 599.9));
  t.notOk(lease.isHeld(1000 + 600), 'a leader fences itself before others count it out');
  lease.grantedByControlPlane(7, 900);
  t.equal(lease.endsAtMs, 1600, 'an answer out of order takes nothing back');
  lease.grantedByControlPlane(6, 5000);
  lease.grantedByControlPlane(8, 5000);
  t.equal(lease.endsAtMs, 1600, 'another epoch is not ours');
});

t.test('lease: the listed followers renew it only together', async (t) => {
  const lease = new Lease();
  lease.hold(1, 900, ['f1', 'f2']);
  lease.grantedByFollower('f1', 1, 1000);
  t.notOk(lease.isHeld(1001), 'one of two');
  lease.grantedByFollower('learner', 1, 2000);
  t.notOk(lease.isHeld(1001), 'a follower that is not listed does not count');
  lease.grantedByFollower('f2', 1, 1250);
  t.equal(lease.endsAtMs, 1600, 'from the request that both have answered');
  lease.grantedByFollower('f1', 1, 1500);
  t.equal(lease.endsAtMs, 1850);
  lease.grantedByFollower('f2', 0, 9000);
  t.equal(lease.endsAtMs, 1850, 'a grant for an older epoch is none');
  lease.grantedByControlPlane(1, 2000);
  t.equal(lease.endsAtMs, 2600, 'whichever reaches further');
});

t.test('lease: lists change, epochs begin anew, a lone leader needs nobody', async (t) => {
  const lease = new Lease();
  lease.hold(1, 900, []);
  t.ok(lease.isHeld(1e9));
  lease.hold(1, 900, ['f1']);
  t.notOk(lease.isHeld(0), 'the new follower must have spoken');
  lease.grantedByFollower('f1', 1, 100);
  lease.hold(1, 900, ['f1', 'f2']);
  t.notOk(lease.isHeld(101));
  lease.hold(1, 900, ['f1']);
  t.ok(lease.isHeld(101), 'what was granted at this epoch counts on');
  lease.grantedByControlPlane(1, 500);
  lease.hold(2, 900, ['f1']);
  t.notOk(lease.isHeld(501), 'a new epoch has no lease yet');
  lease.drop();
  lease.grantedByControlPlane(2, 1000);
  t.notOk(lease.isHeld(1000), 'a node that does not lead cannot be granted one');
});

const ring = (
  overrides: { leader?: string | null; followers?: string[]; epoch?: string; leaderRun?: string } = {},
) =>
  sealDocument({
    incarnation: '1',
    epoch: '9',
    virtualNodes: 256,
    leaseMs: 1000,
    shards: [
      {
        name: 's1',
        weight: 1,
        epoch: overrides.epoch ?? '4',
        leader: overrides.leader === undefined ? 'n1' : overrides.leader,
        followers: overrides.followers ?? ['n2'],
      },
    ],
    nodes: [
      { id: 'n1', runId: overrides.leaderRun ?? 'run1', shard: 's1', address: 'h1:1', admin: '' },
      { id: 'n2', runId: 'run2', shard: 's1', address: 'h2:2', admin: '' },
    ],
  });

t.test('role: what a node is follows from document, process and seals', async (t) => {
  const me = (id: string, runId: string, shard = 's1') => ({ id, runId, shard });
  const role = (...args: Parameters<typeof decidePosition>) => decidePosition(...args).role;
  t.equal(role(me('n1', 'run1'), null, 0), 'outsider');
  t.equal(role(me('n1', 'run1', 's2'), ring(), 0), 'outsider');
  t.equal(role(me('n1', 'run1'), ring(), 0), 'leader');
  t.equal(role(me('n1', 'run1'), ring(), 4), 'leader', 'sealed at its own epoch');
  t.equal(role(me('n1', 'run1'), ring(), 5), 'outsider', 'sealed above');
  t.equal(role(me('n1', 'again'), ring(), 0), 'outsider', 'a restarted leader is empty and must not lead');
  t.equal(role(me('n2', 'run2'), ring(), 0), 'follower');
  t.equal(role(me('n2', 'run2'), ring(), 5), 'outsider', 'sealed above: follows nobody');
  t.equal(
    role(me('n2', 'again'), ring(), 0),
    'learner',
    'a restarted follower is empty and counts for nothing',
  );
  t.equal(role(me('n2', 'run2'), ring({ followers: [] }), 0), 'learner');
  t.equal(role(me('n3', 'run3'), ring(), 0), 'learner');
  t.equal(role(me('n2', 'run2'), ring({ leader: null }), 0), 'outsider');
  const position = decidePosition(me('n2', 'run2'), ring(), 0);
  t.same(position.leader, { id: 'n1', address: 'h1:1' });
  t.equal(position.epoch, 4);
});

t.test('ack: the longest prefix decides, and the longest wait among several keys', async (t) => {
  const rules = new AckRules(
    [
      { prefix: 'safe:', ack: 'replica', ackTimeoutMs: 500 },
      { prefix: 'safe:not:', ack: 'leader', ackTimeoutMs: 500 },
      { prefix: 'é', ack: 'replica', ackTimeoutMs: 700 },
    ],
    { ack: 'leader', ackTimeoutMs: 1000 },
  );
  const wait = (...parts: string[]) => rules.timeoutOf(commandTable.get(parts[0])!, argsOf(...parts));
  t.equal(wait('SET', 'safe:1', 'v'), 500);
  t.equal(wait('SET', 'safe:not:1', 'v'), 0);
  t.equal(wait('SET', 'safe', 'safe:'), 0);
  t.equal(wait('MSET', 'a', '1', 'safe:a', '2', 'é', '3'), 700);
  t.equal(wait('DEL', 'a', 'b'), 0);
  t.equal(wait('DEL', 'a', 'safe:b'), 500);
  t.equal(wait('FLUSHALL'), 700, 'all keys are touched');
  const inFleet = new AckRules([], { ack: 'leader', ackTimeoutMs: 9, standalone: false });
  const fenced = (...parts: string[]) => inFleet.timeoutOf(commandTable.get(parts[0])!, argsOf(...parts));
  t.equal(fenced('RS.SET', 'a', 'FENCE'), 0);
  t.equal(fenced('RS.SET', 'a', 'b', 'TAGS', '1', 'FENCE', 'PX', '5'), 0);
  t.equal(fenced('RS.SET', 'a', 'b', 'PX', '5', 'FENCE', 'lock', '5'), 9, 'a fenced write waits in a fleet');
  t.equal(fenced('RS.DEL', 'a', 'FENCE', 'lock', '5'), 9);
  t.equal(wait('RS.SET', 'a', 'b', 'FENCE', 'lock', '5'), 0, 'and not where there are no followers');
  const all = new AckRules([{ prefix: '', ack: 'leader', ackTimeoutMs: 1 }], {
    ack: 'replica',
    ackTimeoutMs: 9,
  });
  t.equal(
    all.timeoutOf(commandTable.get('SET')!, argsOf('SET', 'a', 'b')),
    0,
    'a namespace beats the default',
  );
});

t.test('output: writes that waited too long become unknown, each by itself, in place', async (t) => {
  const bytes = Buffer.from('+PONG\r\n+OK\r\n:2\r\n$1\r\na\r\n');
  const output: Output = {
    bytes,
    acknowledges: false,
    held: [
      { start: 7, end: 12, offset: 100, awaitsFollower: true, awaitsDisk: false },
      { start: 12, end: 16, offset: 200, awaitsFollower: true, awaitsDisk: false },
    ],
    deadlineMs: 1,
  };
  const error = Buffer.from('-UNKNOWN\r\n');
  const some = withErrors(output, ({ offset }) => (offset > 150 ? error : null));
  t.equal(String(some.bytes), '+PONG\r\n+OK\r\n-UNKNOWN\r\n$1\r\na\r\n');
  t.ok(some.acknowledges, 'one of them is an acknowledgement');
  const none = withErrors(output, () => error);
  t.equal(String(none.bytes), '+PONG\r\n-UNKNOWN\r\n-UNKNOWN\r\n$1\r\na\r\n');
  t.notOk(none.acknowledges);
  const queue = new OutputQueue();
  for (let i = 0; i < 200; i++) queue.push({ ...output, deadlineMs: i });
  for (let i = 0; i < 150; i++) {
    if (queue.first?.deadlineMs !== i) t.fail(`item ${i}`);
    queue.shift();
  }
  t.equal(queue.bytes, 50 * bytes.length);
  queue.replaceAll((item) => withErrors(item, () => error));
  t.equal(queue.bytes, 50 * none.bytes.length);
  for (let i = 0; i < 50; i++) queue.shift();
  t.ok(queue.isEmpty);
  t.equal(queue.bytes, 0);
});

t.test("glob: Redis's style", async (t) => {
  const cases: [string, string, boolean][] = [
    ['*', '', true],
    ['**', 'abc', true],
    ['a*c', 'abbbc', true],
    ['a*c', 'abbbd', false],
    ['h?llo', 'hello', true],
    ['h?llo', 'hllo', false],
    ['h[ae]llo', 'hallo', true],
    ['h[^ae]llo', 'hallo', false],
    ['h[a-c]llo', 'hbllo', true],
    ['h[c-a]llo', 'hbllo', true],
    ['a\\*b', 'a*b', true],
    ['a\\*b', 'axb', false],
    ['[\\]]', ']', true],
    ['a[', 'a', false],
    ['abc', 'ab', false],
    ['ab', 'abc', false],
    ['*a*a*a*b', 'a'.repeat(200), false],
  ];
  for (const [pattern, text, expected] of cases) {
    t.equal(matchesGlob(pattern, text), expected, `${pattern} on ${text.slice(0, 10)}`);
  }
});

t.test('long double: sums as x86 makes and Redis prints them', async (t) => {
  const cases: [string, string, string | null][] = [
    ['0.1', '0.2', '0.3'],
    ['3.0', '1.1', '4.1'],
    ['5.0e3', '2.0e2', '5200'],
    ['1', '-1', '0'],
    ['-0.5', '0.25', '-0.25'],
    ['10.50', '0.1', '10.6'],
    ['1e20', '0.1', '100000000000000000000'],
    ['12345678.123456789', '1e-7', '12345678.12345688899949891'],
    ['1', '1e5000', null],
    ['.5', '5.', '5.5'],
    ['0', '1e-18', '0'],
    ['abc', '1', null],
    ['1', ' 1', null],
    ['', '1', null],
    ['1', 'nan', null],
  ];
  for (const [a, b, expected] of cases) {
    const sum = addLongDoubles(a, b);
    if (expected === null) t.same(sum, { error: 'not a float' });
    else t.same(sum, { text: expected }, `${a} + ${b}`);
  }
  t.same(addLongDoubles('1', 'inf'), { error: 'infinite' });
  t.same(
    addLongDoubles(`1${'0'.repeat(400)}`, 'inf'),
    { error: 'infinite' },
    'as INCRBYFLOAT k 1e400 leaves it',
  );
  t.same(addLongDoubles('1e4932', '1e4932'), { error: 'infinite' });
});
