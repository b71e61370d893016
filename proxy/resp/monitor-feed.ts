import type { Clock, Random } from '../../lib/base/index.ts';
import type { Args, RequestParser } from '../../lib/codec/resp/index.ts';
import { type CommandSpec, secretsOf } from '../../lib/commands/index.ts';
import { monitorLine } from '../../lib/metrics/index.ts';
import { DATABASES } from '../core/topology.ts';
import type { Desk, Group } from '../workers/questions.ts';
import type { RespConnection } from './connection.ts';
import type { ConnectionMode } from './mode.ts';

/** How often a thread repeats that it wants lines, and after how long without that it is taken to be gone. */
const REPEAT_MS = 5000;
const GONE_MS = 3 * REPEAT_MS;

/** Redis's replicas may not have these either. */
const HEARD_OF: ReadonlySet<string> = new Set(['publish', 'spublish']);

/** What the monitors of a thread work with. */
export interface MonitorParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly group: Group;
  readonly desk: Desk;
  /** Told whenever `isOn` may have changed. */
  readonly onChange: (isOn: boolean) => void;
}

/**
 * MONITOR: whoever said it hears of every command that clients of this proxy send over RESP, to whichever thread, but not of those of
 * administrators, as in Redis. Secrets are left out.
 */
export class MonitorFeed {
  readonly #parts: MonitorParts;
  /** Who monitors, and whether they have been told that they do. */
  readonly #monitors = new Map<RespConnection, boolean>();
  /** Names this thread to the others. */
  readonly #thread: string;
  /** Other threads that want lines, and until when that is known, in monotonic milliseconds. */
  readonly #wanted = new Map<string, number>();
  /** For other threads, of this turn. */
  #lines: string[] = [];
  #repeater: NodeJS.Timeout | undefined;

  constructor(parts: MonitorParts) {
    this.#parts = parts;
    this.#thread = parts.random.hex(8);
    parts.desk.on('monitoring', ({ thread, isOn }) => {
      this.#heard(thread, isOn);
      return null;
    });
    parts.desk.on('monitored', ({ thread, lines }) => {
      if (thread !== this.#thread) for (const line of lines) this.#show(line);
      return null;
    });
  }

  /** Whether anybody wants to hear. */
  get isOn(): boolean {
    return this.#monitors.size > 0 || this.#wanted.size > 0;
  }

  /** Calls `done` once all threads tell this client of their commands. */
  add(connection: RespConnection, done: () => void): void {
    this.#monitors.set(connection, false);
    this.#repeater ??= setInterval(() => this.#tell(true), REPEAT_MS).unref();
    this.#parts.onChange(true);
    this.#tell(true, () => {
      if (!this.#monitors.has(connection)) return;
      done();
      this.#monitors.set(connection, true);
    });
  }

  remove(connection: RespConnection): void {
    if (!this.#monitors.delete(connection) || this.#monitors.size > 0) return;
    clearInterval(this.#repeater);
    this.#repeater = undefined;
    this.#tell(false);
    this.#parts.onChange(this.isOn);
  }

  /** Tells of a command that is about to be executed. */
  note(client: RespConnection, args: Args, spec: CommandSpec): void {
    if (spec.flags.includes('admin')) return;
    if (this.#monitors.has(client) && (spec.name === 'reset' || isRefused(spec))) return;
    const database = spec.name === 'select' ? selected(args, client.database) : client.database;
    const line = monitorLine(
      { database, address: client.address },
      args,
      secretsOf(spec, args, everySetting),
      this.#parts.clock.wallMs(),
    );
    this.#show(line);
    if (this.#wanted.size > 0 && this.#lines.push(line) === 1) setImmediate(() => this.#send());
  }

  #show(line: string): void {
    if (this.#monitors.size === 0) return;
    const bytes = Buffer.from(`+${line}\r\n`, 'latin1');
    for (const [monitor, isTold] of this.#monitors) if (isTold) monitor.push(bytes);
  }

  #send(): void {
    const lines = this.#lines;
    this.#lines = [];
    this.#parts.group.ask('monitored', { thread: this.#thread, lines }, ignore);
  }

  #tell(isOn: boolean, done: () => void = ignore): void {
    this.#parts.group.ask('monitoring', { thread: this.#thread, isOn }, done);
  }

  /** Another thread wants lines, or no more. */
  #heard(thread: string, isOn: boolean): void {
    if (thread === this.#thread) return;
    const nowMs = this.#parts.clock.monotonicMs();
    for (const [other, untilMs] of this.#wanted) if (untilMs < nowMs) this.#wanted.delete(other);
    if (isOn) this.#wanted.set(thread, nowMs + GONE_MS);
    else this.#wanted.delete(thread);
    this.#parts.onChange(this.isOn);
  }
}

/** What MONITOR begins for one client. It is no longer an ordinary client: Redis takes it for a replica. */
export class Monitoring implements ConnectionMode {
  readonly #connection: RespConnection;

  constructor(connection: RespConnection) {
    this.#connection = connection;
  }

  take(connection: RespConnection, _args: RequestParser, spec: CommandSpec): boolean {
    if (!isRefused(spec)) return false;
    connection.replyError("ERR Replica can't interact with the keyspace");
    return true;
  }

  closed(): void {
    this.#connection.context.monitors.remove(this.#connection);
  }

  facts(): { readonly flags: string } {
    return { flags: 'O' };
  }
}

/** Whether a client that monitors may not have the command. */
function isRefused({ isWrite, isReadonly, name }: CommandSpec): boolean {
  return isWrite || isReadonly || HEARD_OF.has(name);
}

/** Redis shows a command as of when it has run. */
function selected(args: Args, before: number): number {
  const index = args.integer(1);
  return index !== null && index >= 0 && index < DATABASES ? index : before;
}

/** The values of all settings are secrets: CONFIG is not shown anyway. */
function everySetting(): boolean {
  return true;
}

function ignore(): void {}
