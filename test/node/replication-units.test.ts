import { once } from 'node:events';
import net from 'node:net';
import t, { type Test } from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { encodeCommand, RequestParser } from '../../lib/codec/resp/index.ts';
import { UNIT_FRAME_BYTES } from '../../node/replication/frames.ts';
import { ReplicationLog, type Segment } from '../../node/replication/replication-log.ts';
import { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

/* What a command or a transaction changes takes effect on a follower as a whole, or not at all. */

const seed = Number(process.env.SEED ?? 20261121);
const LIMITS = { maxBulkBytes: 1e6, maxArrayLength: 100, maxInlineBytes: 100, maxBufferedBytes: 1e7 };

/** Names of the frames, the frames of a unit in brackets. */
function outline(bytes: Buffer): string {
  const parser = new RequestParser(LIMITS);
  parser.push(bytes);
  const words: string[] = [];
  let left = 0;
  while (parser.next()) {
    const length = parser.frameEnd - parser.frameStart;
    if (parser.equalsIgnoreCase(0, 'RS.UNIT')) {
      left = Number.parseInt(parser.latin1(1), 16);
      words.push('[');
      continue;
    }
    words.push(parser.latin1(0));
    if (left === 0) continue;
    left -= length;
    if (left === 0) words.push(']');
  }
  return words.join(' ');
}

t.test(
  `the log puts a frame before the several of a unit, wherever segments end (seed ${seed})`,
  async (t) => {
    const random = seededRandom(seed);
    let wrong = 0;
    for (let run = 0; run < 200; run++) {
      const log = new ReplicationLog({ backlogBytes: 4000, replId: 'r' });
      log.active = true;
      const first: Segment = log.segmentAt(0);
      const expected: string[] = [];
      const write = (name: string) => {
        const frame = encodeCommand(name, 'x'.repeat(random.int(300)));
        const writer = log.begin(frame.length);
        frame.copy(writer.buffer, writer.at);
        writer.at += frame.length;
        log.commit();
      };
      for (let i = 0; i < 40; i++) {
        const names = Array.from({ length: random.int(6) }, (_, j) => `f${i}.${j}`);
        log.beginUnit();
        log.beginUnit();
        for (const name of names) write(name);
        log.endUnit();
        log.endUnit();
        expected.push(...(names.length > 1 ? ['[', ...names, ']'] : names));
        if (random.int(3) > 0) continue;
        write(`alone${i}`);
        expected.push(`alone${i}`);
      }
      const parts: Buffer[] = [];
      let offset = 0;
      for (let segment: Segment | null = first; segment !== null; segment = segment.next) {
        if (segment.offset !== offset) wrong++;
        parts.push(segment.buffer.subarray(0, segment.length));
        offset += segment.length;
      }
      if (outline(Buffer.concat(parts)) !== expected.join(' ') || log.end !== offset) wrong++;
    }
    t.equal(wrong, 0, 'of 200 runs');
  },
);

/** A leader made of text: lets a follower in, and says what the test tells it to. */
async function fakeLeader(t: Test) {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sockets = new Set<net.Socket>();
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    port: (server.address() as net.AddressInfo).port,
    /** The next link and the offset that its follower asks for. */
    async accept(): Promise<{ socket: net.Socket; offset: number }> {
      const [socket] = (await once(server, 'connection')) as [net.Socket];
      sockets.add(socket);
      socket.on('error', () => {});
      const parser = new RequestParser(LIMITS);
      while (!parser.next()) parser.push(((await once(socket, 'data')) as [Buffer])[0]);
      return { socket, offset: Number(parser.latin1(5)) };
    },
  };
}

const VERSION = '0000000000000001';
const put = (key: string, value: string) => encodeCommand('RS.PUT', key, value, '0', VERSION);
const unit = (...frames: Buffer[]) => {
  const bytes = Buffer.concat(frames);
  return Buffer.concat([encodeCommand('RS.UNIT', bytes.length.toString(16).padStart(16, '0')), bytes]);
};

t.test('a unit whose link is cut in the middle leaves nothing behind, and comes again', async (t) => {
  const leader = await fakeLeader(t);
  const linking = leader.accept();
  const follower = await startStandaloneNode(t, '--replicaof', `127.0.0.1 ${leader.port}`);
  const client = new RespClient(follower.ready.resp);
  t.teardown(() => client.close());
  const before = put('a', 'old');
  const both = unit(put('a', 'new'), put('b', 'new'));
  t.equal(both.length, UNIT_FRAME_BYTES + 2 * put('a', 'new').length);
  let link = await linking;
  link.socket.write('+FULLRESYNC stream 0\r\n');
  link.socket.write(encodeCommand('RS.SNAPEND', '0', VERSION));
  link.socket.write(before);
  const shown = async () => (await client.send('MGET', 'a', 'b'))?.toString();
  await until('the first frame is there', async () => (await shown()) === 'old,');
  const random = seededRandom(seed);
  const cuts = [
    UNIT_FRAME_BYTES - 1,
    UNIT_FRAME_BYTES,
    UNIT_FRAME_BYTES + put('a', 'new').length,
    both.length - 1,
  ];
  while (cuts.length < 8) cuts.push(1 + random.int(both.length - 1));
  for (const cut of cuts) {
    const next = leader.accept();
    link.socket.write(both.subarray(0, cut));
    // What comes between frames is answered, so all before it has arrived.
    const isBetweenFrames = cut === UNIT_FRAME_BYTES || cut === UNIT_FRAME_BYTES + put('a', 'new').length;
    if (isBetweenFrames) {
      link.socket.write(encodeCommand('RS.LEASE', '0', '77'));
      let heard = '';
      while (!heard.includes('RS.LEASEACK')) heard += ((await once(link.socket, 'data')) as [Buffer])[0];
    }
    t.equal(await shown(), 'old,', `after ${cut} of ${both.length} bytes`);
    link.socket.end();
    link = await next;
    t.equal(link.offset, before.length, 'the follower asks for it from its beginning');
    link.socket.write(`+CONTINUE stream ${before.length}\r\n`);
  }
  link.socket.write(both);
  await until('both are new', async () => (await shown()) === 'new,new');
  link.socket.write(encodeCommand('RS.UNIT', (10).toString(16).padStart(16, '0')));
  const again = leader.accept();
  link.socket.write(put('c', 'longer than the unit'));
  t.equal((await again).offset, 0, 'a stream that makes no sense is taken anew');
  t.equal(await client.send('GET', 'c'), null);
});

const KEYS = 12;
const ROUNDS = 60;

t.test(
  `a follower never shows half of EXEC, MSET or RENAME, whenever its link is cut (seed ${seed})`,
  async (t) => {
    const random = seededRandom(seed);
    const args = ['--set', 'node.replication.backlogBytes=256mb'];
    const leader = await startStandaloneNode(t, ...args);
    const proxy = await TcpProxy.start(leader.ready.resp);
    t.teardown(() => proxy.stop());
    const node = await startStandaloneNode(t, ...args, '--replicaof', `127.0.0.1 ${proxy.port}`);
    const [writer, reader] = [new RespClient(leader.ready.resp), new RespClient(node.ready.resp)];
    t.teardown(() => {
      writer.close();
      reader.close();
    });
    const keys = Array.from({ length: KEYS }, (_, i) => `key${i}`);
    const filler = 'x'.repeat(20_000);
    const value = (round: number) => `${String(round).padStart(8, '0')}${filler}`;
    const pairs = (round: number) => keys.flatMap((key) => [key, value(round)]);
    await writer.send('MSET', ...pairs(0));
    const linked = () =>
      until('the link is up', async () =>
        /master_link_status:up/.test((await reader.text('INFO', 'replication'))!),
      );
    await linked();
    let isWriting = true;
    const seen = new Set<string>();
    const reading = (async () => {
      while (isWriting) {
        const found = (await reader.send('MGET', ...keys)) as (Buffer | null)[];
        const rounds = new Set(found.map((bytes) => bytes?.toString('latin1', 0, 8)));
        if (rounds.size !== 1) t.fail(`half of a transaction: ${[...rounds]}`);
        seen.add([...rounds].join());
      }
    })();
    for (let round = 1; round <= ROUNDS; round++) {
      if (round % 3 === 0) await writer.send('MSET', ...pairs(round));
      else {
        const sent = [writer.send('MULTI')];
        for (const key of keys) {
          sent.push(writer.send('SET', `${key}.new`, value(round)), writer.send('RENAME', `${key}.new`, key));
        }
        await Promise.all([...sent, writer.send('EXEC')]);
      }
      if (random.int(4) > 0) continue;
      proxy.cut();
      if (random.int(2) > 0) await writer.send('MSET', ...pairs(round));
      proxy.restore();
    }
    await linked();
    await until('the last round is there', async () => (await reader.text('GET', keys[0])) === value(ROUNDS));
    isWriting = false;
    await reading;
    t.ok(seen.size > 1, `${seen.size} of ${ROUNDS} rounds seen, each whole`);
    t.match(await writer.text('INFO', 'stats'), /sync_full:1\r/, 'the stream went on each time');
  },
);
