import type { Clock, Random } from '../../lib/base/index.ts';
import type { ProxyConfig } from '../../lib/config/index.ts';
import type { LineLog } from '../../lib/net/index.ts';
import type { Trace } from './trace.ts';

/** Commands that may pass until the next is looked at, when none is to be. */
export const NEVER = 0x3fffffff;

/** How a command ended. */
export interface Outcome {
  readonly listener: string;
  readonly durationMs: number;
  /** Null: not known. */
  readonly outputBytes: number | null;
  /** `ok`, or the code of the error reply. */
  readonly result: string;
  readonly isPossiblyStale: boolean;
  readonly retries: number;
}

/** One JSON line for each command that is sampled, or takes long (`proxy.accessLog`). */
export class AccessLog {
  readonly #settings: ProxyConfig['accessLog'];
  readonly #lines: LineLog;
  readonly #clock: Clock;
  readonly #random: Random;
  /** Commands that took so many milliseconds are logged too; Infinity: only sampled ones are. */
  readonly slowerThanMs: number;

  constructor(settings: ProxyConfig['accessLog'], lines: LineLog, clock: Clock, random: Random) {
    this.#settings = settings;
    this.#lines = lines;
    this.#clock = clock;
    this.#random = random;
    this.slowerThanMs = settings.slowerThanMs ?? Number.POSITIVE_INFINITY;
  }

  /** Whether some commands are picked by chance. */
  get samples(): boolean {
    return this.#settings.sample > 0;
  }

  /** How many commands pass until the next one is sampled: random, and on average what `sample` asks for. */
  nextGap(): number {
    const { sample } = this.#settings;
    if (sample >= 1) return 0;
    if (sample <= 0) return NEVER;
    const gap = Math.log(1 - this.#random.next()) / Math.log(1 - sample);
    return Math.min(NEVER, Math.floor(gap));
  }

  /** Writes the line of a command that is over. */
  write(trace: Trace, outcome: Outcome): void {
    const { key, keyHash, client } = trace;
    this.#lines.write({
      time: new Date(this.#clock.wallMs()).toISOString(),
      listener: outcome.listener,
      ...(client.address !== '' && { client: client.address }),
      ...(client.name !== '' && { name: client.name }),
      user: client.userName,
      command: trace.command,
      ...(key !== null && (this.#settings.keys === 'plain' ? { key: key.latin1Slice() } : { keyHash })),
      ...(trace.shard !== null && { shard: trace.shard }),
      ...(trace.node !== null && { node: trace.node }),
      durationMs: Math.round(outcome.durationMs * 1000) / 1000,
      bytesIn: trace.inputBytes,
      ...(outcome.outputBytes !== null && { bytesOut: outcome.outputBytes }),
      outcome: outcome.result,
      ...(outcome.isPossiblyStale && { possiblyStale: true }),
      ...(outcome.retries > 0 && { retries: outcome.retries }),
      ...(outcome.durationMs >= this.slowerThanMs && { slow: true }),
    });
  }

  close(): Promise<void> {
    return this.#lines.close();
  }
}
