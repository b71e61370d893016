import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';

/**
 * ioredis clients that count: each adds one to a counter of its own and to one of all, again and again, and knows how often it was told that it
 * had. Nothing is sent twice on their own account.
 */
export class CountingClients {
  /** Acknowledged increments, by key. */
  readonly acknowledged = new Map<string, number>();
  /** Errors, by their text, and how often. */
  readonly errors = new Map<string, number>();
  /** The longest wait for an answer, in milliseconds. */
  longestMs = 0;
  readonly #clients: Redis[];
  readonly #loops: Promise<void>[];
  #isRunning = true;

  /** `name` begins the names of their keys. */
  constructor(address: string, clients: number, name = 'counter') {
    const [host, port] = address.split(':');
    const options = { autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 };
    this.#clients = Array.from({ length: clients }, () => new Redis(Number(port), host, options));
    this.#loops = this.#clients.map((client, i) => this.#count(client, [`${name}:${i}`, `${name}:all`]));
  }

  get total(): number {
    let sum = 0;
    for (const count of this.acknowledged.values()) sum += count;
    return sum;
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
    await Promise.all(this.#loops);
    for (const client of this.#clients) client.disconnect();
  }

  async #count(client: Redis, keys: readonly string[]): Promise<void> {
    client.on('error', () => {});
    while (this.#isRunning) {
      await Promise.all(keys.map((key) => this.#increment(client, key)));
      await delay(5);
    }
  }

  async #increment(client: Redis, key: string): Promise<void> {
    const beganMs = performance.now();
    try {
      await client.incr(key);
      this.acknowledged.set(key, (this.acknowledged.get(key) ?? 0) + 1);
    } catch (error) {
      const { message } = error as Error;
      this.errors.set(message, (this.errors.get(message) ?? 0) + 1);
    }
    this.longestMs = Math.max(this.longestMs, performance.now() - beganMs);
  }
}
