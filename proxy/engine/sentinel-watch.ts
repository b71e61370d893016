import type { Enquirer } from './enquirer.ts';
import { parseSentinel, type SentinelView, sentinelQuestions } from './sentinel.ts';
import { Watch, type WatchEnvironment } from './watch.ts';

/** Asks one Sentinel who leads a shard: again and again, and at once when it says that this has changed. */
export class SentinelWatch extends Watch {
  /** What it said last; null: nothing yet. */
  view: SentinelView | null = null;
  /** Whether it was asked, with or without success. */
  wasAsked = false;
  readonly #name: string;
  readonly #subscriber: Enquirer;

  /** `name`: of the shard in its configuration. */
  constructor(address: string, name: string, login: readonly string[] | null, env: WatchEnvironment) {
    super(address, login, env);
    this.#name = name;
    this.#subscriber = this.connection();
    this.#subscriber.onMessage = () => this.hurry();
    this.begin();
  }

  protected override async ask(): Promise<void> {
    // Subscribed first: what changes between question and answer is not missed.
    if (!this.#subscriber.isConnected) await this.#subscriber.ask(['SUBSCRIBE', '+switch-master']);
    this.view = parseSentinel(await this.enquirer.ask(...sentinelQuestions(this.#name)), this.#name);
    this.wasAsked = true;
  }

  protected override failed(error: Error): void {
    this.wasAsked = true;
    this.report('sentinel', error.message, 'a Sentinel does not say who leads');
  }
}
