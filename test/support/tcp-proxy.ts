import { once } from 'node:events';
import net from 'node:net';

/** A TCP proxy whose connections a test can cut, refuse or stall. */
export class TcpProxy {
  readonly #target: string;
  readonly #server: net.Server;
  readonly #pairs = new Set<[net.Socket, net.Socket]>();
  #refusing = false;
  #stalled = false;

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

  /** Destroys every connection; refuses new ones until `restore`. */
  cut(): void {
    this.#refusing = true;
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
