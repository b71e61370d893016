import net from 'node:net';

/** Requests whose replies are told by their length, in whichever protocol: making and reading them costs the load generator hardly anything. */
export interface ByteLoad {
  readonly connections: number;
  /** Sent one at a time by each connection, the next when the reply is in; taken in turn. */
  readonly batches: readonly Buffer[];
  readonly commandsPerBatch: number;
  /** Of each batch. */
  readonly replyBytes: number;
}

/** Sends `count` batches and resolves with commands per second. Rejects when a reply is longer than said, or a connection is lost. */
export async function driveBytes(port: number, load: ByteLoad, count: number): Promise<number> {
  const sockets = await Promise.all(Array.from({ length: load.connections }, () => opened(port)));
  try {
    const startedMs = performance.now();
    await exchange(sockets, load, count);
    return (count * load.commandsPerBatch * 1000) / (performance.now() - startedMs);
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

function opened(port: number): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(socket));
    socket.once('error', reject);
  });
}

function exchange(sockets: readonly net.Socket[], load: ByteLoad, count: number): Promise<void> {
  const { batches, replyBytes } = load;
  return new Promise((resolve, reject) => {
    let sent = 0;
    let answered = 0;
    const sendNext = (socket: net.Socket) => {
      if (sent < count) socket.write(batches[sent++ % batches.length]);
    };
    for (const socket of sockets) {
      let received = 0;
      socket.on('data', ({ length }) => {
        received += length;
        if (received < replyBytes) return;
        if (received > replyBytes) reject(new Error(`${received} bytes of reply instead of ${replyBytes}`));
        received = 0;
        if (++answered === count) resolve();
        else sendNext(socket);
      });
      socket.once('close', () => reject(new Error('a connection was lost')));
      sendNext(socket);
    }
  });
}
