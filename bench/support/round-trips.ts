import net from 'node:net';
import { build, type Histogram } from 'hdr-histogram-js';
import { encodeCommand } from '../../lib/codec/resp/index.ts';

const KEY = 'latency';
/** Requests that bring a server to its usual pace, and are not counted: V8 compiles what is used often for the last time after some ten thousand. */
const WARM_UP = 40_000;

/** A client that sends a command when it has the reply to the one before. */
class Client {
  readonly #socket: net.Socket;
  #expected = 0;
  #received = 0;
  #done = () => {};

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.setNoDelay();
    socket.on('data', (chunk) => {
      this.#received += chunk.length;
      if (this.#received >= this.#expected) this.#done();
    });
  }

  static open(port: number): Promise<Client> {
    return new Promise((resolve, reject) => {
      const socket = net.connect(port, '127.0.0.1', () => resolve(new Client(socket)));
      socket.once('error', reject);
    });
  }

  ask(command: Buffer, replyBytes: number): Promise<void> {
    this.#expected = replyBytes;
    this.#received = 0;
    return new Promise((resolve) => {
      this.#done = resolve;
      this.#socket.write(command);
    });
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Microseconds that GETs of one key take at each server, in the order of the servers, which are asked turn about. */
export async function roundTrips(
  servers: readonly { readonly name: string; readonly port: number }[],
  {
    alternations,
    requests,
    valueBytes,
    progress,
  }: { alternations: number; requests: number; valueBytes: number; progress: (line: string) => void },
): Promise<Histogram[]> {
  const get = encodeCommand('GET', KEY);
  const replyBytes = `$${valueBytes}\r\n`.length + valueBytes + 2;
  const clients: Client[] = [];
  for (const { port } of servers) {
    const client = await Client.open(port);
    clients.push(client);
    await client.ask(encodeCommand('SET', KEY, 'x'.repeat(valueBytes)), '+OK\r\n'.length);
    for (let i = 0; i < WARM_UP; i++) await client.ask(get, replyBytes);
  }
  const histograms = servers.map(() => build());
  for (let round = 0; round < alternations; round++) {
    for (let turn = 0; turn < servers.length; turn++) {
      const i = (round + turn) % servers.length;
      for (let n = 0; n < requests; n++) {
        const startedMs = performance.now();
        await clients[i].ask(get, replyBytes);
        histograms[i].recordValue(Math.round((performance.now() - startedMs) * 1000));
      }
    }
    progress(`latency: turn ${round + 1} of ${alternations} measured`);
  }
  for (const client of clients) client.close();
  return histograms;
}
