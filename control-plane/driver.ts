import { type Clock, isRingsideError, type Logger, RingsideError } from '../lib/base/index.ts';
import type { RingDocument } from '../lib/ring/index.ts';
import type { Answer, ControlCore, CoreEvent, Effect, RefusalReason, StateRecord } from './core/index.ts';
import { encodeRecord } from './state/record.ts';
import type { StateStore } from './state/store.ts';

const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 2000;

/** What the driver tells agents through. None of it waits or throws; a session that is gone is ignored. */
export interface AgentPort {
  welcome(session: number, timing: { heartbeatMs: number; leaseMs: number; suspectAfterMs: number }): void;
  push(session: number, document: RingDocument): void;
  seal(session: number, shard: string, epoch: string): void;
  grant(session: number, reply: { seq: string; granted: boolean; shardEpoch: string }): void;
  refuse(session: number, reason: RefusalReason, message: string): void;
}

/** What the driver counts. */
export interface DriverStats {
  published: number;
  grants: number;
  refusals: number;
  persistFailures: number;
}

type Ordered = Extract<Effect, { type: 'persist' | 'push' | 'answer' }>;

/**
 * Feeds the core with events and ticks, and does what it asks. Nothing is pushed before the state it comes from
 * is on disk; while the disk fails, it is tried again and pushes wait, but leases go on.
 */
export class Driver {
  readonly stats: DriverStats = { published: 0, grants: 0, refusals: 0, persistFailures: 0 };
  readonly #core: ControlCore;
  readonly #clock: Clock;
  readonly #store: StateStore;
  readonly #port: AgentPort;
  readonly #log: Logger;
  readonly #tickMs: number;
  readonly #answers = new Map<number, (answer: Answer) => void>();
  #version: bigint;
  #events: CoreEvent[] = [];
  #queue: Ordered[] = [];
  #isDraining = false;
  #drained: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #nextRequest = 1;
  #closed = false;
  #retrying = false;
  /** Called when another writer owns the state: nothing that this process decides counts any more. */
  onFatal: () => void = () => {};

  constructor(options: {
    core: ControlCore;
    clock: Clock;
    store: StateStore;
    /** Version of the stored state that the core was made from, 0n for none. */
    version: bigint;
    port: AgentPort;
    log: Logger;
    tickMs: number;
  }) {
    this.#core = options.core;
    this.#clock = options.clock;
    this.#store = options.store;
    this.#version = options.version;
    this.#port = options.port;
    this.#log = options.log;
    this.#tickMs = options.tickMs;
  }

  /** The fleet as of now. */
  view(): ReturnType<ControlCore['view']> {
    return this.#core.view();
  }

  /** Whether every decision so far is on disk, or being written for the first time. */
  get isStateSafe(): boolean {
    return !this.#retrying;
  }

  /** Starts the ticks. */
  start(): void {
    this.#timer = setInterval(() => this.submit({ type: 'tick' }), this.#tickMs);
    this.submit({ type: 'tick' });
  }

  /** Lets the core decide on an event; one that comes up while another is being dealt with waits its turn. */
  submit(event: CoreEvent): void {
    this.#events.push(event);
    if (this.#events.length > 1) return;
    for (let i = 0; i < this.#events.length; i++) this.#decide(this.#events[i]);
    this.#events = [];
  }

  #decide(event: CoreEvent): void {
    if (this.#closed) return;
    let effects: Effect[];
    try {
      effects = this.#core.handle(event, this.#clock.monotonicMs());
    } catch (error) {
      this.#log.error({ err: error, event: event.type }, 'an event could not be handled');
      return;
    }
    for (const effect of effects) this.#perform(effect);
  }

  /** Asks for another leader; resolves with what came of it. */
  failover(shard: string, to: string | null): Promise<Answer> {
    const request = this.#nextRequest++;
    return new Promise((resolve) => {
      this.#answers.set(request, resolve);
      this.submit({ type: 'failover', request, shard, to });
    });
  }

  /** Stops deciding; resolves when what was decided is stored, or cannot be. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#drained;
    const message = 'the control plane is shutting down';
    for (const resolve of this.#answers.values()) resolve({ ok: false, code: 'unavailable', message });
    this.#answers.clear();
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case 'welcome':
        this.#port.welcome(effect.session, effect.welcome);
        break;
      case 'seal':
        this.#port.seal(effect.session, effect.shard, effect.epoch);
        break;
      case 'grant':
        if (effect.granted) this.stats.grants++;
        this.#port.grant(effect.session, effect);
        break;
      case 'refuse':
        this.stats.refusals++;
        this.#port.refuse(effect.session, effect.reason, effect.message);
        break;
      case 'log':
        this.#log[effect.level](effect.fields, effect.message);
        break;
      default:
        this.#queue.push(effect);
        if (!this.#isDraining) this.#drained = this.#drain();
    }
  }

  #giveUp(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    this.onFatal();
  }

  /** Runs without a pause up to the first write to the store, and ends only with an empty queue. */
  async #drain(): Promise<void> {
    this.#isDraining = true;
    while (this.#queue.length > 0) {
      const batch = this.#queue;
      this.#queue = [];
      // Each record is whole, so the last of a batch stands for all of them.
      const record = batch.findLast((effect) => effect.type === 'persist')?.record;
      if (record !== undefined && !(await this.#persist(record))) return;
      for (const effect of batch) this.#performOrdered(effect);
    }
    this.#isDraining = false;
  }

  #performOrdered(effect: Ordered): void {
    switch (effect.type) {
      case 'push':
        this.#port.push(effect.session, effect.document);
        break;
      case 'answer':
        this.#answers.get(effect.request)?.(effect.answer);
        this.#answers.delete(effect.request);
        break;
      case 'persist':
        this.stats.published++;
    }
  }

  /** False when the state will never be stored by this process. */
  async #persist(record: StateRecord): Promise<boolean> {
    const text = encodeRecord(record);
    for (let delayMs = RETRY_MIN_MS; ; delayMs = Math.min(delayMs * 2, RETRY_MAX_MS)) {
      try {
        this.#version = await this.#store.save(text, this.#version);
        this.#retrying = false;
        return true;
      } catch (error) {
        this.#retrying = true;
        this.stats.persistFailures++;
        this.#log.error({ err: error }, 'the state could not be stored; nothing is pushed until it is');
        if (isRingsideError(error, 'conflict')) this.#giveUp();
        if (this.#closed || isRingsideError(error, 'conflict')) return false;
        await new Promise((resolve) => setTimeout(resolve, delayMs));
      }
    }
  }
}

/** The error that an operator gets for a refused request. */
export function errorOf(answer: Answer & { ok: false }): RingsideError {
  return new RingsideError(answer.code, answer.message);
}
