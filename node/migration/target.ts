import type { Socket } from 'node:net';
import { isRingsideError } from '../../lib/base/index.ts';
import { type CommandPart, encodeCommand, ReplyFramer } from '../../lib/codec/resp/index.ts';

const LF = 0x0a;
const ERROR = 0x2d;

/** The target cannot be spoken to any more; `doing` is what was being done. */
export class TargetError extends Error {
  readonly doing: 'connecting' | 'writing' | 'reading';

  constructor(doing: TargetError['doing'], options?: ErrorOptions) {
    super(`error or timeout ${doing}`, options);
    this.doing = doing;
  }
}

/** Opens a socket and calls back once it can be used; ends it when that takes longer than `timeoutMs`. */
export type OpenSocket = (host: string, port: number, timeoutMs: number, onOpen: () => void) => Socket;

/** A connection to a server that keys are moved to. Fails for good when nothing happens for `timeoutMs`. */
export class Target {
  readonly #socket: Socket;
  readonly #timeoutMs: number;
  readonly #framer = new ReplyFramer();
  #replies: string[] = [];
  #wanted = 0;
  #settle: { resolve: (replies: string[]) => void; reject: (error: TargetError) => void } | null = null;
  #timer: NodeJS.Timeout | undefined;

  private constructor(socket: Socket, timeoutMs: number) {
    this.#socket = socket;
    this.#timeoutMs = timeoutMs;
    socket.on('data', (chunk: Buffer) => this.#received(chunk));
    socket.on('drain', () => this.#timer?.refresh());
    socket.once('close', () => this.#failed());
  }

  /** Rejects with TargetError. */
  static connect(open: OpenSocket, host: string, port: number, timeoutMs: number): Promise<Target> {
    return new Promise((resolve, reject) => {
      // To Redis, a connection that is refused is one that could not be written to.
      const failed = (cause: unknown) =>
        reject(new TargetError(isTimeout(cause) ? 'connecting' : 'writing', { cause }));
      try {
        const socket = open(host, port, timeoutMs, () => resolve(new Target(socket, timeoutMs)));
        socket.once('error', failed);
      } catch (error) {
        // A port that is none.
        failed(error);
      }
    });
  }

  /** Sends commands in one go; resolves with the first line of each reply, errors with their `-`. Rejects with TargetError. */
  send(commands: readonly (readonly CommandPart[])[]): Promise<string[]> {
    this.#wanted = commands.length;
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      if (this.#socket.destroyed) {
        this.#failed();
        return;
      }
      this.#timer = setTimeout(() => this.#socket.destroy(), this.#timeoutMs);
      this.#socket.write(Buffer.concat(commands.map((parts) => encodeCommand(...parts))));
    });
  }

  #received(chunk: Buffer): void {
    this.#timer?.refresh();
    this.#framer.push(chunk);
    try {
      while (this.#framer.next()) {
        const { buffer, frameStart } = this.#framer;
        this.#replies.push(buffer.latin1Slice(frameStart, buffer.indexOf(LF, frameStart) - 1));
      }
    } catch {
      // Whoever it is, it does not speak RESP.
      this.#socket.destroy();
      return;
    }
    if (this.#settle === null || this.#replies.length < this.#wanted) return;
    const { resolve } = this.#settle;
    this.#settle = null;
    clearTimeout(this.#timer);
    resolve(this.#replies.splice(0));
  }

  #failed(): void {
    clearTimeout(this.#timer);
    const settle = this.#settle;
    this.#settle = null;
    settle?.reject(new TargetError(this.#socket.writableLength > 0 ? 'writing' : 'reading'));
  }

  close(): void {
    this.#socket.destroy();
  }
}

function isTimeout(error: unknown): boolean {
  return isRingsideError(error) && error.code === 'timeout';
}

/** Whether the line is an error. */
export function isError(line: string): boolean {
  return line.charCodeAt(0) === ERROR;
}
