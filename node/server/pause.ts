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

/** Who asked for a pause; each ends its own alone. */
export type PausePurpose = 'command' | 'shutdown';

interface Phase {
  readonly untilMs: number;
  readonly mode: 'write' | 'all';
}

/** CLIENT PAUSE, and the end of the node: commands wait, and are executed when it is over. */
export class Pause {
  readonly #parts: PauseParts;
  readonly #waiting = new Set<Client>();
  readonly #phases = new Map<PausePurpose, Phase>();
  #timer: NodeJS.Timeout | undefined;
  /** What commands are answered that had to wait, since the pause will have no end; null while they wait. */
  refusal: string | null = null;
  /** The strictest that is asked for. */
  mode: PauseMode = 'none';

  constructor(parts: PauseParts) {
    this.#parts = parts;
  }

  /** Pauses for `ms` milliseconds. A pause under way is only ever made longer and stricter. */
  begin(ms: number, mode: 'write' | 'all', purpose: PausePurpose = 'command'): void {
    const former = this.#phases.get(purpose);
    this.#phases.set(purpose, {
      untilMs: Math.max(former?.untilMs ?? 0, this.#parts.clock.monotonicMs() + ms),
      mode: former?.mode === 'all' ? 'all' : mode,
    });
    this.#settle();
  }

  /** Ends the pause at once, unless it is asked for by others too. */
  end(purpose: PausePurpose = 'command'): void {
    this.#phases.delete(purpose);
    this.#settle();
  }

  /** What is over goes; who need not wait any more goes on. */
  #settle(): void {
    clearTimeout(this.#timer);
    const nowMs = this.#parts.clock.monotonicMs();
    const before = this.mode;
    let firstMs = Number.POSITIVE_INFINITY;
    this.mode = 'none';
    for (const [purpose, { untilMs, mode }] of this.#phases) {
      if (untilMs <= nowMs) this.#phases.delete(purpose);
      else if (this.mode !== 'all') this.mode = mode;
      if (untilMs > nowMs) firstMs = Math.min(firstMs, untilMs);
    }
    if (firstMs < Number.POSITIVE_INFINITY) {
      const inMs = Math.min(Math.ceil(firstMs - nowMs), MAX_TIMER_MS);
      this.#timer = setTimeout(() => this.#settle(), inMs).unref();
    }
    if ((before === 'none') !== (this.mode === 'none')) this.#parts.onChange(this.mode !== 'none');
    if (before !== 'none' && before !== this.mode) this.#release();
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

  /** Whoever waits need not any more, nor who comes: they are answered with this error. */
  refuse(text: string): void {
    this.refusal = text;
    this.#release();
  }

  /** Whoever waits tries again. */
  #release(): void {
    const { blocked, clients } = this.#parts;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const client of waiting) {
      blocked.remove(client);
      clients.get(client.id)?.answer(NOTHING, null);
    }
  }
}
