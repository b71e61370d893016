import net from 'node:net';
import type { Test } from 'tap';

const SENTINEL = 'MN\r\n';
const MOST_PASSED_S = 20;

/** A pattern for `t` and the seconds that are left of so many; on a busy machine a few have passed. */
export function timeLeft(seconds: number): string {
  const left = Array.from({ length: Math.min(seconds, MOST_PASSED_S) }, (_, i) => seconds - i);
  return `t(?:${left.join('|')})`;
}

/** A raw memcached connection: what is asked and what comes back, as text of one byte a character. */
export class MemcachedClient {
  readonly socket: net.Socket;
  isClosed = false;
  #text = '';
  #changed: () => void = () => {};

  /** `address` is `host:port`; closed with the test. */
  constructor(t: Test, address: string, options: Partial<net.TcpNetConnectOpts> = {}) {
    const at = address.lastIndexOf(':');
    const where = { host: address.slice(0, at), port: Number(address.slice(at + 1)) };
    this.socket = net.connect({ ...where, ...options }).setNoDelay(true);
    this.socket.on('error', () => {});
    this.socket.on('data', (chunk: Buffer) => {
      this.#text += chunk.latin1Slice();
      this.#changed();
    });
    this.socket.on('close', () => {
      this.isClosed = true;
      this.#changed();
    });
    t.teardown(() => this.socket.destroy());
  }

  /** All that has come and was not taken. */
  get text(): string {
    return this.#text;
  }

  /** Sends it, with `mn` behind it, and resolves with what comes before the answer to that, or before the end of the connection. */
  async ask(input: string | Buffer): Promise<string> {
    this.socket.write(typeof input === 'string' ? Buffer.from(input, 'latin1') : input);
    this.socket.write('mn\r\n');
    return this.answered();
  }

  /** What comes before the answer to an `mn` that was sent. */
  async answered(): Promise<string> {
    for (let from = 0; ; ) {
      const end = this.#text.indexOf(SENTINEL, Math.max(0, from - SENTINEL.length));
      if (end >= 0) {
        const answer = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + SENTINEL.length);
        return answer;
      }
      if (this.isClosed) return this.#text;
      from = this.#text.length;
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }
}
