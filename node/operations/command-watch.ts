import type { Clock } from '../../lib/base/index.ts';
import type { Args } from '../../lib/codec/resp/index.ts';
import {
  type CommandSpec,
  commandIdCount,
  commands,
  commandTable,
  secretsOf,
} from '../../lib/commands/index.ts';
import { abridged, type LatencyMonitor, monitorLine, type SlowLog } from '../../lib/metrics/index.ts';
import type { Client } from '../server/client.ts';
import { isSensitive } from '../settings/table.ts';
import type { Settings } from '../settings.ts';
import { CommandStats } from './command-stats.ts';
import type { HotKeys } from './hot-keys.ts';

/** Commands that share one reading of the clock, at most. */
const SHARED_COMMANDS = 64;
/** A command with more bytes than this, in or out, is never quick. */
const LARGE_BYTES = 16 * 1024;
/** Whoever wants to hear of commands this short wants each measured by itself. */
const FINE_US = 1000;
/** Says of a quick command that it shares its time with others. */
const SHARED = -1;

/** Hears of every command that has run, as MONITOR does. */
export type MonitorListener = (line: string) => void;

/**
 * Takes note of every command: how often, how long, how it ended; feeds the slow log, the latency monitor and MONITOR.
 *
 * The clock is not read for every command. Quick ones (little time beside what their data takes, and little data) that follow each other in a
 * turn share one reading and its time in equal parts; a command that may take long, or comes alone, is measured by itself. With a slow log below 1 ms every
 * command is.
 */
export class CommandWatch {
  readonly stats = new CommandStats();
  readonly slowLog: SlowLog;
  readonly latency: LatencyMonitor;
  readonly hotKeys: HotKeys;
  /** Commands that have failed; what ran one that has is not to blame itself. */
  failures = 0;
  /** Who hears of every command. */
  readonly monitors = new Map<Client, MonitorListener>();
  readonly #clock: Clock;
  readonly #settings: Settings;
  readonly #isQuick: Uint8Array = quickCommands();
  /** Runs of equal quick commands since `#sinceMs`: id and how many. */
  readonly #ids = new Uint16Array(SHARED_COMMANDS);
  readonly #counts = new Uint16Array(SHARED_COMMANDS);
  #runs = 0;
  #pending = 0;
  #sinceMs = 0;

  constructor(parts: {
    clock: Clock;
    settings: Settings;
    slowLog: SlowLog;
    latency: LatencyMonitor;
    hotKeys: HotKeys;
  }) {
    this.#clock = parts.clock;
    this.#settings = parts.settings;
    this.slowLog = parts.slowLog;
    this.latency = parts.latency;
    this.hotKeys = parts.hotKeys;
  }

  /** A turn begins at this monotonic time. */
  beginTurn(nowMs: number): void {
    this.#sinceMs = nowMs;
  }

  /** To be called behind the last command of a turn. */
  endTurn(): void {
    if (this.#pending > 0) this.#settle(this.#clock.monotonicMs());
  }

  /** To be called before a command runs; what it returns is for `ended`. Commands may run inside others (EXEC). */
  begins(spec: CommandSpec, args: Args): number {
    const { slowlogSlowerThanUs: slowUs } = this.#settings;
    const isFine = slowUs >= 0 && slowUs < FINE_US;
    if (this.#isQuick[spec.id] === 1 && !isFine && bytesOf(args) <= LARGE_BYTES) return SHARED;
    const nowMs = this.#clock.monotonicMs();
    this.#settle(nowMs);
    return nowMs;
  }

  /** To be called behind a command. `started` is what `begins` returned; `replyBytes` is the size of the reply. */
  ended(
    spec: CommandSpec,
    client: Client,
    args: Args,
    started: number,
    replyBytes: number,
    hasFailed: boolean,
  ): void {
    const { stats } = this;
    stats.calls[spec.id]++;
    if (hasFailed) {
      stats.failed[spec.id]++;
      this.failures++;
    }
    this.hotKeys.saw(spec, args);
    if (started !== SHARED) this.#measured(spec, client, args, started);
    else if (replyBytes <= LARGE_BYTES) this.#shared(spec.id);
    else this.#turnedOutLarge(spec, client, args);
    if (this.monitors.size > 0) this.#tell(spec, client, args);
  }

  /** A command that was blocked has got its reply; `durationMs` is what serving it took. */
  served(spec: CommandSpec, client: Client, args: Args, durationMs: number): void {
    this.stats.took(spec.id, 1, durationMs, this.#settings.latencyTracking);
    this.#noteSlow(spec, client, args, durationMs);
  }

  /** A command (by its lower-case name) that was blocked has been answered with an error after all. */
  hasFailed(name: string): void {
    const spec = commandTable.get(name.toUpperCase());
    if (spec) this.stats.failed[spec.id]++;
  }

  /** A command that should have been quick: what has gone since the last reading is taken to be its time. */
  #turnedOutLarge(spec: CommandSpec, client: Client, args: Args): void {
    const sinceMs = this.#sinceMs;
    this.#settle(sinceMs);
    this.#measured(spec, client, args, sinceMs);
  }

  #shared(id: number): void {
    const last = this.#runs - 1;
    if (last >= 0 && this.#ids[last] === id) this.#counts[last]++;
    else {
      this.#ids[this.#runs] = id;
      this.#counts[this.#runs++] = 1;
    }
    this.#pending++;
    if (this.#pending === SHARED_COMMANDS) this.#settle(this.#clock.monotonicMs());
  }

  /** Divides the time since the last reading among the quick commands that ran in it. */
  #settle(nowMs: number): void {
    const elapsedMs = nowMs - this.#sinceMs;
    this.#sinceMs = nowMs;
    if (this.#pending === 0) return;
    const eachMs = elapsedMs / this.#pending;
    for (let i = 0; i < this.#runs; i++) {
      this.stats.took(this.#ids[i], this.#counts[i], eachMs, this.#settings.latencyTracking);
    }
    this.#runs = 0;
    this.#pending = 0;
    this.spike('fast-command', elapsedMs);
  }

  #measured(spec: CommandSpec, client: Client, args: Args, startedMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    this.#settle(nowMs);
    const durationMs = nowMs - startedMs;
    this.stats.took(spec.id, 1, durationMs, this.#settings.latencyTracking);
    this.spike(spec.flags.includes('fast') ? 'fast-command' : 'command', durationMs);
    if (client.blocked === null) this.#noteSlow(spec, client, args, durationMs);
  }

  /** Takes note of something that took `ms` milliseconds, if the latency monitor wants to know of it. */
  spike(event: string, ms: number): void {
    const { latencyThresholdMs } = this.#settings;
    if (latencyThresholdMs === 0 || ms < latencyThresholdMs) return;
    this.latency.add(event, Math.floor(ms), Math.floor(this.#clock.wallMs() / 1000));
  }

  #noteSlow(spec: CommandSpec, client: Client, args: Args, durationMs: number): void {
    const { slowlogSlowerThanUs, slowlogMaxLength } = this.#settings;
    const durationUs = Math.floor(durationMs * 1000);
    if (slowlogSlowerThanUs < 0 || durationUs < slowlogSlowerThanUs || spec.name === 'exec') return;
    const entry = {
      atS: Math.floor(this.#clock.wallMs() / 1000),
      durationUs,
      args: abridged(args, secretsOf(spec, args, isSensitive)),
      address: client.address,
      name: client.name,
    };
    this.slowLog.add(entry, slowlogMaxLength);
  }

  /** Commands of administrators are not shown, as in Redis. */
  #tell(spec: CommandSpec, client: Client, args: Args): void {
    if (spec.flags.includes('admin')) return;
    const line = monitorLine(client, args, secretsOf(spec, args, isSensitive), this.#clock.wallMs());
    for (const listener of this.monitors.values()) listener(line);
  }
}

function bytesOf(args: Args): number {
  return args.end(args.count - 1) - args.start(0);
}

/** Their time is that of their reply, so that they are quick while it is small. */
const AS_LONG_AS_THEIR_REPLY: ReadonlySet<string> = new Set([
  ...['getrange', 'substr', 'mget', 'hmget', 'zmscore', 'smismember'],
  ...['zrange', 'zrevrange', 'zrangebyscore', 'zrevrangebyscore', 'zrangebylex', 'zrevrangebylex'],
]);

/** Commands in constant or logarithmic time beside their reply, and SET, which Redis leaves out for what an old value may take to go. */
function quickCommands(): Uint8Array {
  const isQuick = new Uint8Array(commandIdCount);
  for (const spec of [...commands, ...commands.flatMap(({ subcommands }) => subcommands)]) {
    const isFast = spec.flags.includes('fast') || spec.name === 'set';
    if (isFast || AS_LONG_AS_THEIR_REPLY.has(spec.name)) isQuick[spec.id] = 1;
  }
  return isQuick;
}
