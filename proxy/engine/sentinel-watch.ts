import { parseAddress } from '../../lib/net/index.ts';
import { Enquirer } from './enquirer.ts';
import { Repeat } from './repeat.ts';
import type { WatchEnvironment } from './role-watch.ts';
import { parseSentinel, type SentinelView, sentinelQuestions } from './sentinel.ts';

/** Asks one Sentinel who leads a shard: again and again, and at once when it says that this has changed. */
export class SentinelWatch {
  /** What it said last; null: nothing yet. */
  view: SentinelView | null = null;
  /** Whether it was asked, with or without success. */
  wasAsked = false;
  readonly #address: string;
  readonly #name: string;
  readonly #env: WatchEnvironment;
  readonly #enquirer: Enquirer;
  readonly #subscriber: Enquirer;
  readonly #repeat: Repeat;
  #problem = '';

  /** `name`: of the shard in its configuration. */
  constructor(address: string, name: string, login: readonly string[] | null, env: WatchEnvironment) {
    this.#address = address;
    this.#name = name;
    this.#env = env;
    const { tls, timeoutMs } = env;
    const options = {
      ...{ address: parseAddress(address), login, tls, timeoutMs },
      onLost: () => this.#repeat.hurry(),
    };
    this.#enquirer = new Enquirer(options);
    this.#subscriber = new Enquirer(options);
    this.#subscriber.onMessage = () => this.#repeat.hurry();
    this.#repeat = new Repeat(() => this.#ask(), env.everyMs);
  }

  hurry(): void {
    this.#repeat.hurry();
  }

  close(): void {
    this.#repeat.close();
    this.#enquirer.close();
    this.#subscriber.close();
  }

  async #ask(): Promise<void> {
    try {
      // Subscribed first: what changes between question and answer is not missed.
      if (!this.#subscriber.isConnected) await this.#subscriber.ask(['SUBSCRIBE', '+switch-master']);
      this.view = parseSentinel(await this.#enquirer.ask(...sentinelQuestions(this.#name)), this.#name);
      this.#problem = '';
    } catch (error) {
      this.#report((error as Error).message);
    }
    this.wasAsked = true;
    this.#env.changed();
  }

  #report(reason: string): void {
    if (reason === this.#problem) return;
    this.#problem = reason;
    const { shard, log } = this.#env;
    log.warn({ sentinel: this.#address, shard, reason }, 'a Sentinel does not say who leads');
  }
}
