import { setTimeout as delay } from 'node:timers/promises';
import { Zipf } from '../../cli/bench/zipf.ts';
import { type Random, seededRandom } from '../../lib/base/index.ts';
import { RespClient } from '../../test/support/resp-client.ts';
import type { Ringside } from '../../test/support/ringside.ts';
import { startNode, startProxy } from '../support/roles.ts';

const KEYS = 20_000;
const SKEW = 0.99;
const PER_SECOND = 2000;
const SOCKETS = 16;
const TICK_MS = 10;
/** Values end after this and up to as long again: what the origin has to do in the steady state comes from that. */
const LEAST_TTL_MS = 4000;
const VALUE = 'v'.repeat(100);
/** The origin's load is taken over so long. */
const WINDOW_MS = 1000;
/** Until values end as often as they are made. */
const SETTLE_MS = 9000;

/** What the origin had to do in one phase. */
export interface WarmUpRow {
  readonly phase: 'steady state' | 'warm-up' | 'cold, without warm-up';
  /** Requests a second, of each window. */
  readonly origin: readonly number[];
  /** The most of these, as a part of the mean in the steady state. */
  readonly ofSteady: number;
  readonly p99Ms: number;
  /** Reads answered with an error, for which the application went to its origin too. */
  readonly errors: number;
}

/**
 * An application that reads through a proxy and asks its origin for what is not there (2000 reads a second, Zipf 0.99): before a warm cluster, then before an
 * empty one that warms from it, then before an empty one that does not.
 */
export async function warmUpLoad(seconds: number, progress: (line: string) => void): Promise<WarmUpRow[]> {
  const started: Ringside[] = [];
  const keep = async (process: Promise<Ringside>) => {
    started.push(await process);
    return started.at(-1)!;
  };
  try {
    const [old, cold, bare] = [await keep(startNode()), await keep(startNode()), await keep(startNode())];
    const warmUp = `proxy.warmUp={from: [{name: s0, leader: "${old.ready.resp}"}]}`;
    const proxies = {
      'steady state': await keep(startProxy(old, [])),
      'warm-up': await keep(startProxy(cold, ['--set', warmUp])),
      'cold, without warm-up': await keep(startProxy(bare, [])),
    };
    const app = new Application(seededRandom(11));
    const rows: WarmUpRow[] = [];
    let steady = 0;
    for (const phase of Object.keys(proxies) as (keyof typeof proxies)[]) {
      app.connect(proxies[phase].ready.resp);
      if (phase === 'steady state') await app.run(SETTLE_MS);
      const { origin, p99Ms, errors } = await app.run(seconds * 1000);
      if (phase === 'steady state') steady = origin.reduce((sum, one) => sum + one, 0) / origin.length;
      rows.push({ phase, origin, ofSteady: Math.max(...origin) / steady, p99Ms, errors });
      progress(`warm-up: ${phase} is done`);
    }
    app.close();
    return rows;
  } finally {
    for (const process of started.reverse()) await process.stop();
  }
}

/** Reads at a steady pace, and fills what is missing from its origin. */
class Application {
  readonly #random: Random;
  readonly #zipf: Zipf;
  #clients: RespClient[] = [];
  #asked = 0;
  #underWay = 0;
  #errors = 0;
  #next = 0;
  #delaysMs: number[] = [];

  constructor(random: Random) {
    this.#random = random;
    this.#zipf = new Zipf(KEYS, SKEW, random);
  }

  /** From now on it talks to this proxy. */
  connect(address: string): void {
    this.close();
    this.#clients = Array.from({ length: SOCKETS }, () => new RespClient(address));
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }

  /** Resolves with the origin's requests a second of each window. */
  async run(ms: number): Promise<{ origin: number[]; p99Ms: number; errors: number }> {
    const origin: number[] = [];
    this.#delaysMs = [];
    this.#errors = 0;
    const startMs = performance.now();
    let windowMs = startMs;
    let sent = 0;
    this.#asked = 0;
    for (let nowMs = startMs; nowMs < startMs + ms; nowMs = performance.now()) {
      const due = Math.floor(((nowMs - startMs) * PER_SECOND) / 1000);
      for (; sent < due; sent++) void this.#read();
      if (nowMs - windowMs >= WINDOW_MS) {
        origin.push((1000 * this.#asked) / (nowMs - windowMs));
        this.#asked = 0;
        windowMs = nowMs;
      }
      await delay(TICK_MS);
    }
    while (this.#underWay > 0) await delay(TICK_MS);
    const sorted = this.#delaysMs.sort((a, b) => a - b);
    return { origin, p99Ms: sorted[Math.floor(0.99 * sorted.length)], errors: this.#errors };
  }

  async #read(): Promise<void> {
    this.#underWay++;
    const client = this.#clients[this.#next++ % SOCKETS];
    const key = `key:${this.#zipf.next()}`;
    const startMs = performance.now();
    const found = await client.send('GET', key);
    this.#delaysMs.push(performance.now() - startMs);
    if (found instanceof Error) this.#errors++;
    if (found === null || found instanceof Error) {
      this.#asked++;
      await client.send('SET', key, VALUE, 'PX', LEAST_TTL_MS + this.#random.int(LEAST_TTL_MS));
    }
    this.#underWay--;
  }
}
