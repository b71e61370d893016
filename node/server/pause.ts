import type { Clock } from '../../lib/base/index.ts';
import type { BlockedClients } from './blocked-clients.ts';
import type { Client } from './client.ts';
import type { ClientRegistry } from './client-registry.ts';

const NOTHING = Buffer.alloc(0);
/** The longest that a timer of the platform can be set to. */
const MAX_TIMER_MS = 0x7fffffff;

/** What waits during a pause: nothing, commands that may change data, or all. */
export type PauseMode = 'none' | 'write' | 'all';

/** What `Pause` works with. */
export interface PauseParts {
  readonly clock: Clock;
  readonly clients: ClientRegistry;
  readonly blocked: BlockedClients;
  /** Called when a pause begins or ends: while it lasts, no key may expire either. */
  readonly onChange: (isPaused: boolean) => void;
}

/** CLIENT PAUSE: commands wait, and are executed when it is over. */
export class Pause {
  readonly #parts: PauseParts;
  readonly #waiting = new Set<Client>();
  #untilMs = 0;
  #timer: NodeJS.Timeout | undefined;
  mode: PauseMode = 'none';

  constructor(parts: PauseParts) {
    this.#parts = parts;
  }

  /** Pauses for `ms` milliseconds. A pause under way is only ever made longer and stricter. */
  begin(ms: number, mode: 'write' | 'all'): void {
    const { clock, onChange } = this.#parts;
    if (this.mode === 'none') onChange(true);
    this.#untilMs = Math.max(this.mode === 'none' ? 0 : this.#untilMs, clock.monotonicMs() + ms);
    this.mode = this.mode === 'all' ? 'all' : mode;
    this.#setTimer();
  }

  #setTimer(): void {
    clearTimeout(this.#timer);
    const inMs = this.#untilMs - this.#parts.clock.monotonicMs();
    if (inMs <= 0) this.end();
    else {
      this.#timer = setTimeout(() => this.#setTimer(), Math.min(Math.ceil(inMs), MAX_TIMER_MS));
      this.#timer.unref();
    }
  }

  /** Whether a command has to wait; `mayChange` says that it may change data, or what others hear of it. */
  holds(mayChange: boolean): boolean {
    return this.mode === 'all' || (this.mode === 'write' && mayChange);
  }

  /** Lets the client wait; the command it wanted is executed when the pause is over. */
  hold(client: Client): void {
    client.isPostponed = true;
    this.#waiting.add(client);
    const deadlineMs = Number.POSITIVE_INFINITY;
    this.#parts.blocked.add(client, { kind: 'pause', deadlineMs, muted: false });
  }

  /** The client is gone. */
  forget(client: Client): void {
    this.#waiting.delete(client);
  }

  /** Ends the pause at once. */
  end(): void {
    const { blocked, clients, onChange } = this.#parts;
    clearTimeout(this.#timer);
    if (this.mode === 'none') return;
    this.mode = 'none';
    onChange(false);
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const client of waiting) {
      blocked.remove(client);
      clients.get(client.id)?.answer(NOTHING, null);
    }
  }
}
