import t from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { NodeLoads } from '../../proxy/balance/node-loads.ts';
import { overflowOrder } from '../../proxy/balance/overflow-order.ts';
import { VersionFloor } from '../../proxy/balance/version-floor.ts';

/* The decisions of bounded load, without any node. */

const NAMES = ['a', 'b', 'c', 'd'];

function loadsOf(inFlight: Readonly<Record<string, number>> = {}) {
  const loads = new NodeLoads<string>(1.25, (name) => inFlight[name] ?? 0);
  loads.use(NAMES, NAMES.length);
  const of = (name: string) => loads.all.find(({ node }) => node === name)!;
  return { loads, of };
}

t.test('a node is full at loadFactor times the mean', async (t) => {
  const { loads, of } = loadsOf();
  loads.look(1000);
  for (const name of NAMES) for (let i = 0; i < 100; i++) loads.sent(of(name));
  t.equal(loads.mean, 100);
  t.equal(loads.cap, 125);
  let taken = 0;
  while (!loads.isFull(of('a'))) {
    loads.sent(of('a'));
    taken++;
  }
  t.equal(taken, 33, 'one more would be 134 of 434, more than 0.99 x 1.25 x 108.25');
  t.notOk(loads.isFull(of('b')));
});

t.test('with little to do nothing is full, and counts fade', async (t) => {
  const { loads, of } = loadsOf();
  loads.look(1000);
  for (let i = 0; i < 49; i++) loads.sent(of('a'));
  t.notOk(loads.isFull(of('a')), '50 commands a second are nothing');
  loads.sent(of('a'));
  t.ok(loads.isFull(of('a')));
  loads.look(2000);
  t.ok(Math.abs(of('a').total - 50 / Math.E) < 0.01, 'a second later');
  t.notOk(loads.isFull(of('a')));
});

t.test('what is in flight counts too, and what others do', async (t) => {
  const inFlight = { a: 0 };
  const { loads, of } = loadsOf(inFlight);
  loads.look(1000);
  for (const name of NAMES) for (let i = 0; i < 100; i++) loads.sent(of(name));
  inFlight.a = 60;
  t.notOk(loads.isFull(of('a')));
  loads.look(1002);
  t.ok(loads.isFull(of('a')), 'a slow node is full sooner');
  inFlight.a = 0;
  loads.look(1004);
  t.notOk(loads.isFull(of('a')));
  loads.report(of('a'), 10_000, of('a').sinceReport, 1100);
  t.equal(of('a').others, 0, 'one report tells nothing');
  for (let i = 0; i < 50; i++) loads.sent(of('a'));
  const own = of('a').sinceReport;
  loads.sent(of('a'));
  loads.report(of('a'), 10_250, own, 2100);
  t.equal(of('a').sinceReport, 1, 'what was sent behind the question counts for the next one');
  t.equal(of('a').others, 200, 'of 250 commands 50 were its own');
  loads.look(2101);
  t.ok(loads.isFull(of('a')));
  loads.report(of('a'), 10, 1, 3100);
  t.equal(of('a').others, 0, 'a restarted node');
});

t.test('no node gets more than its bound, whatever is asked for', async (t) => {
  const random = seededRandom(3);
  const { loads, of } = loadsOf();
  loads.look(1000);
  const places = [of('b'), of('a'), of('d'), of('c')];
  for (let i = 0; i < 20_000; i++) {
    const isHot = random.int(100) < 95;
    const order = isHot ? places : [of(NAMES[random.int(4)])];
    loads.sent(order.find((load) => !loads.isFull(load)) ?? order[0]);
  }
  const most = Math.max(...loads.all.map(({ sent }) => sent));
  t.ok(most <= 1.25 * loads.mean + 1, `${most} of ${loads.mean} on average`);
});

t.test('the order of overflow shards', async (t) => {
  const key = Buffer.from('hot');
  const order = overflowOrder(key, 3, 8);
  t.same(order, overflowOrder(key, 3, 8), 'the same for everybody');
  t.same([...order].sort(), [0, 1, 2, 4, 5, 6, 7], 'every other shard once');
  const firsts = new Set(Array.from({ length: 200 }, (_, i) => overflowOrder(Buffer.from(`k${i}`), 0, 8)[0]));
  t.equal(firsts.size, 7, 'other keys overflow elsewhere');
  t.same(overflowOrder(key, 0, 1), []);
});

t.test('a floor', async (t) => {
  const floor = new VersionFloor(1000);
  t.notOk(floor.accepts(9, 9, 0), 'nothing is known');
  const first = floor.nextSeq();
  floor.void();
  floor.teach(first, 10, 0, 5);
  t.notOk(floor.accepts(0, 5, 20), 'what was sent before does not teach');
  floor.teach(floor.nextSeq(), 100, 0, 5);
  t.ok(floor.accepts(0, 5, 200));
  t.notOk(floor.accepts(0, 4, 200), 'older');
  t.ok(floor.accepts(0, 7, 300), 'newer, which is the floor now');
  t.notOk(floor.accepts(0, 5, 300));
  t.ok(floor.accepts(1, 0, 300), 'the upper half counts first');
  t.ok(floor.accepts(-1, -1, 300), 'without signs');
  t.notOk(floor.isAging(600));
  t.ok(floor.isAging(601));
  t.ok(floor.isGood(1100));
  t.notOk(floor.accepts(-1, -1, 1101), 'nobody knows whether that is still so');
  floor.teach(floor.nextSeq(), 1200, 0, 3);
  t.notOk(floor.isGood(1200), 'the leader has less: another data set');
  floor.teach(floor.nextSeq(), 1300, 0, 3);
  t.ok(floor.accepts(0, 3, 1300));
  const late = floor.nextSeq();
  floor.void();
  floor.teach(floor.nextSeq(), 1400, 0, 4);
  floor.teach(late, 1350, 0, 6);
  t.notOk(floor.accepts(0, 5, 1400), 'what was answered counts, whenever it was sent');
});
