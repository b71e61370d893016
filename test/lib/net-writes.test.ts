import net from 'node:net';
import t, { type Test } from 'tap';
import { seededRandom, silentLogger } from '../../lib/base/index.ts';
import {
  createServer,
  type ListenOptions,
  openSocket,
  readRanges,
  writeBytes,
  writePieces,
} from '../../lib/net/index.ts';
import { until } from '../support/until.ts';

const options = (sharedReads: boolean): ListenOptions => ({
  name: 'resp',
  setting: 'proxy.respPort',
  host: '127.0.0.1',
  port: 0,
  maxConnections: 100,
  sharedReads,
  log: silentLogger,
});

/** A server's socket and the client's, which is not read from yet. */
async function pair(t: Test, sharedReads: boolean) {
  const accepted: net.Socket[] = [];
  const server = await createServer(options(sharedReads), (socket) => accepted.push(socket));
  t.teardown(() => server.close());
  const far = net.connect({ host: '127.0.0.1', port: server.port });
  await until('it is in', () => accepted.length === 1);
  return { near: accepted[0], far, server };
}

function* pieces(count: number): Generator<Buffer> {
  const random = seededRandom(7);
  for (let i = 0; i < count; i++)
    yield Buffer.alloc(random.int(10) === 0 ? random.int(1_000_000) + 1 : random.int(500) + 1, i);
}

for (const sharedReads of [false, true]) {
  t.test(sharedReads ? 'past the streams' : 'by the streams', async (t) => {
    t.test('what a slow reader gets is whole and in order, with drain behind every false', async (t) => {
      const { near, far } = await pair(t, sharedReads);
      const sent: Buffer[] = [];
      let refusals = 0;
      far.pause();
      const writing = (async () => {
        for (const piece of pieces(400)) {
          sent.push(Buffer.from(piece));
          if (writeBytes(near, piece)) continue;
          refusals++;
          t.ok(near.writableLength > 0, 'what waits is counted');
          await new Promise((resolve) => near.once('drain', resolve));
          t.equal(near.writableLength, 0);
        }
        near.end('the end');
      })();
      await until('it is full', () => refusals > 0);
      const heard: Buffer[] = [];
      far.on('data', (chunk) => heard.push(chunk));
      far.resume();
      await Promise.all([writing, new Promise((resolve) => far.once('end', resolve))]);
      t.ok(refusals > 1);
      t.ok(Buffer.concat(heard).equals(Buffer.concat([...sent, Buffer.from('the end')])));
    });

    t.test('so it is of several pieces at once, between single ones', async (t) => {
      const { near, far } = await pair(t, sharedReads);
      const all = [...pieces(400)];
      let refusals = 0;
      far.pause();
      const writing = (async () => {
        for (let i = 0; i < all.length; i += 4) {
          const flows = i % 3 === 0 ? writeBytes(near, all[i]) : writePieces(near, [all[i]]);
          const flowsOn = writePieces(near, all.slice(i + 1, i + 4));
          if (flows && flowsOn) continue;
          refusals++;
          if (near.writableLength > 0) await new Promise((resolve) => near.once('drain', resolve));
          t.equal(near.writableLength, 0);
        }
        near.end();
      })();
      await until('it is full', () => refusals > 0);
      const heard: Buffer[] = [];
      far.on('data', (chunk) => heard.push(chunk));
      far.resume();
      await Promise.all([writing, new Promise((resolve) => far.once('end', resolve))]);
      t.ok(Buffer.concat(heard).equals(Buffer.concat(all)));
    });

    t.test('pieces to a peer that is gone end the socket', async (t) => {
      const { near, far, server } = await pair(t, sharedReads);
      far.pause();
      const piece = Buffer.alloc(4_000_000);
      t.notOk(writePieces(near, [piece, piece]));
      const closed = new Promise((resolve) => near.once('close', resolve));
      far.resetAndDestroy();
      await closed;
      t.equal(server.connections, 0);
      t.doesNotThrow(() => writePieces(near, [Buffer.from('la'), Buffer.from('te')]));
    });

    t.test('memory is free again once nothing waits', async (t) => {
      const { near, far } = await pair(t, sharedReads);
      const memory = Buffer.alloc(100);
      const heard: Buffer[] = [];
      far.on('data', (chunk) => heard.push(chunk));
      for (let i = 0; i < 50; i++) {
        memory.fill(i);
        writeBytes(near, memory.subarray(0, i + 1));
        t.equal(near.writableLength, 0);
      }
      near.end();
      await new Promise((resolve) => far.once('end', resolve));
      t.ok(
        Buffer.concat(heard).equals(
          Buffer.concat(Array.from({ length: 50 }, (_, i) => Buffer.alloc(i + 1, i))),
        ),
      );
    });

    t.test('a peer that is gone ends the socket, with bytes under way or none', async (t) => {
      for (const first of ['', 'x'.repeat(8_000_000)]) {
        const { near, far, server } = await pair(t, sharedReads);
        far.pause();
        if (first !== '') t.notOk(writeBytes(near, Buffer.from(first)));
        const closed = new Promise((resolve) => near.once('close', resolve));
        far.resetAndDestroy();
        while (!near.destroyed) {
          writeBytes(near, Buffer.from('more'));
          await new Promise((resolve) => setImmediate(resolve));
        }
        await closed;
        t.equal(server.connections, 0);
        t.doesNotThrow(() => writeBytes(near, Buffer.from('late')));
      }
    });

    t.test('a socket that was opened writes as well', async (t) => {
      const heard: string[] = [];
      const server = await createServer(options(true), (socket) =>
        readRanges(socket, (memory, start, end) => {
          heard.push(memory.latin1Slice(start, end));
          return 0;
        }),
      );
      t.teardown(() => server.close());
      const socket = await openSocket({ host: '127.0.0.1', port: server.port, timeoutMs: 5000, sharedReads });
      for (const text of ['a', 'b', 'c']) writeBytes(socket, Buffer.from(text));
      await until('it has come', () => heard.join('') === 'abc');
      socket.destroy();
    });
  });
}

t.test('what comes over several sockets lies side by side, and stays', async (t) => {
  const ranges: { memory: Buffer; start: number; end: number }[] = [];
  const server = await createServer(options(true), (socket) =>
    readRanges(socket, (memory, start, end) => {
      ranges.push({ memory, start, end });
      return 0;
    }),
  );
  t.teardown(() => server.close());
  for (let i = 0; i < 20; i++) {
    const socket = net.connect({ host: '127.0.0.1', port: server.port });
    socket.end(String.fromCharCode(0x61 + i).repeat(i + 1));
    await until('it has come', () => ranges.length === i + 1);
  }
  t.same(
    ranges.map(({ memory, start, end }) => memory.latin1Slice(start, end)),
    Array.from({ length: 20 }, (_, i) => String.fromCharCode(0x61 + i).repeat(i + 1)),
  );
  t.equal(new Set(ranges.map(({ memory }) => memory)).size, 1);
  for (let i = 1; i < 20; i++) t.equal(ranges[i].start, ranges[i - 1].end);
});
