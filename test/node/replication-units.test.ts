import t from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { encodeCommand, RequestParser } from '../../lib/codec/resp/index.ts';
import { ReplicationLog, type Segment } from '../../node/replication/replication-log.ts';
import { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';
import { levelFrame, ScriptedLeader } from '../support/scripted-leader.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

/* What a command or a transaction changes takes effect on a follower as a whole, or not at all. */

const seed = Number(process.env.SEED ?? 20261121);
const LIMITS = { maxBulkBytes: 1e6, maxArrayLength: 100, maxInlineBytes: 100, maxBufferedBytes: 1e7 };

/** Names of the commands. */
function outline(bytes: Buffer): string {
  const parser = new RequestParser(LIMITS);
  parser.push(bytes);
  const words: string[] = [];
  while (parser.next()) words.push(parser.latin1(0));
  return words.join(' ');
}

t.test(
  `the log puts MULTI and EXEC around the several frames of a unit, wherever segments end (seed ${seed})`,
  async (t) => {
    const random = seededRandom(seed);
    let wrong = 0;
    for (let run = 0; run < 200; run++) {
      const log = new ReplicationLog({ backlogBytes: 4000, replId: 'r' });
      log.active = true;
      const first: Segment = log.segmentAt(0);
      const expected: string[] = [];
      const chunk = Buffer.alloc(100_000);
      let at = 0;
      const write = (name: string) => {
        const frame = encodeCommand(name, 'x'.repeat(random.int(300)));
        if (log.isAlone && random.int(3) > 0) {
          // Most often right behind the frame before, as the commands of a pipeline.
          at += random.int(4) > 0 ? 0 : 1;
          const start = at;
          at += frame.copy(chunk, at);
          log.forward(chunk, start, at);
          return;
        }
        const writer = log.begin(frame.length);
        frame.copy(writer.buffer, writer.at);
        writer.at += frame.length;
        log.commit();
      };
      for (let i = 0; i < 40; i++) {
        const names = Array.from({ length: random.int(6) }, (_, j) => `f${i}.${j}`);
        const depth = 1 + random.int(2);
        for (let j = 0; j < depth; j++) log.beginUnit();
        for (const name of names) write(name);
        for (let j = 0; j < depth; j++) log.endUnit();
        if (random.int(4) === 0) {
          log.settle();
          chunk.fill('#', 0, at);
          at = 0;
        }
        expected.push(...(names.length > 1 ? ['MULTI', ...names, 'EXEC'] : names));
        if (random.int(3) > 0) continue;
        write(`alone${i}`);
        expected.push(`alone${i}`);
      }
      const { end } = log;
      log.settle();
      const parts: Buffer[] = [];
      let offset = 0;
      for (let segment: Segment | null = first; segment !== null; segment = segment.next) {
        if (segment.offset !== offset) wrong++;
        parts.push(segment.buffer.subarray(0, segment.length));
        offset += segment.length;
      }
      if (outline(Buffer.concat(parts)) !== expected.join(' ') || log.end !== offset || end !== offset)
        wrong++;
    }
    t.equal(wrong, 0, 'of 200 runs');
  },
);

t.test(`memory of the log is used again, and never what somebody has yet to read (seed ${seed})`, (t) => {
  const random = seededRandom(seed);
  let wrong = 0;
  let reused = 0;
  for (let run = 0; run < 50; run++) {
    const log = new ReplicationLog({ backlogBytes: 16 << 10, replId: 'r' });
    const seen = new Set<Buffer>();
    let segment = log.segmentAt(0);
    let at = 0;
    let offset = 0;
    let expected = '';
    log.readOffset = () => offset;
    const read = () => {
      log.settle();
      let text = '';
      for (;;) {
        text += segment.buffer.latin1Slice(at, segment.length);
        at = segment.length;
        if (segment.next === null) break;
        segment = segment.next;
        at = 0;
      }
      offset = log.end;
      // What a unit has around it is left out of the comparison: its frames are what counts.
      if (text.replace(/\*1\r\n\$\d\r\n(MULTI|EXEC)\r\n/g, '') !== expected) wrong++;
      expected = '';
    };
    for (let i = 0; i < 600; i++) {
      log.beginUnit();
      for (let frames = random.int(4); frames > 0; frames--) {
        const frame = `${run}.${i}.${frames}:${'x'.repeat(random.int(random.int(30) === 0 ? 20_000 : 400))};`;
        if (log.isAlone && random.int(2) === 0) {
          log.forward(Buffer.from(frame), 0, frame.length);
        } else {
          const writer = log.begin(frame.length);
          writer.buffer.latin1Write(frame, writer.at);
          writer.at += frame.length;
          log.commit();
        }
        expected += frame;
        if (log.last.length === frame.length && seen.has(log.last.buffer)) reused++;
        seen.add(log.last.buffer);
      }
      log.endUnit();
      if (random.int(run % 2 === 0 ? 3 : 60) === 0) read();
    }
    read();
  }
  t.equal(wrong, 0);
  t.ok(reused > 500, `${reused} segments in memory of former ones`);
  t.end();
});

const MULTI = encodeCommand('MULTI');

t.test('a unit whose link is cut in the middle leaves nothing behind, and comes again', async (t) => {
  const leader = await ScriptedLeader.start(t);
  const follower = await startStandaloneNode(t, '--replicaof', `127.0.0.1 ${leader.port}`);
  const client = new RespClient(follower.ready.resp);
  t.teardown(() => client.close());
  const before = encodeCommand('SET', 'a', 'old');
  const put = encodeCommand('SET', 'a', 'new');
  const both = Buffer.concat([MULTI, put, encodeCommand('SET', 'b', 'new'), encodeCommand('EXEC')]);
  let link = await leader.next();
  await link.syncEmpty('stream', 0);
  const start = levelFrame(link.id).length + before.length;
  link.socket.write(before);
  const shown = async () => (await client.send('MGET', 'a', 'b'))?.toString();
  await until('the first command is there', async () => (await shown()) === 'old,');
  const random = seededRandom(seed);
  const cuts = [MULTI.length - 1, MULTI.length, MULTI.length + put.length, both.length - 1];
  while (cuts.length < 8) cuts.push(1 + random.int(both.length - 1));
  for (const cut of cuts) {
    link.socket.write(both.subarray(0, cut));
    t.equal(await shown(), 'old,', `after ${cut} of ${both.length} bytes`);
    link.socket.end();
    link = await leader.next();
    t.equal(link.offset, start, 'the follower asks for it from its beginning');
    link.socket.write(`+CONTINUE stream ${start}\r\n`);
  }
  link.socket.write(both);
  await until('both are new', async () => (await shown()) === 'new,new');
  link.socket.write(encodeCommand('EXEC'));
  t.equal((await leader.next()).replId, '?', 'a stream that makes no sense is taken anew');
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
