import { once } from 'node:events';
import net from 'node:net';
import { RequestParser } from '../../lib/codec/resp/index.ts';

const LIMITS = {
  maxBulkBytes: 1 << 20,
  maxArrayLength: 1 << 20,
  maxInlineBytes: 65_536,
  maxBufferedBytes: 1 << 30,
};
const TICK_MS = 1;
/** What a stall of this process may be made up for. */
const MAX_CREDIT_MS = 20;
const PONG = Buffer.from('+PONG\r\n');
const VALUE = Buffer.from('$1\r\nx\r\n');
const NOTHING = Buffer.alloc(0);
const HELLO = Buffer.from('%0\r\n');

/** A server that answers one command after the other, each (and each key of an MGET) after a time of its own: when more comes, the queue grows, as in a server that is out of processor. */
export class SerialServer {
  /** Milliseconds that a command takes. */
  serviceMs: number;
  /** Commands taken, without greetings; each key of an MGET counts as one. */
  received = 0;
  readonly #server = net.createServer((socket) => this.#accept(socket));
  readonly #timer: NodeJS.Timeout;
  #queue: { readonly socket: net.Socket; readonly reply: Buffer }[] = [];
  #next = 0;
  #credit = 0;
  #lastMs = performance.now();

  private constructor(serviceMs: number) {
    this.serviceMs = serviceMs;
    this.#timer = setInterval(() => this.#serve(), TICK_MS);
  }

  static async start(serviceMs: number): Promise<SerialServer> {
    const server = new SerialServer(serviceMs);
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as net.AddressInfo).port}`;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#server.close();
    for (const { socket } of this.#queue) socket.destroy();
  }

  #accept(socket: net.Socket): void {
    const parser = new RequestParser(LIMITS);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      parser.push(chunk);
      while (parser.next()) this.#take(socket, parser.latin1(0).toUpperCase(), parser.count - 1);
    });
  }

  #take(socket: net.Socket, name: string, keys: number): void {
    if (name === 'HELLO') socket.write(HELLO);
    else if (name === 'MGET') this.#takeMany(socket, keys);
    else {
      if (name !== 'PING') this.received++;
      this.#queue.push({ socket, reply: name === 'PING' ? PONG : VALUE });
    }
  }

  /** Each key takes as long as a command; the reply comes behind the last one. */
  #takeMany(socket: net.Socket, keys: number): void {
    this.received += keys;
    for (let i = 1; i < keys; i++) this.#queue.push({ socket, reply: NOTHING });
    const values = new Array<Buffer>(keys).fill(VALUE);
    this.#queue.push({ socket, reply: Buffer.concat([Buffer.from(`*${keys}\r\n`), ...values]) });
  }

  #serve(): void {
    const nowMs = performance.now();
    this.#credit = Math.min(this.#credit + nowMs - this.#lastMs, Math.max(MAX_CREDIT_MS, this.serviceMs));
    this.#lastMs = nowMs;
    const replies = new Map<net.Socket, Buffer[]>();
    while (this.#next < this.#queue.length && this.#credit >= this.serviceMs) {
      this.#credit -= this.serviceMs;
      const { socket, reply } = this.#queue[this.#next++];
      const together = replies.get(socket);
      if (together === undefined) replies.set(socket, [reply]);
      else together.push(reply);
    }
    if (this.#next === this.#queue.length) this.#credit = Math.min(this.#credit, this.serviceMs);
    if (this.#next > 10_000) {
      this.#queue = this.#queue.slice(this.#next);
      this.#next = 0;
    }
    for (const [socket, together] of replies) if (!socket.destroyed) socket.write(Buffer.concat(together));
  }
}
