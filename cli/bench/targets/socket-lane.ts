import type { Socket } from 'node:net';
import { BoundedQueue } from '../../../lib/base/index.ts';
import { openSocket } from '../../../lib/net/index.ts';
import { Lane } from '../lane.ts';
import type { Operation } from '../operation.ts';
import type { Payload } from '../payload.ts';
import type { Session } from '../session.ts';
import type { Target } from '../target.ts';

const CONNECT_TIMEOUT_MS = 5000;
const RECONNECT_MS = 100;

/** A lane over one socket whose answers come in the order of the commands. A broken connection is opened again. */
export abstract class SocketLane extends Lane {
  protected readonly target: Target;
  readonly #payload: Payload;
  readonly #waiting: BoundedQueue<Operation>;
  #socket: Socket | null = null;
  #text = '';
  #chunks: (string | Buffer)[] = [];
  #isClosed = false;

  constructor(target: Target, session: Session, window: number, payload: Payload) {
    super(session, window);
    this.target = target;
    this.#payload = payload;
    this.#waiting = new BoundedQueue(window);
  }

  override get isOpen(): boolean {
    return this.#socket !== null;
  }

  override async open(): Promise<void> {
    const { host, port, tls } = this.target;
    const socket = await openSocket({ host, port, tls, timeoutMs: CONNECT_TIMEOUT_MS });
    this.reset();
    try {
      await this.greet(socket);
    } catch (error) {
      socket.destroy();
      throw error;
    }
    if (this.#isClosed) {
      socket.destroy();
      return;
    }
    let why = 'connection closed by the target';
    socket.on('error', (error) => {
      why = error.message;
    });
    socket.on('close', () => this.#lost(why));
    socket.on('data', (chunk) => this.#received(chunk));
    this.#socket = socket;
  }

  override close(): void {
    this.#isClosed = true;
    this.#socket?.destroy();
  }

  /** What has to be said before the first command. */
  protected abstract greet(socket: Socket): Promise<void>;

  /** Forgets what is left of a former connection. */
  protected abstract reset(): void;

  /** Takes bytes; calls `take` for each answer in them. */
  protected abstract receive(chunk: Buffer): void;

  /** The command that the next answer belongs to; undefined when none was sent. */
  protected take(): Operation | undefined {
    return this.#waiting.shift();
  }

  protected override send(operation: Operation): void {
    this.#waiting.push(operation);
    this.write(operation);
  }

  /** Encodes a command with `append` and `appendValue`. */
  protected abstract write(operation: Operation): void;

  /** ASCII. */
  protected append(text: string): void {
    this.#text += text;
  }

  protected appendValue(length: number): void {
    const text = this.#payload.text(length);
    if (text !== null) this.#text += text;
    else {
      this.#chunks.push(this.#text, this.#payload.bytes(length));
      this.#text = '';
    }
  }

  protected override flush(): void {
    const socket = this.#socket!;
    if (this.#chunks.length > 0) {
      socket.cork();
      for (const chunk of this.#chunks) socket.write(chunk, 'latin1');
      this.#chunks = [];
    }
    socket.write(this.#text, 'latin1');
    this.#text = '';
    socket.uncork();
  }

  #received(chunk: Buffer): void {
    this.session.tick();
    try {
      this.receive(chunk);
    } catch (error) {
      this.#socket?.destroy(error as Error);
      return;
    }
    this.fill();
  }

  #lost(why: string): void {
    this.#socket = null;
    this.#text = '';
    this.#chunks = [];
    for (let lost = this.take(); lost; lost = this.take()) this.failed(lost, why);
    if (!this.#isClosed) this.#reopen();
  }

  #reopen(): void {
    setTimeout(() => {
      if (this.#isClosed) return;
      this.open().then(
        () => {
          this.session.tick();
          this.fill();
        },
        () => this.#reopen(),
      );
    }, RECONNECT_MS);
  }
}
