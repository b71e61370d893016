import net from 'node:net';
import { ReplyFramer } from '../../lib/codec/resp/index.ts';

/** How a command ended: with a reply, an error reply, or nothing in time. */
export type Outcome = 'reply' | 'error' | 'nothing';

/** A client that waits for each reply, but not for ever: what comes too late costs it the connection, as in most client libraries. */
export class PatientClient {
  readonly #port: number;
  #socket: net.Socket;
  #framer = new ReplyFramer();
  #done: (outcome: Outcome) => void = () => {};

  constructor(port: number) {
    this.#port = port;
    this.#socket = this.#open();
  }

  /** Sends an encoded command; how it ended within `timeoutMs`. */
  ask(command: Buffer, timeoutMs: number): Promise<Outcome> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#socket.destroy();
        this.#done('nothing');
      }, timeoutMs);
      this.#done = (outcome) => {
        clearTimeout(timer);
        this.#done = () => {};
        resolve(outcome);
      };
      if (this.#socket.destroyed) this.#socket = this.#open();
      this.#socket.write(command);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #open(): net.Socket {
    this.#framer = new ReplyFramer();
    const framer = this.#framer;
    const socket = net.connect(this.#port, '127.0.0.1').setNoDelay();
    socket.on('error', () => {});
    socket.on('close', () => {
      if (this.#framer === framer) this.#done('error');
    });
    socket.on('data', (chunk) => {
      framer.push(chunk);
      while (this.#framer === framer && framer.next())
        this.#done(framer.buffer[framer.frameStart] === 0x2d ? 'error' : 'reply');
    });
    return socket;
  }
}
