import { setTimeout as delay } from 'node:timers/promises';
import { type Clock, isRingsideError, RingsideError } from '../../lib/base/index.ts';
import { prepareLogin, replicaOf, startFollowing } from './follow.ts';
import type { Parties, Plan } from './plan.ts';
import type { ProxyClient } from './proxy-client.ts';
import type { StepFacts } from './report.ts';

const POLL_MS = 10;
const COMMIT_RETRY_MS = 100;
/** Of the time that writes may be held, what the target may take to be level, and what may pass between the turn and giving up the source. */
const LEVEL_SHARE = 0.6;
const DEMOTE_SHARE = 0.2;

/** What a cut-over came to. */
export interface CutOver {
  /** Milliseconds from the first hold to the last release. */
  readonly tookMs: number;
  /** Commands that waited. */
  readonly held: number;
  /** Offset of the source that the target took over at; null when that was done before. */
  readonly offset: number | null;
  /** Proxies that may still send to the source. */
  readonly unsure: readonly string[];
}

/** How it is done. */
export interface CutOverOptions {
  readonly clock: Clock;
  readonly maxHoldMs: number;
  readonly say: (step: string, text: string, facts?: StepFacts) => void;
}

/**
 * Turns the proxies from the source, which the target follows, to the target (docs/migrate.md). Rejects when it could not be done; then
 * everything is as it was, or the message says what is not.
 */
export async function cutOver(parties: Parties, plan: Plan, options: CutOverOptions): Promise<CutOver> {
  const move = new Move(parties, plan, options);
  // Ctrl-C here would leave to time what takes milliseconds to finish, or to undo.
  const ignore = () => {};
  process.on('SIGINT', ignore).on('SIGTERM', ignore);
  try {
    return await move.run();
  } catch (error) {
    throw await move.undone(error);
  } finally {
    process.off('SIGINT', ignore).off('SIGTERM', ignore);
  }
}

class Move {
  readonly #parties: Parties;
  readonly #plan: Plan;
  readonly #options: CutOverOptions;
  readonly #beganMs: number;
  /** What takes back the steps taken, the latest first. */
  readonly #undo: (() => Promise<unknown>)[] = [];
  #offset: number | null = null;
  #isPromoted = false;
  /** When the proxies were asked to turn: from then on they hold for as long again. */
  #turnedMs = 0;

  constructor(parties: Parties, plan: Plan, options: CutOverOptions) {
    this.#parties = parties;
    this.#plan = plan;
    this.#options = options;
    this.#beganMs = options.clock.monotonicMs();
  }

  async run(): Promise<CutOver> {
    const { source, target } = this.#parties;
    const { toTurn, isHalfDone } = this.#plan;
    await this.#hold();
    if (!isHalfDone) {
      await this.#pauseSource();
      await this.#waitUntilLevel();
      await this.#promoteTarget();
    }
    this.#turnedMs = this.#options.clock.monotonicMs();
    await Promise.all(toTurn.map((proxy) => proxy.turn(source.url.address, target.url.address)));
    this.#say('turn', `${proxiesText(toTurn.length)} connected to ${target.name}`);
    if (!isHalfDone) await this.#demoteSource();
    return this.#commit();
  }

  /** Takes everything back; the error to be told then. */
  async undone(error: unknown): Promise<unknown> {
    const failures: string[] = [];
    for (const step of this.#undo) await step().catch((failure: Error) => failures.push(failure.message));
    if (!isRingsideError(error)) return error;
    const { source, target } = this.#parties;
    const rest =
      failures.length === 0 ? 'everything is as it was' : `not all could be undone: ${failures.join('; ')}`;
    const isSourceAway = failures.some((text) => text.startsWith(source.name));
    const advice =
      isSourceAway && this.#isPromoted
        ? `. Either start ${source.name} and give the same command again; or go on with ${target.name}, which has everything that was answered (up to offset ${this.#offset}): REPLICAOF NO ONE there, and start the proxies with --upstream ${target.url.address}`
        : ', give the same command again';
    return new RingsideError(error.code, `the cut-over failed: ${error.message}; ${rest}${advice}`);
  }

  /** New writes wait at every proxy; those on their way are answered. */
  async #hold(): Promise<void> {
    const { toTurn } = this.#plan;
    this.#undo.unshift(() => Promise.all(toTurn.map((proxy) => proxy.release())));
    await Promise.all(toTurn.map((proxy) => proxy.hold(this.#options.maxHoldMs)));
    this.#say('hold', `${proxiesText(toTurn.length)} holding new writes, those on their way are answered`);
  }

  /** Those who talk to the source directly wait too. It lasts longer than any hold, which began before. */
  async #pauseSource(): Promise<void> {
    const { source } = this.#parties;
    this.#undo.unshift(() => source.ask('CLIENT', 'UNPAUSE'));
    await source.ask('CLIENT', 'PAUSE', this.#options.maxHoldMs, 'WRITE');
    const { offset } = await source.facts();
    this.#offset = offset;
    this.#say('pause', `${source.name} holds writes at offset ${offset}`, { offset: String(offset) });
  }

  async #waitUntilLevel(): Promise<void> {
    const { source, target } = this.#parties;
    for (;;) {
      const { isLinked, leader, offset, problem } = await target.facts();
      if (leader === source.url.address && isLinked && offset >= this.#offset!) return;
      if (this.#isPast(LEVEL_SHARE))
        throw new RingsideError(
          'timeout',
          `${target.name} is ${this.#offset! - offset} bytes behind and would not be level in time${problem && ` (${problem})`}; a larger --max-hold gives it more`,
        );
      await delay(POLL_MS);
    }
  }

  async #promoteTarget(): Promise<void> {
    const { source, target } = this.#parties;
    // Undone last: nobody waits for it.
    this.#undo.push(() => startFollowing(target, source));
    await target.ask('REPLICAOF', 'NO', 'ONE');
    this.#isPromoted = true;
    this.#say('promote', `${target.name} is level and leads`);
  }

  /**
   * From now on the source refuses writes. Never after a hold may have ended: what it took then would be replaced by the target's data. So the
   * source is asked to hold writes for the whole time once more, and has almost all of it for the next command.
   */
  async #demoteSource(): Promise<void> {
    const { source, target } = this.#parties;
    await source.ask('CONFIG', 'SET', 'replica-read-only', 'yes');
    await prepareLogin(source, target);
    await source.ask('CLIENT', 'PAUSE', this.#options.maxHoldMs, 'WRITE');
    if (this.#isPast(DEMOTE_SHARE, this.#turnedMs))
      throw new RingsideError('timeout', 'it took too long; a larger --max-hold gives it more');
    this.#undo.unshift(() => source.ask('REPLICAOF', 'NO', 'ONE'));
    await replicaOf(source, target);
    // A redis-server would hold its leader's stream too; whoever waits there is refused now.
    await source.ask('CLIENT', 'UNPAUSE');
    this.#say('demote', `${source.name} follows ${target.name} and refuses writes`);
  }

  /** What is held goes to the target. Once one proxy has done so, there is no way back. */
  async #commit(): Promise<CutOver> {
    const outcomes = await Promise.all(this.#plan.toTurn.map((proxy) => this.#commitOne(proxy)));
    const done = outcomes.flatMap((outcome) => (outcome.held === null ? [] : [outcome.held]));
    const failed = outcomes.filter(({ held }) => held === null);
    if (outcomes.length > 0 && done.length === 0 && failed.every(({ isRefused }) => isRefused))
      throw new RingsideError('timeout', 'no proxy could be released in time');
    return {
      tookMs: Math.round(this.#options.clock.monotonicMs() - this.#beganMs),
      held: done.reduce((sum, held) => sum + held, 0),
      offset: this.#offset,
      unsure: failed.map(({ url }) => url),
    };
  }

  /** Asks until there is an answer, for as long as the hold lasts: an answer may get lost. `isRefused`: it has certainly not been done. */
  async #commitOne(proxy: ProxyClient): Promise<{ url: string; held: number | null; isRefused: boolean }> {
    for (;;) {
      try {
        const { held } = await proxy.commit();
        return { url: proxy.url, held, isRefused: false };
      } catch (error) {
        const isRefused = isRingsideError(error) && error.code === 'conflict';
        if (isRefused || this.#isPast(1, this.#turnedMs)) return { url: proxy.url, held: null, isRefused };
        await delay(COMMIT_RETRY_MS);
      }
    }
  }

  /** Whether so much of the time that writes may be held has passed. */
  #isPast(share: number, sinceMs = this.#beganMs): boolean {
    const { clock, maxHoldMs } = this.#options;
    return clock.monotonicMs() - sinceMs > share * maxHoldMs;
  }

  #say(step: string, text: string, facts: object = {}): void {
    const atMs = Math.round(this.#options.clock.monotonicMs() - this.#beganMs);
    this.#options.say(step, text, { atMs, ...facts });
  }
}

function proxiesText(count: number): string {
  return `${count} ${count === 1 ? 'proxy' : 'proxies'}`;
}
