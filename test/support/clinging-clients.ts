import net from 'node:net';
import { encodeCommand } from '../../lib/codec/resp/index.ts';

/*
 * Clients that each leave something behind in a node when they go: what they wait for, listen to, watch, have queued, sent by half or not read.
 * As a program (`clinging-clients.ts ADDRESS COUNT`) it makes them and waits to be killed.
 */

const commands = (...list: (string | number)[][]) =>
  Buffer.concat(list.map((parts) => encodeCommand(...parts)));
const many = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}${i}`);
const PIECE = 'x'.repeat(4000);

/** A key that a test has filled, so that there is something to leave unread. */
export const LARGE_KEY = 'large';

/** What a client sends before it falls silent; it reads replies unless told otherwise. */
interface Habit {
  readonly sends: (i: number) => Buffer;
  readonly reads?: false;
}

/** In the order in which clients take them, round and round. */
export const habits: Readonly<Record<string, Habit>> = {
  blocked: { sends: (i) => commands(['BLPOP', 'queue', ...many(`queue${i}:`, 20), 0]) },
  moving: { sends: (i) => commands(['BLMOVE', `queue${i}`, 'queue', 'LEFT', 'RIGHT', 0], ['PING']) },
  popping: {
    sends: () => commands(['MULTI'], ['EXEC'], ['BZPOPMIN', 'scores', 'queue', 0], ['SET', 'a', PIECE]),
  },
  waiting: { sends: (i) => commands(['SET', `waited${i}`, '1'], ['WAIT', 5, 0]) },
  subscribed: {
    sends: (i) =>
      commands(
        ['SUBSCRIBE', 'news', ...many(`news${i}:`, 20)],
        ['PSUBSCRIBE', `*${i}*`],
        ['SSUBSCRIBE', 's'],
      ),
  },
  watching: { sends: (i) => commands(['WATCH', 'queue', ...many(`watched${i}:`, 50)]) },
  queueing: {
    sends: () => commands(['WATCH', 'a'], ['MULTI'], ...many('queued', 15).map((key) => ['SET', key, PIECE])),
  },
  tracking: {
    sends: (i) =>
      commands(['HELLO', 3], ['CLIENT', 'TRACKING', 'ON'], ['MGET', 'queue', ...many(`read${i}:`, 30)]),
  },
  broadcast: {
    sends: (i) =>
      commands(['HELLO', 3], ['CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', `p${i}:`, 'PREFIX', `q${i}:`]),
  },
  half: { sends: () => commands(['SET', 'half', PIECE.repeat(10)]).subarray(0, 30_000) },
  unread: { sends: () => commands(...many('', 20).map(() => ['GET', LARGE_KEY])), reads: false },
  monitoring: { sends: () => commands(['MONITOR']) },
  following: {
    sends: (i) =>
      commands(
        ['REPLCONF', 'capa', 'eof'],
        ['REPLCONF', 'ringside', 'standalone', 0, `follower${i}`],
        ['PSYNC', '?', -1],
      ),
  },
};

/** Connects `count` clients; each has sent what it sends when the promise resolves. */
export async function cling(address: string, count: number): Promise<net.Socket[]> {
  const [host, port] = address.split(':');
  const all = Object.values(habits);
  return Promise.all(
    Array.from(
      { length: count },
      (_, i) =>
        new Promise<net.Socket>((resolve, reject) => {
          const { sends, reads } = all[i % all.length];
          const socket = net.connect({ host, port: Number(port) });
          socket.once('error', reject);
          socket.once('connect', () => {
            socket.off('error', reject).on('error', () => {});
            if (reads === false) socket.pause();
            else socket.resume();
            socket.write(sends(i), () => resolve(socket));
          });
        }),
    ),
  );
}

if (import.meta.main) {
  await cling(process.argv[2], Number(process.argv[3]));
  process.stdout.write('connected\n');
}
