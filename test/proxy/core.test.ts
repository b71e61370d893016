import net from 'node:net';
import t from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { LARGE_BYTES, LargeFrame } from '../../proxy/core/large-frame.ts';
import { Output } from '../../proxy/core/output.ts';
import { acquireRequest, type Request, RequestState } from '../../proxy/core/request.ts';
import { RequestQueue } from '../../proxy/core/request-queue.ts';
import { RingKeeper } from '../../proxy/ring/ring-keeper.ts';
import { RingStore } from '../../proxy/ring/ring-store.ts';
import { captureLog } from '../support/capture-log.ts';
import { documentOf } from '../support/fake-control-plane.ts';
import { fakeNodes, proxyWith, upstreamsOf } from '../support/proxy-under-test.ts';
import { until } from '../support/until.ts';

/* The parts of the data path beside an obvious version of themselves. */

const seed = Number(process.env.SEED ?? 11);

t.test('the order of a connection against a list', async (t) => {
  const random = seededRandom(seed);
  const queue = new RequestQueue();
  const sent: (Request | null)[] = [];
  let unsent: Request[] = [];
  let next = 0;
  const problems: string[] = [];
  const expect = (ok: boolean, what: string) => ok || problems.push(`${what} (seed ${seed})`);
  for (let step = 0; step < 100_000; step++) {
    const dice = random.int(100);
    if (dice < 45) {
      const request = acquireRequest();
      request.startedMs = next++;
      queue.push(request);
      unsent.push(request);
    } else if (dice < 65 && queue.unsentCount > 0) {
      const moved = queue.moveToSent();
      if (moved !== null) {
        expect(moved === unsent.shift(), 'sent in order');
        sent.push(moved);
      }
    } else if (dice < 88 && queue.sentCount > 0) {
      expect(queue.shift() === sent.shift(), 'answered in order, abandoned places included');
    } else if (dice < 97) {
      const waiting = [...sent.filter((request) => request !== null), ...unsent];
      if (waiting.length === 0) continue;
      const victim = waiting[random.int(waiting.length)];
      queue.take(victim);
      const place = sent.indexOf(victim);
      if (place >= 0) sent[place] = null;
      else unsent = unsent.filter((request) => request !== victim);
    } else if (dice === 97) {
      queue.closeGaps();
      expect(queue.unsentCount === unsent.length, 'no gaps');
    } else if (step % 50 === 0) {
      const all = queue.takeAll();
      const left = [...sent.filter((request) => request !== null), ...unsent];
      expect(
        all.length === left.length && all.every((request, i) => request === left[i]),
        'all that somebody waits for',
      );
      expect(queue.length === 0, 'empty');
      sent.length = 0;
      unsent = [];
    }
    expect(queue.sentCount === sent.length, 'replies to come');
    const seen: Request[] = [];
    if (step % 100 === 0) {
      queue.scan((request) => {
        seen.push(request);
        expect(request.state === (sent.includes(request) ? RequestState.SENT : RequestState.QUEUED), 'state');
        return true;
      });
      expect(
        seen.length === sent.filter((request) => request !== null).length + unsent.length,
        'a scan sees everybody',
      );
    }
    if (problems.length > 0) break;
  }
  t.strictSame(problems, []);
});

t.test('output: any mix of ranges arrives as one sequence', async (t) => {
  const random = seededRandom(seed);
  const received: Buffer[] = [];
  const server = net.createServer((socket) => socket.on('data', (chunk) => received.push(chunk)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const socket = net.connect((server.address() as net.AddressInfo).port);
  t.teardown(() => {
    socket.destroy();
    server.close();
  });
  const output = new Output();
  const expected: Buffer[] = [];
  for (let turn = 0; turn < 200; turn++) {
    const pieces = random.int(8);
    for (let i = 0; i < pieces; i++) {
      const source = Buffer.alloc(1 + random.int(i === 3 ? 100_000 : 2000), `${turn}.${i};`);
      const start = random.int(source.length);
      const middle = start + random.int(source.length - start + 1);
      output.add(source, start, middle);
      // Neighbours in one buffer become one range.
      output.add(source, middle, source.length);
      expected.push(source.subarray(start));
    }
    output.writeTo(socket);
    t.equal(output.bytes, 0);
  }
  const all = Buffer.concat(expected);
  await until('all has arrived', () => received.reduce((sum, { length }) => sum + length, 0) >= all.length);
  t.ok(Buffer.concat(received).equals(all));
});

t.test('a large frame: all pieces, nothing beyond, few of them', async (t) => {
  const random = seededRandom(seed);
  for (let round = 0; round < 50; round++) {
    const length = LARGE_BYTES + random.int(200_000);
    const bytes = Buffer.alloc(length + 1000, 'abcdefg');
    bytes.write('\r\n', length - 2);
    const first = bytes.subarray(0, [0, 10, 70_000][round % 3] % length);
    const frame = new LargeFrame(length - first.length, first);
    const max = [3, 5000, 70_000][round % 3];
    let behind = Buffer.alloc(0) as Buffer;
    let at = first.length;
    while (!frame.isComplete) {
      const next = Math.min(bytes.length, at + 1 + random.int(max));
      behind = frame.take(bytes.subarray(at, next));
      at = next;
    }
    const joined = Buffer.concat(frame.pieces);
    if (!joined.equals(bytes.subarray(0, length)) || !behind.equals(bytes.subarray(length, at)))
      t.fail(`seed ${seed}`);
    if (!frame.endsWell) t.fail('ends well');
    if (frame.pieces.length > 1 + (2 * length) / 16_384)
      t.fail(`${frame.pieces.length} pieces for ${length} bytes`);
  }
  t.pass('50 frames');
});

t.test('large commands and replies, in pieces of any size, between small ones', async (t) => {
  const nodes = await fakeNodes(t, 2);
  const { resp } = await proxyWith(t, {
    upstreams: upstreamsOf(nodes.map((leader) => ({ leader }))),
    operationTimeoutMs: 10_000,
    readTimeoutMs: 5000,
  });
  const random = seededRandom(seed);
  const commands: Buffer[] = [];
  const replies: Buffer[] = [];
  for (let i = 0; i < 12; i++) {
    const value = Buffer.alloc(1 + random.int(i % 3 === 0 ? 100 : 300_000), `\r\n${i}$`);
    const header = Buffer.from(`$${value.length}\r\n`);
    commands.push(encodeCommand('SET', `k${i}`, value), encodeCommand('GET', `k${i}`), encodeCommand('PING'));
    replies.push(Buffer.from('+OK\r\n'), header, value, Buffer.from('\r\n+PONG\r\n'));
    if (i % 4 !== 3) continue;
    // Several keys: has to be whole before it is split.
    commands.push(
      encodeCommand('MSET', `a${i}`, 'x', `b${i}`, value),
      encodeCommand('MGET', `k${i}`, `b${i}`),
    );
    replies.push(
      Buffer.from('+OK\r\n*2\r\n'),
      header,
      value,
      Buffer.from('\r\n'),
      header,
      value,
      Buffer.from('\r\n'),
    );
  }
  const bytes = Buffer.concat(commands);
  const expected = Buffer.concat(replies);
  for (const max of [300, 20_000, 400_000]) {
    const [host, port] = resp.split(':');
    const socket = net.connect(Number(port), host);
    socket.setNoDelay(true);
    const received: Buffer[] = [];
    let length = 0;
    socket.on('data', (chunk) => {
      received.push(chunk);
      length += chunk.length;
    });
    for (let at = 0; at < bytes.length; ) {
      const next = Math.min(bytes.length, at + 1 + random.int(max));
      socket.write(bytes.subarray(at, next));
      at = next;
      if (max < 1000 ? at % 7 === 0 : true) await new Promise((resolve) => setImmediate(resolve));
    }
    await until('all replies are in', () => length >= expected.length);
    t.ok(Buffer.concat(received).equals(expected), `pieces of up to ${max} bytes (seed ${seed})`);
    socket.destroy();
  }
  const [host, port] = resp.split(':');
  const socket = net.connect(Number(port), host);
  let text = '';
  socket.setEncoding('latin1').on('data', (piece: string) => {
    text += piece;
  });
  socket.write('*3\r\n$3\r\nSET\r\n$3\r\nbad\r\n$200000\r\n');
  socket.write(Buffer.alloc(200_000, 'x'));
  socket.write('!!');
  await new Promise((resolve) => socket.on('end', resolve));
  t.equal(text, '-ERR Protocol error: expected CRLF behind a bulk string\r\n');
  t.ok(
    nodes.every(({ store }) => !store.has('bad')),
    'nothing was written',
  );
  socket.destroy();
});

t.test('the keeper applies what is newer and nothing else', async (t) => {
  const { log } = captureLog();
  const applied: string[] = [];
  let confirmed = 0;
  const keeper = new RingKeeper(
    new RingStore(null, log),
    log,
    ({ incarnation, epoch }) => applied.push(`${incarnation}.${epoch}`),
    () => confirmed++,
  );
  const [a, b] = await fakeNodes(t, 2);
  const offer = async (epoch: number, incarnation = 1, leader = a) => {
    const verdict = await keeper.offer(JSON.stringify(documentOf(epoch, [{ leader }], incarnation)));
    return verdict.accepted ? 'accepted' : verdict.code;
  };
  t.equal(await offer(2), 'accepted');
  t.equal(await offer(2), 'accepted');
  t.equal(confirmed, 1, 'the same again only confirms');
  t.equal(await offer(2, 1, b), 'conflict');
  t.equal(await offer(1), 'older');
  t.equal(await offer(3), 'accepted');
  t.equal(await offer(1, 2), 'accepted', 'the incarnation counts first');
  t.equal(await offer(9, 1), 'older');
  t.equal((await keeper.offer('{}')).accepted, false);
  t.strictSame(applied, ['1.2', '1.3', '2.1']);
});
