import type { Socket } from 'node:net';
import {
  decodeReply,
  encodeCommand,
  ReplyFramer,
  RespError,
  type RespValue,
} from '../../lib/codec/resp/index.ts';
import { type Address, openSocket, type TlsMaterial } from '../../lib/net/index.ts';

/** Whom to ask, and how. */
export interface EnquirerOptions {
  readonly address: Address;
  /** Arguments of AUTH; null: none is sent. */
  readonly login: readonly string[] | null;
  readonly tls: TlsMaterial | undefined;
  /** Milliseconds for connecting with AUTH, and for each answer. */
  readonly timeoutMs: number;
  /** Hears that a connection that was made is gone. */
  readonly onLost: () => void;
}

interface Question {
  readonly replies: RespValue[];
  readonly count: number;
  readonly resolve: (replies: RespValue[]) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A connection on which servers are asked about themselves, one question at a time; made when there is something to ask, and kept.
 * What comes unasked goes to `onMessage`.
 */
export class Enquirer {
  /** Hears replies that nobody waits for: on a connection that has subscribed, the messages. */
  onMessage: (message: RespValue) => void = () => {};
  readonly #options: EnquirerOptions;
  #socket: Socket | null = null;
  #framer = new ReplyFramer();
  #question: Question | null = null;
  #isClosed = false;

  constructor(options: EnquirerOptions) {
    this.#options = options;
  }

  get isConnected(): boolean {
    return this.#socket !== null;
  }

  /** Asks these commands in one go. Rejects when one of them is not answered in time; error replies are values. */
  async ask(...commands: readonly (readonly string[])[]): Promise<RespValue[]> {
    if (this.#isClosed) throw new Error('closed');
    if (this.#socket === null) await this.#connect();
    return this.#exchange(commands);
  }

  close(): void {
    this.#isClosed = true;
    this.#socket?.destroy();
  }

  async #connect(): Promise<void> {
    const { address, tls, login, timeoutMs } = this.#options;
    const socket = await openSocket({ ...address, tls, timeoutMs });
    if (this.#isClosed) socket.destroy();
    let reason = new Error('the connection was closed');
    this.#socket = socket;
    this.#framer = new ReplyFramer();
    socket.on('data', (chunk) => this.#received(chunk));
    socket.on('error', (error) => {
      reason = error;
    });
    socket.on('close', () => this.#lost(socket, reason));
    if (login === null) return;
    const [reply] = await this.#exchange([['AUTH', ...login]]);
    if (!(reply instanceof RespError)) return;
    socket.destroy();
    throw reply;
  }

  #exchange(commands: readonly (readonly string[])[]): Promise<RespValue[]> {
    const socket = this.#socket;
    if (socket === null) return Promise.reject(new Error('the connection was closed'));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => socket.destroy(new Error(`no answer within ${this.#options.timeoutMs} ms`)),
        this.#options.timeoutMs,
      );
      this.#question = {
        replies: [],
        count: commands.length,
        resolve: (replies) => {
          clearTimeout(timer);
          resolve(replies);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
      socket.write(Buffer.concat(commands.map((parts) => encodeCommand(...parts))));
    });
  }

  #received(chunk: Buffer): void {
    const framer = this.#framer;
    try {
      framer.push(chunk);
      while (framer.next()) this.#take(decodeReply(framer.buffer, framer.frameStart, framer.frameEnd));
    } catch (error) {
      this.#socket?.destroy(error as Error);
    }
  }

  #take(reply: RespValue): void {
    const question = this.#question;
    if (question === null) {
      this.onMessage(reply);
      return;
    }
    question.replies.push(reply);
    if (question.replies.length < question.count) return;
    this.#question = null;
    question.resolve(question.replies);
  }

  #lost(socket: Socket, reason: Error): void {
    if (this.#socket !== socket) return;
    this.#socket = null;
    const question = this.#question;
    this.#question = null;
    question?.reject(reason);
    if (!this.#isClosed) this.#options.onLost();
  }
}
