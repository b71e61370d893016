import { type Clock, RingsideError, systemClock } from '../base/index.ts';

/** How a pool makes and bounds its items. */
export interface PoolOptions<T> {
  /** Makes an item; its rejection reaches the caller of `acquire` as it is. */
  readonly open: () => Promise<T>;
  /** Lets go of an item that the pool no longer wants. */
  readonly close: (item: T) => void;
  /** Items at once, lent, idle and being opened together. */
  readonly max: number;
  /** Callers that may wait for an item at once. */
  readonly maxWaiting: number;
  /** Milliseconds a caller waits for an item. */
  readonly waitTimeoutMs: number;
  /** Milliseconds after which an idle item is closed. */
  readonly idleTimeoutMs: number;
  /** The setting behind `max`, named to callers that are turned away. */
  readonly setting: string;
  readonly clock?: Clock;
}

interface Waiter<T> {
  readonly resolve: (item: T) => void;
  readonly reject: (error: unknown) => void;
  readonly timer: NodeJS.Timeout;
}

interface Idle<T> {
  readonly item: T;
  readonly sinceMs: number;
}

/**
 * A bounded pool of things that one caller at a time may use, such as connections for blocking commands.
 *
 * The pool does not see that an idle item dies: who opened it calls `discard` then.
 */
export class Pool<T> {
  readonly #options: PoolOptions<T>;
  readonly #clock: Clock;
  readonly #lent = new Set<T>();
  readonly #waiters = new Set<Waiter<T>>();
  readonly #reaper: NodeJS.Timeout;
  /** Longest idle first. */
  #idle: Idle<T>[] = [];
  #opening = 0;
  #closed = false;

  constructor(options: PoolOptions<T>) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#reaper = setInterval(() => this.reap(), Math.max(10, options.idleTimeoutMs / 2));
    this.#reaper.unref();
  }

  /** Items lent, idle and being opened. */
  get size(): number {
    return this.#lent.size + this.#idle.length + this.#opening;
  }

  /** Callers waiting. */
  get waiting(): number {
    return this.#waiters.size;
  }

  /**
   * Lends an item: the one used last, a new one, or the next to come back. Give it back with `release` or `discard`.
   *
   * Rejects with RingsideError `overloaded` when too many wait or the wait took too long, and with what `open` said when it failed.
   */
  acquire(): Promise<T> {
    const { max, maxWaiting } = this.#options;
    if (this.#closed) return Promise.reject(new RingsideError('unavailable', 'the pool is closed'));
    const idle = this.#idle.pop();
    if (idle) {
      this.#lent.add(idle.item);
      return Promise.resolve(idle.item);
    }
    if (this.size < max) return this.#open();
    if (this.#waiters.size >= maxWaiting) return Promise.reject(this.#overloaded('too many are waiting'));
    return this.#wait();
  }

  /** Takes back an item that is fit for the next caller. */
  release(item: T): void {
    if (!this.#lent.delete(item)) return;
    const waiter = this.#nextWaiter();
    if (waiter) {
      this.#lent.add(item);
      waiter.resolve(item);
    } else if (this.#closed) this.#options.close(item);
    else this.#idle.push({ item, sinceMs: this.#clock.monotonicMs() });
  }

  /** Takes an item out that is of no more use, lent or idle, and closes it. Does nothing with one that is out already. */
  discard(item: T): void {
    const idleAt = this.#idle.findIndex((entry) => entry.item === item);
    if (idleAt >= 0) this.#idle.splice(idleAt, 1);
    else if (!this.#lent.delete(item)) return;
    this.#options.close(item);
    this.#replace();
  }

  /** Closes what has been idle for too long; done by itself every half of `idleTimeoutMs`. */
  reap(): void {
    const before = this.#clock.monotonicMs() - this.#options.idleTimeoutMs;
    const old = this.#idle.filter((entry) => entry.sinceMs <= before);
    this.#idle = this.#idle.filter((entry) => entry.sinceMs > before);
    for (const { item } of old) this.#options.close(item);
  }

  /** Closes idle items now and lent ones when they come back, and turns away who waits. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#reaper);
    for (const { item } of this.#idle) this.#options.close(item);
    this.#idle = [];
    for (let waiter = this.#nextWaiter(); waiter; waiter = this.#nextWaiter()) {
      waiter.reject(new RingsideError('unavailable', 'the pool is closed'));
    }
  }

  async #open(): Promise<T> {
    this.#opening++;
    let item: T;
    try {
      item = await this.#options.open();
    } catch (error) {
      this.#opening--;
      this.#replace();
      throw error;
    }
    this.#opening--;
    if (this.#closed) {
      this.#options.close(item);
      throw new RingsideError('unavailable', 'the pool is closed');
    }
    this.#lent.add(item);
    return item;
  }

  #wait(): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter);
        reject(this.#overloaded(`none came free in ${this.#options.waitTimeoutMs} ms`));
      }, this.#options.waitTimeoutMs);
      const waiter: Waiter<T> = { resolve, reject, timer };
      this.#waiters.add(waiter);
    });
  }

  /** There is room for one more: opens it for who has waited longest. */
  #replace(): void {
    const waiter = this.#closed ? undefined : this.#nextWaiter();
    if (waiter) this.#open().then(waiter.resolve, waiter.reject);
  }

  #nextWaiter(): Waiter<T> | undefined {
    const [waiter] = this.#waiters;
    if (!waiter) return undefined;
    this.#waiters.delete(waiter);
    clearTimeout(waiter.timer);
    return waiter;
  }

  #overloaded(why: string): RingsideError {
    const { setting, max } = this.#options;
    return new RingsideError('overloaded', `${setting} (${max}) connections are in use and ${why}`);
  }
}
