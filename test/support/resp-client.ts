import net from 'node:net';
import tls from 'node:tls';
import { decodeReply, encodeCommand, ReplyFramer, type RespValue } from '../../lib/codec/resp/index.ts';

type Part = string | Buffer | number;

/** A RESP connection without any cleverness: no reconnect, no retry, replies in order, error replies as values. */
export class RespClient {
  readonly socket: net.Socket;
  readonly #framer = new ReplyFramer();
  readonly #waiting: { resolve: (reply: RespValue) => void; reject: (error: Error) => void }[] = [];

  /** `address` is `host:port`. The promise of every command under way rejects when the connection ends. */
  constructor(address: string, tlsOptions?: tls.ConnectionOptions) {
    const at = address.lastIndexOf(':');
    const where = { host: address.slice(0, at), port: Number(address.slice(at + 1)) };
    this.socket = tlsOptions ? tls.connect({ ...where, ...tlsOptions }) : net.connect(where);
    this.socket.setNoDelay(true);
    this.readFrames((buffer, start, end) => this.#waiting.shift()?.resolve(decodeReply(buffer, start, end)));
    let cause = new Error('connection closed');
    this.socket.on('error', (error) => {
      cause = error;
    });
    this.socket.on('close', () => {
      for (const { reject } of this.#waiting.splice(0)) reject(cause);
    });
  }

  /** From now on gives each frame that comes to `heard`, and no reply to `send`; `chunkEnded` is called behind the last whole one of a chunk. */
  readFrames(
    heard: (buffer: Buffer, start: number, end: number) => void,
    chunkEnded: () => void = () => {},
  ): void {
    this.socket.removeAllListeners('data');
    this.socket.on('data', (chunk: Buffer) => {
      this.#framer.push(chunk);
      while (this.#framer.next()) heard(this.#framer.buffer, this.#framer.frameStart, this.#framer.frameEnd);
      chunkEnded();
    });
  }

  /** Sends one command; resolves with its reply (error replies are `RespError` values). */
  send(...parts: Part[]): Promise<RespValue> {
    if (this.socket.destroyed) return Promise.reject(new Error('connection closed'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.socket.write(encodeCommand(...parts));
    });
  }

  /** As `send`, with bulk strings and simple strings alike as text. */
  async text(...parts: Part[]): Promise<string | null> {
    const reply = await this.send(...parts);
    if (reply instanceof Error) throw reply;
    return reply === null ? null : String(reply);
  }

  close(): void {
    this.socket.destroy();
  }
}
