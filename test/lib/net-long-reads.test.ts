import net from 'node:net';
import t, { type Test } from 'tap';
import { silentLogger } from '../../lib/base/index.ts';
import { createServer, readRanges, recycle } from '../../lib/net/index.ts';
import { until } from '../support/until.ts';

/* What comes over a socket as fast as it can be read stays where it was read to, until it is given back. */

const MIB = 2 ** 20;

/** A server that keeps all that comes over each connection, by the client's port. */
async function keeper(t: Test) {
  const kept = new Map<number, Buffer[]>();
  const server = await createServer(
    {
      name: 'resp',
      setting: 'proxy.respPort',
      host: '127.0.0.1',
      port: 0,
      maxConnections: 100,
      sharedReads: true,
      log: silentLogger,
    },
    (socket) => {
      const chunks: Buffer[] = [];
      kept.set(socket.remotePort!, chunks);
      readRanges(socket, (memory, start, end) => void chunks.push(memory.subarray(start, end)), true);
    },
  );
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

/** Short chunks lie side by side in memory that others share. */
const SHORT_BYTES = 32 * 1024;
/** The memory of chunks that have one of their own. */
const memoriesOf = (chunks: Buffer[]) =>
  new Set(chunks.filter(({ length }) => length >= SHORT_BYTES).map(({ buffer }) => buffer));

t.test('much at once: whole, in few pieces, and it stays when more comes', async (t) => {
  const { send } = await keeper(t);
  const sent = [0, 1, 2, 3].map((i) => Buffer.alloc(8 * MIB + i, `number ${i}, `));
  const kept = await Promise.all(sent.map((bytes) => send(bytes, Buffer.from('and the end'))));
  for (const [i, chunks] of kept.entries()) {
    t.ok(
      Buffer.concat(chunks).equals(Buffer.concat([sent[i], Buffer.from('and the end')])),
      `connection ${i}`,
    );
    t.ok(chunks.length < 200, `${chunks.length} pieces`);
  }
});

t.test('what is given back is read into again, and nothing else', async (t) => {
  const { send } = await keeper(t);
  const first = await send(Buffer.alloc(8 * MIB, 'first'));
  const held = first.filter((_, i) => i % 2 === 0);
  const copies = held.map((chunk) => Buffer.from(chunk));
  const given = first.filter((_, i) => i % 2 === 1);
  recycle(given);
  recycle(given);
  recycle([Buffer.from('of no use')]);
  const second = await send(Buffer.alloc(16 * MIB, 'second'));
  t.ok(
    held.every((chunk, i) => chunk.equals(copies[i])),
    'what is held stays as it is',
  );
  t.ok(Buffer.concat(second).equals(Buffer.alloc(16 * MIB, 'second')), 'nothing was read over');
  const again = memoriesOf(second);
  t.ok(
    [...memoriesOf(given)].some((memory) => again.has(memory)),
    'memory serves again',
  );
  t.notOk([...memoriesOf(held)].some((memory) => again.has(memory) && !memoriesOf(given).has(memory)));
});
