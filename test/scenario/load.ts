import type { ConnectionOptions } from 'node:tls';
import { RespError } from '../../lib/codec/resp/index.ts';
import { RespClient } from '../support/resp-client.ts';

/** How a writer asks for its write to be safe before it counts it as confirmed. */
export type Confirmation = 'ok' | 'wait-1';

/** What one key went through. Sequence numbers grow by one with each write tried. */
interface KeyHistory {
  readonly key: string;
  tried: number;
  confirmed: number;
  lastConfirmedAt: number;
  longestWriteGapMs: number;
}

/**
 * Writers and readers that work on their own keys through one address until `stop`, and know what must not be lost.
 * A connection that ends is opened again; every failure is counted with its text.
 */
export class Load {
  readonly histories: KeyHistory[];
  readonly errors = { reads: new Map<string, number>(), writes: new Map<string, number>() };
  reads = 0;
  writes = 0;
  readonly #address: string;
  readonly #confirmation: Confirmation;
  readonly #tls: ConnectionOptions | undefined;
  readonly #now: () => number;
  #running = true;
  readonly #loops: Promise<void>[] = [];

  /** `now`: milliseconds of the clock that gaps are measured with. */
  constructor(
    address: string,
    keys: number,
    confirmation: Confirmation = 'ok',
    tls?: ConnectionOptions,
    now = () => performance.now(),
  ) {
    this.#address = address;
    this.#confirmation = confirmation;
    this.#tls = tls;
    this.#now = now;
    this.histories = Array.from({ length: keys }, (_, i) => ({
      key: `load:${i}`,
      tried: 0,
      confirmed: 0,
      lastConfirmedAt: now(),
      longestWriteGapMs: 0,
    }));
  }

  /** Starts `workers` writers and as many readers, each going round its share of the keys. */
  start(workers: number): void {
    for (let i = 0; i < workers; i++) {
      const mine = this.histories.filter((_, k) => k % workers === i);
      this.#loops.push(this.#loop(mine, 'writes', (client, h) => this.#write(client, h)));
      this.#loops.push(this.#loop(mine, 'reads', (client, h) => this.#read(client, h)));
    }
  }

  /** Resolves once every loop has ended. */
  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#loops);
  }

  /** Forgets the gaps and errors so far, so that what follows is measured alone. */
  resetMeasures(): void {
    this.errors.reads.clear();
    this.errors.writes.clear();
    for (const history of this.histories) history.longestWriteGapMs = 0;
  }

  /** The longest any key waited between two confirmed writes, in milliseconds, the wait that is still going on included. */
  longestWriteGapMs(): number {
    const now = this.#now();
    return Math.max(...this.histories.map((h) => Math.max(h.longestWriteGapMs, now - h.lastConfirmedAt)));
  }

  /** Whether every key was confirmed again after `since`, by its clock. */
  allWrittenSince(since: number): boolean {
    return this.histories.every((h) => h.lastConfirmedAt > since);
  }

  /** Keys whose stored number is below the last confirmed one, read through `address`. */
  async lost(address: string): Promise<string[]> {
    const client = new RespClient(address, this.#tls);
    const lost: string[] = [];
    for (const { key, confirmed } of this.histories) {
      if (confirmed === 0) continue;
      const value = await client.text('GET', key);
      if (value === null || Number(value) < confirmed) lost.push(`${key}: ${value} < ${confirmed}`);
    }
    client.close();
    return lost;
  }

  async #write(client: RespClient, history: KeyHistory): Promise<void> {
    const sequence = ++history.tried;
    const set = client.send('SET', history.key, sequence);
    const wait = this.#confirmation === 'wait-1' ? client.send('WAIT', 1, 500) : undefined;
    const reply = await set;
    const followers = await wait;
    if (reply instanceof RespError) throw reply;
    this.writes += 1;
    if (followers !== undefined && !(Number(followers) >= 1)) return;
    const now = this.#now();
    history.longestWriteGapMs = Math.max(history.longestWriteGapMs, now - history.lastConfirmedAt);
    history.lastConfirmedAt = now;
    history.confirmed = sequence;
  }

  async #read(client: RespClient, { key }: KeyHistory): Promise<void> {
    const reply = await client.send('GET', key);
    if (reply instanceof RespError) throw reply;
    this.reads += 1;
  }

  async #loop(
    mine: KeyHistory[],
    kind: 'reads' | 'writes',
    act: (client: RespClient, history: KeyHistory) => Promise<void>,
  ): Promise<void> {
    let client = new RespClient(this.#address, this.#tls);
    for (let i = 0; this.#running; i++) {
      try {
        await act(client, mine[i % mine.length]);
      } catch (error) {
        const text = (error as Error).message;
        this.errors[kind].set(text, (this.errors[kind].get(text) ?? 0) + 1);
        if (client.socket.destroyed) client = new RespClient(this.#address, this.#tls);
      }
      await new Promise((done) => setTimeout(done, 2));
    }
    client.close();
  }
}
