import type { Clock } from '../../lib/base/index.ts';
import { LatencyMonitor, SlowLog, type SlowLogEntry } from '../../lib/metrics/index.ts';
import type { Slowness } from '../core/slowness.ts';
import type { SharedIds } from '../workers/shared-ids.ts';
import { type AccessLog, NEVER } from './access-log.ts';
import type { ProxySettings } from './settings.ts';
import type { Trace } from './trace.ts';

/** Whoever wants to hear of commands this short wants each looked at from its beginning. */
const FINE_US = 1000;

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
 * The slow log, the latency monitor and the access log of a thread, which its listeners feed (`CommandWatch`), and which commands they want to hear of.
 *
 * Nothing is kept of a command while it is under way, unless it was picked when it came: sampled, or because the slow log wants to hear of
 * very short ones. One that turns out to be slow is looked at in the moment in which its answer takes the place of its bytes.
 */
export class ProxyWatch {
  readonly latency = new LatencyMonitor();
  readonly slowLog: SlowLog;
  readonly accessLog: AccessLog | null;
  /** Commands that may pass before `pick` is asked again. */
  quiet = NEVER;
  readonly #parts: WatchParts;
  #isHalted = false;
  #isMonitored = false;
  #isLimited = false;
  /** Commands until the next one for the access log. */
  #gap: number;

  constructor(parts: WatchParts) {
    this.#parts = parts;
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

  /** Milliseconds from which on somebody may want to hear of a command: the slow log, or the access log. Infinity: nobody does. */
  get slowMs(): number {
    return this.#parts.slowness.thresholdMs;
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
    this.quiet = this.#isFine || this.#isShown ? 0 : this.#gap;
  }

  get #isFine(): boolean {
    const { slowlogSlowerThanUs: slowUs } = this.#parts.settings;
    return slowUs >= 0 && slowUs < FINE_US;
  }

  /** Called when `quiet` commands have passed: why this one is to have a trace from the start, or null. */
  pick(): 'sample' | 'fine' | null {
    const isFine = this.#isFine;
    const isEach = isFine || this.#isShown;
    const isDue = isEach ? this.#gap-- <= 0 : true;
    if (isDue) this.#gap = this.accessLog?.nextGap() ?? NEVER;
    this.#rest();
    if (isDue && this.accessLog?.samples === true) return 'sample';
    return isFine ? 'fine' : null;
  }

  /** Commands took so long each; whether that is to be counted. */
  took(ms: number): boolean {
    const { latencyTracking, latencyThresholdMs } = this.#parts.settings;
    if (latencyThresholdMs > 0 && ms >= latencyThresholdMs)
      this.latency.add('command', Math.floor(ms), this.#nowS());
    return latencyTracking;
  }

  /** A command took so long: the slow log takes it up if that is slow. */
  noteSlow({ args, client }: Trace, durationMs: number): void {
    const { slowlogSlowerThanUs, slowlogMaxLength } = this.#parts.settings;
    const durationUs = Math.floor(durationMs * 1000);
    if (slowlogSlowerThanUs < 0 || durationUs < slowlogSlowerThanUs) return;
    const { address, name } = client;
    this.slowLog.add({ atS: this.#nowS(), durationUs, args, address, name }, slowlogMaxLength);
  }

  /** The newest entries of the slow log, newest first. */
  slowEntries(): readonly SlowLogEntry[] {
    return this.slowLog.newest(this.slowLog.length);
  }

  #nowS(): number {
    return Math.floor(this.#parts.clock.wallMs() / 1000);
  }
}
