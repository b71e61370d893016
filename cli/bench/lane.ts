import { type Operation, SET } from './operation.ts';
import type { Session } from './session.ts';

const PAUSE_MS = 100;

/** One connection's worth of commands in flight, at most `window` at a time. Each protocol has its own. */
export abstract class Lane {
  protected readonly session: Session;
  readonly #window: number;
  #inFlight = 0;
  #urgent: Operation[] = [];
  #isPaused = false;

  constructor(session: Session, window: number) {
    this.session = session;
    this.#window = window;
  }

  /** Opens the connection. Rejects when the target does not answer. */
  abstract open(): Promise<void>;

  /** Closes it at once. */
  abstract close(): void;

  /** Takes one command to be sent with the next `flush`. */
  protected abstract send(operation: Operation): void;

  /** Sends what was taken. */
  protected abstract flush(): void;

  /** False while the connection is being opened again. */
  abstract get isOpen(): boolean;

  /** Commands sent and not answered, and those that have to be sent because of an answer. */
  get pending(): number {
    return this.#inFlight + this.#urgent.length;
  }

  /** Sends as many commands as there is room for, in one go. */
  fill(): void {
    if (!this.isOpen || this.#isPaused) return;
    let sent = false;
    while (this.#inFlight < this.#window) {
      const operation = this.#urgent.shift() ?? this.session.next();
      if (!operation) break;
      this.#inFlight++;
      this.send(operation);
      sent = true;
    }
    if (sent) this.flush();
  }

  /** A command was answered: `hits` of the keys it read were there. */
  protected answered(operation: Operation, hits: number): void {
    this.#inFlight--;
    const keys = operation.kind === SET ? 0 : (operation.keys?.length ?? 1);
    const next = this.session.answered(operation, keys, hits);
    if (next) this.#urgent.push(next);
  }

  /** A command failed: an error was the answer, or its connection broke. */
  protected failed(operation: Operation, text: string): void {
    this.#inFlight--;
    this.session.failed(operation, text);
  }

  /** Waits a moment before it sends again: a target that refuses connections is not asked a million times a second. */
  protected pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    setTimeout(() => {
      this.#isPaused = false;
      this.session.tick();
      this.fill();
    }, PAUSE_MS);
  }
}
