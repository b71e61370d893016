import { once } from 'node:events';
import net from 'node:net';
import t, { type Test } from 'tap';
import { silentLogger } from '../../lib/base/index.ts';
import { createServer, readRanges, recycle } from '../../lib/net/index.ts';
import { SharedReadSocket } from '../../lib/net/shared-reads.ts';
import { until } from '../support/until.ts';

/* What is awaited and comes in long pieces stays where it was read to, until it is given back. */

const MIB = 2 ** 20;

const options = {
  name: 'resp',
  setting: 'proxy.respPort',
  host: '127.0.0.1',
  port: 0,
  maxConnections: 100,
  sharedReads: true,
  log: silentLogger,
};

/** A server that keeps all that comes over each connection, by the client's port, and says that it awaits so many bytes of it. */
async function keeper(t: Test, awaitedBytes: number) {
  const kept = new Map<number, Buffer[]>();
  const server = await createServer(options, (socket) => {
    const chunks: Buffer[] = [];
    kept.set(socket.remotePort!, chunks);
    let awaited = awaitedBytes;
    readRanges(socket, (memory, start, end) => {
      chunks.push(memory.subarray(start, end));
      awaited -= end - start;
      return Math.max(0, awaited);
    });
  });
  t.teardown(() => server.close());
  /** What the server keeps of `bytes`, and of `then` in the same connection a moment later. */
  const send = async (bytes: Buffer, then = Buffer.alloc(0)): Promise<Buffer[]> => {
    const socket = net.connect(server.port, '127.0.0.1');
    socket.write(bytes);
    const chunks = () => kept.get(socket.localPort!);
    await until('it is in', () => lengthOf(chunks()) === bytes.length);
    const heard = chunks()!;
    socket.end(then);
    await until('all is in', () => lengthOf(heard) === bytes.length + then.length);
    return heard;
  };
  return { send };
}

const lengthOf = (chunks: Buffer[] | undefined): number =>
  chunks === undefined ? -1 : chunks.reduce((sum, { length }) => sum + length, 0);

/** Shorter chunks lie side by side in memory that others share. */
const LONG_BYTES = 32 * 1024;
const longOf = (chunks: Buffer[]) => chunks.filter(({ length }) => length >= LONG_BYTES);
const memoriesOf = (chunks: Buffer[]) => new Set(longOf(chunks).map(({ buffer }) => buffer));

t.test('much at once: whole, in few pieces, and it stays when more comes', async (t) => {
  const { send } = await keeper(t, 8 * MIB);
  const sent = [0, 1, 2, 3].map((i) => Buffer.alloc(8 * MIB + i, `number ${i}, `));
  const kept = await Promise.all(sent.map((bytes) => send(bytes, Buffer.from('and the end'))));
  for (const [i, chunks] of kept.entries()) {
    t.ok(
      Buffer.concat(chunks).equals(Buffer.concat([sent[i], Buffer.from('and the end')])),
      `connection ${i}`,
    );
    t.ok(chunks.length < 200, `${chunks.length} pieces`);
    const memories = memoriesOf(chunks);
    t.ok(memories.size * 208 * 1024 < 1.5 * 8 * MIB, `${memories.size} pieces of memory`);
  }
});

t.test('what is given back is read into again, and nothing else', async (t) => {
  const { send } = await keeper(t, 8 * MIB);
  const first = await send(Buffer.alloc(8 * MIB, 'first'));
  const held = first.filter((_, i) => i % 2 === 0);
  const copies = held.map((chunk) => Buffer.from(chunk));
  const given = first.filter((_, i) => i % 2 === 1);
  recycle(given);
  recycle([Buffer.from('of no use')]);
  const second = await send(Buffer.alloc(8 * MIB, 'second'));
  t.ok(
    held.every((chunk, i) => chunk.equals(copies[i])),
    'what is held stays as it is, in memory part of which was given back, too',
  );
  t.ok(Buffer.concat(second).equals(Buffer.alloc(8 * MIB, 'second')), 'nothing was read over');
  recycle(held);
  recycle(second);
  const third = await send(Buffer.alloc(8 * MIB, 'third'));
  const before = memoriesOf([...first, ...second]);
  t.ok([...memoriesOf(third)].filter((memory) => before.has(memory)).length > 10, 'memory serves again');
  t.ok(Buffer.concat(third).equals(Buffer.alloc(8 * MIB, 'third')));
});

t.test('given back as it comes, while more is read into the same memory', async (t) => {
  const others = await keeper(t, 16 * MIB);
  const seen: string[] = [];
  const server = await createServer(options, (socket) => {
    const text = `of ${socket.remotePort}, `;
    const pattern = Buffer.alloc(text.length * 200_000, text);
    let at = 0;
    readRanges(socket, (memory, start, end) => {
      const chunk = memory.subarray(start, end);
      const from = at % text.length;
      if (!chunk.equals(pattern.subarray(from, from + chunk.length))) seen.push(`${text} at ${at}`);
      at += chunk.length;
      recycle([chunk]);
      if (at === 16 * MIB) socket.end('all');
      return 16 * MIB - at;
    });
  });
  t.teardown(() => server.close());
  const send = async () => {
    const socket = net.connect(server.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(Buffer.alloc(16 * MIB, `of ${socket.localPort}, `));
    await once(socket, 'data');
  };
  const kept = others.send(Buffer.alloc(16 * MIB, 'kept'));
  await Promise.all([send(), send(), send()]);
  t.same(seen, []);
  t.ok(Buffer.concat(await kept).equals(Buffer.alloc(16 * MIB, 'kept')));
});

/** A server to which values of `valueBytes` come one behind the other, and which expects more of them; what came of each client, by its port. */
async function expecting(t: Test, valueBytes: number) {
  const heard = new Map<number, Buffer[]>();
  const server = await createServer(options, (socket) => {
    const chunks: Buffer[] = [];
    heard.set(socket.remotePort!, chunks);
    let left = valueBytes;
    const listener = (memory: Buffer, start: number, end: number) => {
      chunks.push(memory.subarray(start, end));
      left -= end - start;
      if (left > 0) return left;
      left = valueBytes;
      socket.write('done');
      return 0;
    };
    readRanges(socket, listener, true);
  });
  t.teardown(() => server.close());
  const client = async () => {
    const socket = net.connect(server.port, '127.0.0.1');
    await once(socket, 'connect');
    /** What a value comes in. */
    const send = async (bytes: Buffer): Promise<Buffer[]> => {
      const chunks = heard.get(socket.localPort!)!;
      const before = chunks.length;
      socket.write(bytes);
      await once(socket, 'data');
      return chunks.slice(before);
    };
    const close = async () => {
      socket.destroy();
      await until('the server knows', () => server.connections === 0);
    };
    return { send, close };
  };
  return { client };
}

t.test(
  'where more is expected, each value is as it came, short or long, and nothing is read over',
  async (t) => {
    const { client } = await expecting(t, 3 * MIB);
    const own = await client();
    const values = Array.from({ length: 12 }, (_, i) => Buffer.alloc(3 * MIB, `value ${i}, `));
    const heard: Buffer[][] = [];
    for (const value of values) heard.push(await own.send(value));
    for (const [i, chunks] of heard.entries())
      t.ok(Buffer.concat(chunks).equals(values[i]), `value ${i}, all others are held`);
    recycle(heard.flat());
    const again = await Promise.all([own.send(values[3]), (await client()).send(values[4])]);
    t.ok(Buffer.concat(again[0]).equals(values[3]));
    t.ok(Buffer.concat(again[1]).equals(values[4]));
  },
);

t.test('what is short where a long value was expected is copied out', async (t) => {
  const lengths: number[] = [];
  const chunks: Buffer[] = [];
  const server = await createServer(options, (socket) => {
    let left = 0;
    const listener = (memory: Buffer, start: number, end: number) => {
      const chunk = memory.subarray(start, end);
      chunks.push(chunk);
      if (left === 0) left = chunk[0] === 0x4c ? MIB : chunk.length;
      left -= chunk.length;
      lengths.push(memory.length);
      if (left === 0) socket.write('done');
      return left;
    };
    readRanges(socket, listener, true);
  });
  t.teardown(() => server.close());
  const socket = net.connect(server.port, '127.0.0.1');
  const sent = ['L', 'short', 'shorter', 'L', 'L', 'as short as that'].map((text) =>
    text === 'L' ? Buffer.alloc(MIB, `L${chunks.length}`) : Buffer.from(text),
  );
  for (const bytes of sent) {
    socket.write(bytes);
    await once(socket, 'data');
  }
  t.ok(Buffer.concat(chunks).equals(Buffer.concat(sent)));
  socket.destroy();
});

t.test('of many clients that come and go, each leaves the memory in which it expected more', async (t) => {
  const { client } = await expecting(t, MIB);
  const memories = new Set<ArrayBufferLike>();
  for (let i = 0; i < 100; i++) {
    const own = await client();
    const chunks = await own.send(Buffer.alloc(MIB, `client ${i}, `));
    for (const memory of memoriesOf(chunks)) memories.add(memory);
    recycle(chunks);
    await own.close();
  }
  // The first pieces are copies.
  t.ok(memories.size <= 100 + 20, `${memories.size} pieces of memory`);
});

t.test('given back twice is a mistake that is not passed over', async (t) => {
  const { send } = await keeper(t, 8 * MIB);
  const chunks = await send(Buffer.alloc(8 * MIB, 'once'));
  recycle(chunks);
  t.throws(() => recycle(longOf(chunks)), /given back twice/);
});

t.test('of several addresses the second is read as the first would be', async (t) => {
  const server = net.createServer((socket) => socket.end('hello from the server'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as net.AddressInfo;
  const addresses = ['127.0.0.2', '127.0.0.1'].map((address) => ({ address, family: 4 }));
  const lookup: net.LookupFunction = (_host, _options, done) => done(null, addresses);
  const socket = SharedReadSocket.open({ host: 'two.test', port, lookup, autoSelectFamily: true });
  t.teardown(() => socket.destroy());
  let text = '';
  readRanges(socket, (memory, start, end) => {
    text += memory.latin1Slice(start, end);
    return 0;
  });
  await once(socket, 'close');
  t.equal(text, 'hello from the server');
});
