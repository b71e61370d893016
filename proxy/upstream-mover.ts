import { type Logger, RingsideError } from '../lib/base/index.ts';
import type { UpstreamConfig } from '../lib/config/index.ts';
import type { HoldState, UpstreamMove } from './core/api.ts';
import type { StepResult, UpstreamStep } from './core/upstream-step.ts';

/** What the mover acts on. */
export interface UpstreamMoverParts {
  /** The fixed ring; empty with a control plane. */
  readonly upstreams: readonly UpstreamConfig[];
  /** How long a connection to a new upstream may take. */
  readonly connectTimeoutMs: number;
  readonly log: Logger;
  /** Every thread takes the step. */
  readonly step: (step: UpstreamStep, timeoutMs: number) => Promise<readonly StepResult[]>;
  /** Every thread goes by these upstreams from now on. */
  readonly apply: (upstreams: readonly UpstreamConfig[]) => void;
}

interface Hold {
  readonly name: string;
  readonly timer: NodeJS.Timeout;
  /** The upstreams to go back to; null while not turned. */
  before: readonly UpstreamConfig[] | null;
}

/** The steps of `UpstreamMove`, one hold at a time. */
export class UpstreamMover implements UpstreamMove {
  readonly #parts: UpstreamMoverParts;
  #upstreams: readonly UpstreamConfig[];
  #hold: Hold | null = null;
  #committed = { name: '', state: { held: 0 } };

  constructor(parts: UpstreamMoverParts) {
    this.#parts = parts;
    this.#upstreams = parts.upstreams;
  }

  get upstream(): string | null {
    return this.#upstreams.length === 1 ? this.#upstreams[0].leader : null;
  }

  get holder(): string | null {
    return this.#hold?.name ?? null;
  }

  async hold(name: string, ms: number): Promise<HoldState> {
    if (this.upstream === null) throw conflict('only a proxy with one fixed upstream can be moved');
    if (this.#hold) throw conflict(`writes are held for ${this.#hold.name} already`);
    const hold: Hold = { name, before: null, timer: setTimeout(() => this.#expire(hold, ms), ms) };
    this.#hold = hold;
    const answeredInMs = Math.ceil(ms / 2);
    const { done, held } = await this.#step('hold', answeredInMs);
    this.#require(name);
    if (done) return { held };
    await this.#end(hold);
    throw new RingsideError(
      'timeout',
      `writes on their way to ${this.upstream} were not answered in ${answeredInMs} ms`,
    );
  }

  async turn(name: string, from: string, to: string): Promise<HoldState> {
    const hold = this.#require(name);
    if (hold.before !== null) throw conflict('the upstream has been turned already');
    if (this.upstream !== from) throw conflict(`the upstream is ${this.upstream}, not ${from}`);
    hold.before = this.#upstreams;
    // Whoever turns it has its time anew for what is between this and the commit.
    hold.timer.refresh();
    this.#apply([{ ...this.#upstreams[0], leader: to, followers: [] }]);
    const { done, held } = await this.#step('connect', this.#parts.connectTimeoutMs);
    this.#require(name);
    if (done) return { held };
    this.#turnBack(hold);
    throw new RingsideError('unavailable', `this proxy gets no connection to ${to} that it can use`);
  }

  async commit(name: string): Promise<HoldState> {
    if (this.#hold === null && this.#committed.name === name) return this.#committed.state;
    const hold = this.#require(name);
    if (hold.before === null) throw conflict('the upstream has not been turned');
    hold.before = null;
    const state = await this.#end(hold);
    this.#committed = { name, state };
    this.#parts.log.info({ upstream: this.upstream, ...state }, 'moved to another upstream');
    return state;
  }

  async release(name: string): Promise<HoldState> {
    return this.#hold?.name === name ? this.#end(this.#hold) : { held: 0 };
  }

  /** Ends the hold there is, as `release`. */
  async close(): Promise<void> {
    if (this.#hold) await this.#end(this.#hold);
  }

  #require(name: string): Hold {
    if (this.#hold?.name !== name) throw conflict(`no writes are held for ${name}: the hold is over`);
    return this.#hold;
  }

  #expire(hold: Hold, ms: number): void {
    this.#parts.log.warn(
      { hold: hold.name, ms },
      'a hold is over that nobody ended: back to the upstream of before',
    );
    void this.#end(hold);
  }

  /** Ends the hold; what waited goes to the upstream that is right now. */
  async #end(hold: Hold): Promise<HoldState> {
    clearTimeout(hold.timer);
    this.#turnBack(hold);
    if (this.#hold === hold) this.#hold = null;
    const { held } = await this.#step('release', 0);
    return { held };
  }

  #turnBack(hold: Hold): void {
    if (hold.before === null) return;
    this.#apply(hold.before);
    hold.before = null;
  }

  #apply(upstreams: readonly UpstreamConfig[]): void {
    this.#upstreams = upstreams;
    this.#parts.apply(upstreams);
  }

  async #step(step: UpstreamStep, timeoutMs: number): Promise<StepResult> {
    const results = await this.#parts.step(step, timeoutMs);
    return {
      done: results.every(({ done }) => done),
      held: results.reduce((sum, { held }) => sum + held, 0),
    };
  }
}

function conflict(message: string): RingsideError {
  return new RingsideError('conflict', message);
}
