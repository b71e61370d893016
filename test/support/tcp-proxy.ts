import { once } from 'node:events';
import net from 'node:net';

/** A TCP proxy whose connections a test can cut, refuse or stall. */
export class TcpProxy {
  readonly #target: string;
  readonly #server: net.Server;
  readonly #pairs = new Set<[net.Socket, net.Socket]>();
  #refusing = false;
  #stalled = false;
  /** Bytes from the target that still pass before the cut. */
  #bytesToCut = Number.POSITIVE_INFINITY;
  #onCut: () => void = () => {};

  private constructor(target: string) {
    this.#target = target;
    this.#server = net.createServer((client) => this.#accept(client));
  }

  /** Listens on a free port, in front of `target` (`host:port`). */
  static async start(target: string): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  #accept(client: net.Socket): void {
    client.on('error', () => {});
    if (this.#refusing) {
      client.destroy();
      return;
    }
    const [host, port] = this.#target.split(':');
    const upstream = net.connect(Number(port), host);
    upstream.on('error', () => {});
    const pair: [net.Socket, net.Socket] = [client, upstream];
    this.#pairs.add(pair);
    upstream.on('data', (chunk: Buffer) => this.#count(chunk.length));
    for (const [from, to] of [pair, [upstream, client]]) {
      from.pipe(to);
      from.on('close', () => {
        to.destroy();
        this.#pairs.delete(pair);
      });
    }
    if (this.#stalled) this.#stall(pair);
  }

  #stall([client, upstream]: [net.Socket, net.Socket]): void {
    for (const socket of [client, upstream]) socket.unpipe().pause();
  }

  #count(bytes: number): void {
    this.#bytesToCut -= bytes;
    if (this.#bytesToCut <= 0) this.cut();
  }

  /** Cuts once about `bytes` more have come from the target, wherever in a frame that is, unless it is cut before; resolves once it is. */
  cutAfter(bytes: number): Promise<void> {
    this.#bytesToCut = bytes;
    return new Promise((resolve) => {
      this.#onCut = resolve;
    });
  }

  /** Destroys every connection; refuses new ones until `restore`. */
  cut(): void {
    this.#refusing = true;
    this.#bytesToCut = Number.POSITIVE_INFINITY;
    this.#onCut();
    for (const [client, upstream] of this.#pairs) {
      client.destroy();
      upstream.destroy();
    }
  }

  /** Bytes stop, both ways, while every connection stays open. */
  stall(): void {
    this.#stalled = true;
    for (const pair of this.#pairs) this.#stall(pair);
  }

  /** Lets connections in and bytes through again. */
  restore(): void {
    this.#refusing = false;
    this.#stalled = false;
    for (const [client, upstream] of this.#pairs) {
      client.pipe(upstream);
      upstream.pipe(client);
    }
  }

  stop(): void {
    this.cut();
    this.#server.close();
  }
}
