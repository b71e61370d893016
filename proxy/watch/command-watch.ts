import type { Request } from '../core/request.ts';
import { CommandFigures } from './command-figures.ts';
import type { ProxyWatch } from './proxy-watch.ts';
import { type Subject, Trace, type TracedClient } from './trace.ts';

/** What a command watch is told beside the commands. */
export interface WatchedCommands {
  readonly listener: string;
  /** By number. */
  readonly names: readonly string[];
  /** Commands that wait by their nature: how long they take says nothing, and counts as no time at all. */
  readonly waits?: ReadonlySet<number>;
}

const NONE: ReadonlySet<number> = new Set();

/**
 * Takes note of every command of one listener: how often, how long, how it ended; feeds the slow log, the latency monitor and the access log.
 * The clock is read once a turn, by others. Commands that began and ended in the same moments (a pipeline) are counted together.
 */
export abstract class CommandWatch {
  readonly figures: CommandFigures;
  readonly #watch: ProxyWatch;
  readonly #waits: ReadonlySet<number>;

  constructor(watch: ProxyWatch, { listener, names, waits = NONE }: WatchedCommands) {
    this.#watch = watch;
    this.#waits = waits;
    const rules = { isTimed: (id: number) => !waits.has(id), took: (ms: number) => watch.took(ms) };
    this.figures = new CommandFigures(listener, names, rules);
  }

  /** What `whole` asks for, as its part shows that is about to be answered; null when it is no command. */
  protected abstract subjectOfSent(whole: Request, part: Request): Subject | null;

  /** Called when `quiet` commands have passed: the trace of this one, if it is to have one from the start. */
  look(subject: () => Subject, client: TracedClient, inputBytes: number): Trace | null {
    const why = this.#watch.pick();
    return why === null ? null : new Trace(subject(), client, inputBytes, why === 'sample');
  }

  /**
   * The answer of `part` is about to take the place of its bytes, and it is slow, or part of a command that has a trace. `whole` is the command of
   * `client`, or `part` itself; of a command of several parts the slow log shows the first slow one.
   */
  noted(client: TracedClient, whole: Request, part: Request): void {
    if (whole.trace === null) {
      const subject = this.subjectOfSent(whole, part);
      if (subject === null) return;
      whole.trace = new Trace(subject, client, part.length, false);
    }
    const { trace } = whole;
    trace.shard = part.route?.name ?? null;
    trace.node = part.link?.node.name ?? null;
  }

  /** A command with a trace was answered; `result` as in `Outcome`. */
  protected tell(request: Request, trace: Trace, nowMs: number, outputBytes: number, result: string): void {
    const durationMs = Math.max(0, nowMs - request.startedMs);
    this.#watch.noteSlow(trace, this.#waits.has(request.commandId) ? 0 : durationMs);
    const { accessLog } = this.#watch;
    if (accessLog === null || !(trace.isSampled || durationMs >= accessLog.slowerThanMs)) return;
    const { listener } = this.figures;
    const { isPossiblyStale, retries } = request;
    accessLog.write(trace, { listener, durationMs, outputBytes, result, isPossiblyStale, retries });
  }
}
