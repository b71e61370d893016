import t from 'tap';
import { ManualClock, seededRandom } from '../../lib/base/index.ts';
import { argsOf } from '../../lib/codec/resp/index.ts';
import { parseTimeout } from '../../node/commands/blocking.ts';
import { formatEventClasses, parseEventClasses } from '../../node/pubsub/event-classes.ts';
import type { KeyWait } from '../../node/server/blocked.ts';
import { BlockedClients } from '../../node/server/blocked-clients.ts';
import { Client } from '../../node/server/client.ts';
import { ClientRegistry } from '../../node/server/client-registry.ts';
import { Deadlines, type Timed } from '../../node/server/deadlines.ts';

/* Who waits for what, and until when: without sockets. */

t.test('deadlines: the earliest first, whatever comes and goes in between', async (t) => {
  const random = seededRandom(7);
  const heap = new Deadlines<Timed>();
  const naive: Timed[] = [];
  for (let i = 0; i < 5000; i++) {
    if (naive.length === 0 || random.int(5) < 3) {
      const item: Timed = { deadlineMs: random.int(1000), heapIndex: -1 };
      heap.add(item);
      naive.push(item);
    } else {
      const at = random.int(naive.length);
      const [item] = naive.splice(at, 1);
      heap.remove(item);
      heap.remove(item);
      if (item.heapIndex !== -1) t.fail('an item that is out has no place');
    }
    const earliest = Math.min(...naive.map(({ deadlineMs }) => deadlineMs));
    if (heap.size !== naive.length || (heap.first?.deadlineMs ?? Infinity) !== earliest) t.fail(`step ${i}`);
  }
  t.equal(heap.size, naive.length);
  const left = naive.map(({ deadlineMs }) => deadlineMs).sort((a, b) => a - b);
  for (const deadlineMs of left) {
    t.equal(heap.first!.deadlineMs, deadlineMs);
    heap.remove(heap.first!);
  }
});

t.test(
  'who waits for a key comes before who came later, and is in no queue any more once served',
  async (t) => {
    let listens = 0;
    const blocked = new BlockedClients({
      clock: new ManualClock(),
      clients: new ClientRegistry(),
      followersAt: () => 0,
      listen: (readiness) => {
        listens += readiness === null ? -1 : 1;
      },
    });
    const clients = [1, 2, 3].map(
      (id) => new Client({ id, address: '', localAddress: '', nowMs: 0, authenticated: true }),
    );
    const wait = (...keys: string[]): KeyWait => ({
      kind: 'keys',
      database: 2,
      args: argsOf('BLPOP', ...keys, '0'),
      firstKey: 1,
      lastKey: keys.length,
      serve: () => true,
      deadlineMs: Number.POSITIVE_INFINITY,
      muted: false,
    });
    blocked.signal(2, 'a');
    t.notOk(blocked.hasReady, 'nobody waits yet');
    blocked.add(clients[0], wait('a', 'b', 'a'));
    blocked.add(clients[1], wait('b', 'a'));
    blocked.add(clients[2], wait('c'));
    t.equal(listens, 1, 'heard of once for all');
    blocked.signal(0, 'a');
    t.notOk(blocked.hasReady, 'another database');
    for (const key of ['b', 'a', 'b']) blocked.signal(2, key);
    const ready = blocked.takeReady();
    t.strictSame(
      ready.map(({ key }) => key),
      ['b', 'a'],
      'each once, in order',
    );
    t.notOk(blocked.hasReady);
    t.strictSame(blocked.waitingFor(ready[0]), [clients[0], clients[1]]);
    blocked.remove(clients[0]);
    t.strictSame(blocked.waitingFor(ready[1]), [clients[1]]);
    t.equal(clients[0].blocked, null);
    t.strictSame([...blocked.awaitedKeys(2)].sort(), ['a', 'b', 'c']);
    for (const client of clients) blocked.remove(client);
    t.strictSame([...blocked.awaitedKeys(2)], []);
    t.equal(blocked.size + listens, 0);
  },
);

t.test('timeouts in seconds', async (t) => {
  const timeout = (text: string) => parseTimeout(argsOf('BLPOP', 'k', text), 2);
  t.equal(timeout('0'), 0);
  t.equal(timeout('1.5'), 1500);
  t.equal(timeout('0.00001'), 1, 'never less than asked for');
  t.equal(timeout('-0.0001'), 0, 'less than a millisecond below zero rounds to it, as in Redis');
  for (const text of ['-1', '1e18', 'inf']) t.equal(timeout(text), 'ERR timeout is negative');
  for (const text of ['x', '', 'nan']) t.equal(timeout(text), 'ERR timeout is not a float or out of range');
});

t.test('classes of keyspace events', async (t) => {
  const printed: [string, string][] = [
    ['', ''],
    ['KEA', 'AKE'],
    ['KEg$lshzxetd', 'AKE'],
    ['zhsl', 'lshz'],
    ['mnEK', 'nKEm'],
    ['AKn', 'AK'],
    ['xxx', 'x'],
  ];
  for (const [text, wanted] of printed) t.equal(formatEventClasses(parseEventClasses(text)!), wanted, text);
  for (const text of ['q', 'KE A', 'k']) t.equal(parseEventClasses(text), null);
});
