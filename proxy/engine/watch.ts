import type { Logger } from '../../lib/base/index.ts';
import { parseAddress, type TlsMaterial } from '../../lib/net/index.ts';
import { Enquirer } from './enquirer.ts';
import { Repeat } from './repeat.ts';

/** What watching the servers of a shard needs. */
export interface WatchEnvironment {
  readonly shard: string;
  readonly timeoutMs: number;
  readonly tls: TlsMaterial | undefined;
  readonly log: Logger;
  /** Milliseconds from one answer to the next question. */
  readonly everyMs: () => number;
  /** Something is known now that was not known before. */
  readonly changed: () => void;
}

/** Asks one server again and again, for as long as it is watched: at once when a connection to it is lost. */
export abstract class Watch {
  protected readonly enquirer: Enquirer;
  readonly #address: string;
  readonly #login: readonly string[] | null;
  readonly #env: WatchEnvironment;
  readonly #enquirers: Enquirer[] = [];
  #repeat: Repeat | null = null;
  #problem = '';

  /** `login`: arguments of AUTH; null: none is sent. */
  constructor(address: string, login: readonly string[] | null, env: WatchEnvironment) {
    this.#address = address;
    this.#login = login;
    this.#env = env;
    this.enquirer = this.connection();
  }

  /** Asks once, and remembers what was said. */
  protected abstract ask(): Promise<void>;
  /** Asking failed. */
  protected abstract failed(error: Error): void;

  /** Asks now. */
  hurry(): void {
    this.#repeat?.hurry();
  }

  close(): void {
    this.#repeat?.close();
    for (const enquirer of this.#enquirers) enquirer.close();
  }

  /** Begins to ask. */
  protected begin(): void {
    this.#repeat = new Repeat(() => this.#askOnce(), this.#env.everyMs);
  }

  /** A connection to the server, closed with the watch. */
  protected connection(): Enquirer {
    const { tls, timeoutMs } = this.#env;
    const enquirer = new Enquirer({
      ...{ address: parseAddress(this.#address), login: this.#login, tls, timeoutMs },
      onLost: () => this.hurry(),
    });
    this.#enquirers.push(enquirer);
    return enquirer;
  }

  /** Logs that the server, a `kind`, does not answer as it should: once for each reason in a row. */
  protected report(kind: 'node' | 'sentinel', reason: string, what: string): void {
    if (reason === this.#problem) return;
    this.#problem = reason;
    const { shard, log } = this.#env;
    log.warn({ [kind]: this.#address, shard, reason }, what);
  }

  async #askOnce(): Promise<void> {
    try {
      await this.ask();
      this.#problem = '';
    } catch (error) {
      this.failed(error as Error);
    }
    this.#env.changed();
  }
}
