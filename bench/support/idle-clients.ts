import net from 'node:net';

/** So many are connected, or asked, at the same time. */
const BATCH = 250;

/** Clients that are connected and mostly silent: what their connections cost the server is to be measured. */
export class IdleClients {
  readonly sockets: net.Socket[] = [];
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  /** Connects so many more. Rejects when one is refused. */
  async connect(count: number): Promise<void> {
    for (let left = count; left > 0; left -= BATCH) {
      this.sockets.push(
        ...(await Promise.all(Array.from({ length: Math.min(BATCH, left) }, () => this.#open()))),
      );
    }
  }

  /** Each sends these bytes and waits for an answer. Rejects when a connection ends instead. */
  async ask(bytes: Buffer): Promise<void> {
    for (let from = 0; from < this.sockets.length; from += BATCH) {
      await Promise.all(this.sockets.slice(from, from + BATCH).map((socket) => answered(socket, bytes)));
    }
  }

  /** Connections that have not ended. */
  get open(): number {
    return this.sockets.filter(({ closed }) => !closed).length;
  }

  /** Without leaving ports behind that nobody may use for a minute. */
  close(): void {
    for (const socket of this.sockets.splice(0)) socket.resetAndDestroy();
  }

  #open(): Promise<net.Socket> {
    return new Promise((resolve, reject) => {
      const socket = net.connect(this.#port, '127.0.0.1', () => {
        socket.off('error', reject).on('error', () => {});
        resolve(socket);
      });
      socket.once('error', reject);
    });
  }
}

function answered(socket: net.Socket, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const ended = () => reject(new Error('a connection ended'));
    socket.once('close', ended);
    socket.once('data', () => {
      socket.off('close', ended);
      resolve();
    });
    socket.write(bytes);
  });
}
