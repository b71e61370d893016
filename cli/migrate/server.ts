import type { Socket } from 'node:net';
import { isRingsideError, RingsideError } from '../../lib/base/index.ts';
import {
  decodeReply,
  encodeCommand,
  ReplyFramer,
  RespError,
  type RespValue,
} from '../../lib/codec/resp/index.ts';
import { openSocket } from '../../lib/net/index.ts';
import { factsOf, type ServerFacts } from './server-facts.ts';
import type { ServerUrl } from './server-url.ts';

const TIMEOUT_MS = 3000;

/** One of the two servers of a migration: commands one after the other, over a connection that is made again when it is lost. */
export class Server {
  readonly url: ServerUrl;
  /** `source` or `target`, for messages. */
  readonly part: string;
  #socket: Socket | null = null;
  #last: Promise<unknown> = Promise.resolve();

  constructor(part: string, url: ServerUrl) {
    this.part = part;
    this.url = url;
  }

  /** `the source 127.0.0.1:6379`. */
  get name(): string {
    return `the ${this.part} ${this.url.address}`;
  }

  /** Sends a command. Rejects with `unavailable` when nobody answers in time, with `conflict` when the answer is an error. */
  ask(...parts: (string | number)[]): Promise<RespValue> {
    const answer = this.#last.then(() => this.#exchange(parts));
    this.#last = answer.catch(() => {});
    return answer;
  }

  /** What INFO says. */
  async facts(): Promise<ServerFacts> {
    return factsOf(String(await this.ask('INFO')));
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = null;
  }

  async #exchange(parts: readonly (string | number)[]): Promise<RespValue> {
    try {
      this.#socket ??= await this.#connect();
      return refuse(await send(this.#socket, parts), `${this.name}: ${parts[0]}`);
    } catch (error) {
      if (isRingsideError(error) && error.code === 'conflict') throw error;
      this.close();
      const { code, message } = error as NodeJS.ErrnoException;
      const why = code === 'ECONNREFUSED' ? 'nothing listens there' : message;
      throw new RingsideError('unavailable', `${this.name} does not answer (${why})`, { cause: error });
    }
  }

  async #connect(): Promise<Socket> {
    const { host, port, user, password } = this.url;
    const socket = await openSocket({ host, port, timeoutMs: TIMEOUT_MS });
    if (password === '') return socket;
    const login = user === '' ? [password] : [user, password];
    refuse(await send(socket, ['AUTH', ...login]), `${this.name}: AUTH`);
    return socket;
  }
}

function refuse(value: RespValue, what: string): RespValue {
  if (value instanceof RespError) throw new RingsideError('conflict', `${what}: ${value.message}`);
  return value;
}

/** One command and its reply; the connection has no other under way. */
function send(socket: Socket, parts: readonly (string | number)[]): Promise<RespValue> {
  const framer = new ReplyFramer();
  return new Promise((resolve, reject) => {
    let failure: Error = new Error('it closed the connection');
    const finish = (settle: () => void) => {
      clearTimeout(timer);
      socket.off('data', onData).off('close', onClose).off('error', onError);
      settle();
    };
    const onError = (error: Error) => {
      failure = error;
    };
    const onClose = () => finish(() => reject(failure));
    const onData = (chunk: Buffer) => {
      try {
        framer.push(chunk);
        if (!framer.next()) return;
        const value = decodeReply(framer.buffer, framer.frameStart, framer.frameEnd);
        finish(() => resolve(value));
      } catch (error) {
        finish(() => reject(error));
      }
    };
    const timer = setTimeout(
      () => finish(() => reject(new Error(`no answer in ${TIMEOUT_MS} ms`))),
      TIMEOUT_MS,
    );
    socket.on('data', onData).on('close', onClose).on('error', onError);
    if (socket.destroyed) onClose();
    else socket.write(encodeCommand(...parts));
  });
}
