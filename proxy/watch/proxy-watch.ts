import type { Clock } from '../../lib/base/index.ts';
import { type Args, RequestParser } from '../../lib/codec/resp/index.ts';
import { type CommandSpec, commandIdCount, commands } from '../../lib/commands/index.ts';
import { LatencyMonitor, SlowLog, type SlowLogEntry } from '../../lib/metrics/index.ts';
import { errorCodeOf } from '../core/frames.ts';
import type { Request } from '../core/request.ts';
import type { Slowness } from '../core/slowness.ts';
import type { SharedIds } from '../workers/shared-ids.ts';
import { type AccessLog, NEVER } from './access-log.ts';
import { CommandFigures } from './command-figures.ts';
import type { ProxySettings } from './settings.ts';
import { Trace, type TracedClient } from './trace.ts';

const MINUS = 0x2d;
/** Whoever wants to hear of commands this short wants each looked at from its beginning. */
const FINE_US = 1000;
/** The number of what is no command: a refused one, or bytes that make no sense. */
export const NO_COMMAND = commandIdCount;

const MAX = 0x7fffffff;
const ANY_SIZE = { maxBulkBytes: MAX, maxArrayLength: MAX, maxInlineBytes: MAX, maxBufferedBytes: MAX };

const specs = specsById();
const names = specs.map((spec) => spec?.name ?? 'none');
/** Commands that wait by their nature: how long they take says nothing. */
const waits = new Set(commands.filter(({ flags }) => flags.includes('blocking')).map(({ id }) => id));

/** What the watch of a thread is made of. */
export interface WatchParts {
  readonly clock: Clock;
  readonly settings: ProxySettings;
  readonly ids: SharedIds;
  /** What the data path takes for slow. */
  readonly slowness: Slowness;
  /** Null: there is none. */
  readonly accessLog: AccessLog | null;
}

/**
 * Takes note of every command of a thread's RESP clients: how often, how long, how it ended; feeds the slow log, the latency monitor and the
 * access log.
 *
 * The clock is read once a turn, by others. Commands that began and ended in the same moments (a pipeline) are counted together. Nothing is
 * kept of a command while it is under way, unless it was picked when it came (`looksAt`): sampled, or because the slow log wants to hear of
 * very short ones. One that turns out to be slow is looked at in the moment in which its answer takes the place of its bytes.
 */
export class ProxyWatch {
  readonly resp: CommandFigures;
  readonly latency = new LatencyMonitor();
  readonly slowLog: SlowLog;
  readonly accessLog: AccessLog | null;
  /** Commands that may pass before `looksAt` is asked again. */
  quiet = NEVER;
  readonly #parts: WatchParts;
  #isHalted = false;
  #isMonitored = false;
  #isLimited = false;
  /** Commands until the next one for the access log. */
  #gap: number;

  constructor(parts: WatchParts) {
    this.#parts = parts;
    const rules = { isTimed: (id: number) => !waits.has(id), took: (ms: number) => this.#took(ms) };
    this.resp = new CommandFigures('resp', names, rules);
    this.slowLog = new SlowLog(() => parts.ids.nextSlowEntry());
    this.accessLog = parts.accessLog;
    this.#gap = this.accessLog?.nextGap() ?? NEVER;
    this.adjust();
  }

  /** To be called when settings have changed. */
  adjust(): void {
    const { slowlogSlowerThanUs } = this.#parts.settings;
    const slowMs = slowlogSlowerThanUs < 0 ? Number.POSITIVE_INFINITY : slowlogSlowerThanUs / 1000;
    this.#parts.slowness.thresholdMs = Math.min(
      slowMs,
      this.accessLog?.slowerThanMs ?? Number.POSITIVE_INFINITY,
    );
    this.#rest();
  }

  /** While set, every command is shown to whoever holds commands back. */
  set isHalted(isHalted: boolean) {
    this.#isHalted = isHalted;
    this.#rest();
  }

  /** While set, every command is shown to clients that said MONITOR. */
  set isMonitored(isMonitored: boolean) {
    this.#isMonitored = isMonitored;
    this.#rest();
  }

  /** While set, every command is shown to whoever counts commands a second. */
  set isLimited(isLimited: boolean) {
    this.#isLimited = isLimited;
    this.#rest();
  }

  get #isShown(): boolean {
    return this.#isHalted || this.#isMonitored || this.#isLimited;
  }

  /** Begins the next stretch of commands that nobody looks at. */
  #rest(): void {
    const { slowlogSlowerThanUs: slowUs } = this.#parts.settings;
    const isFine = slowUs >= 0 && slowUs < FINE_US;
    this.quiet = isFine || this.#isShown ? 0 : this.#gap;
  }

  /** Called when `quiet` commands have passed: the trace of this one, if it is to have one from the start. */
  looksAt(spec: CommandSpec, args: Args, client: TracedClient, inputBytes: number): Trace | null {
    const { slowlogSlowerThanUs: slowUs } = this.#parts.settings;
    const isFine = slowUs >= 0 && slowUs < FINE_US;
    const isEach = isFine || this.#isShown;
    const isDue = isEach ? this.#gap-- <= 0 : true;
    if (isDue) this.#gap = this.accessLog?.nextGap() ?? NEVER;
    this.#rest();
    const isSampled = isDue && this.accessLog?.samples === true;
    return isFine || isSampled ? new Trace(spec, args, client, inputBytes, isSampled) : null;
  }

  /**
   * The answer of `part` is about to take the place of its bytes, and it is slow, or part of a command that has a trace. `whole` is the command of
   * `client`, or `part` itself; of a command of several parts the slow log shows the first slow one.
   */
  noted(client: TracedClient, whole: Request, part: Request): void {
    const spec = specs[whole.commandId];
    if (spec === undefined) return;
    const trace = whole.trace ?? new Trace(spec, argsOf(part), client, part.length, false);
    whole.trace = trace;
    trace.shard = part.route?.name ?? null;
    trace.node = part.link?.node.name ?? null;
  }

  /** The reply of a command is on its way out. */
  ended(request: Request, nowMs: number): void {
    const hasFailed = request.bytes[request.start] === MINUS;
    this.resp.ended(request.commandId, request.startedMs, nowMs, hasFailed);
    if (request.trace !== null) this.#tell(request, request.trace, nowMs);
  }

  /** Commands took so long each; whether that is to be counted. */
  #took(ms: number): boolean {
    const { latencyTracking, latencyThresholdMs } = this.#parts.settings;
    if (latencyThresholdMs > 0 && ms >= latencyThresholdMs)
      this.latency.add('command', Math.floor(ms), this.#nowS());
    return latencyTracking;
  }

  /** The newest entries of the slow log, newest first. */
  slowEntries(): readonly SlowLogEntry[] {
    return this.slowLog.newest(this.slowLog.length);
  }

  #tell(request: Request, trace: Trace, nowMs: number): void {
    const durationMs = Math.max(0, nowMs - request.startedMs);
    if (!waits.has(request.commandId)) this.#noteSlow(trace, durationMs);
    const { accessLog } = this;
    if (accessLog === null || !(trace.isSampled || durationMs >= accessLog.slowerThanMs)) return;
    accessLog.write(trace, {
      listener: 'resp',
      durationMs,
      outputBytes: request.length,
      result: errorCodeOf(request.bytes, request.start) ?? 'ok',
      isPossiblyStale: request.isPossiblyStale,
      retries: request.retries,
    });
  }

  #noteSlow({ args, client }: Trace, durationMs: number): void {
    const { slowlogSlowerThanUs, slowlogMaxLength } = this.#parts.settings;
    const durationUs = Math.floor(durationMs * 1000);
    if (slowlogSlowerThanUs < 0 || durationUs < slowlogSlowerThanUs) return;
    const { address, name } = client;
    this.slowLog.add({ atS: this.#nowS(), durationUs, args, address, name }, slowlogMaxLength);
  }

  #nowS(): number {
    return Math.floor(this.#parts.clock.wallMs() / 1000);
  }
}

function specsById(): (CommandSpec | undefined)[] {
  const found: (CommandSpec | undefined)[] = new Array(commandIdCount + 1).fill(undefined);
  for (const spec of commands.flatMap((one) => [one, ...one.subcommands])) found[spec.id] = spec;
  return found;
}

/** The command that is in `request`; its last argument may have come in part, and then it is cut. */
function argsOf({ bytes, start, end }: Request): Args {
  const parser = new RequestParser(ANY_SIZE);
  parser.push(bytes.subarray(start, end));
  if (!parser.next()) parser.peek();
  return parser;
}

/** Lower-case name of a command by its id. */
export function commandName(id: number): string {
  return id === NO_COMMAND ? 'NULL' : names[id];
}
