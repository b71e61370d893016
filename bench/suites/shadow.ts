import { setTimeout as delay } from 'node:timers/promises';
import { RespClient } from '../../test/support/resp-client.ts';
import type { Ringside } from '../../test/support/ringside.ts';
import { cpuTimeMicros, median } from '../support/measure.ts';
import { startNode, startProxy } from '../support/roles.ts';

const KEYS = 10_000;
const SOCKETS = 8;
const PER_MS = 3;
const VALUE = 'v'.repeat(100);
const SHARE = 0.1;
/** Before each turn, not counted. */
const SETTLE_MS = 200;

/** What shadowing does to the application's reads. */
export interface ShadowRow {
  readonly share: number;
  /** Milliseconds; medians of the turns. */
  readonly off: { readonly p50: number; readonly p99: number };
  readonly on: { readonly p50: number; readonly p99: number };
  /** With shadowing / without, of each pair of turns one behind the other: the median. */
  readonly p99Ratio: number;
  /** Microseconds of CPU of the proxy for each read. */
  readonly cpuMicros: { readonly off: number; readonly on: number };
  readonly sent: number;
  readonly equal: number;
  readonly dropped: number;
}

/** 3000 reads a second through a proxy that shadows a tenth of them, and one that does not, in turns. */
export async function shadowCost(
  alternations: number,
  seconds: number,
  progress: (line: string) => void,
): Promise<ShadowRow> {
  const started: Ringside[] = [];
  const keep = async (process: Promise<Ringside>) => {
    started.push(await process);
    return started.at(-1)!;
  };
  try {
    const [own, other] = [await keep(startNode()), await keep(startNode())];
    for (const { ready } of [own, other]) await fill(ready.resp);
    const shadow = `proxy.shadow={to: [{name: s0, leader: "${other.ready.resp}"}], share: ${SHARE}}`;
    const plain = new Lane(await keep(startProxy(own, [])));
    const shadowing = await keep(startProxy(own, ['--set', shadow]));
    const both = { off: plain, on: new Lane(shadowing) };
    const ratios: number[] = [];
    for (let turn = 0; turn < alternations; turn++) {
      const order = turn % 2 === 0 ? (['off', 'on'] as const) : (['on', 'off'] as const);
      for (const which of order) await both[which].turn(seconds * 1000);
      ratios.push(both.on.p99s.at(-1)! / both.off.p99s.at(-1)!);
      progress(`shadow: turn ${turn + 1} of ${alternations}`);
    }
    for (const lane of Object.values(both)) lane.close();
    const status = await (await fetch(`http://${shadowing.ready.admin}/status`)).json();
    const { sent, equal, dropped } = (status as { shadow: { counts: Record<string, number> } }).shadow.counts;
    const p99Ratio = median(ratios);
    const cpuMicros = { off: both.off.cpuMicros, on: both.on.cpuMicros };
    return {
      share: SHARE,
      off: both.off.figures,
      on: both.on.figures,
      p99Ratio,
      cpuMicros,
      sent,
      equal,
      dropped,
    };
  } finally {
    for (const process of started.reverse()) await process.stop();
  }
}

async function fill(address: string): Promise<void> {
  const client = new RespClient(address);
  await Promise.all(Array.from({ length: KEYS }, (_, i) => client.send('SET', `key:${i}`, VALUE)));
  client.close();
}

/** Reads through one proxy, and what they took. */
class Lane {
  readonly p50s: number[] = [];
  readonly p99s: number[] = [];
  readonly #proxy: Ringside;
  readonly #clients: RespClient[];
  #next = 0;
  #reads = 0;
  #cpuMicros = 0;

  constructor(proxy: Ringside) {
    this.#proxy = proxy;
    this.#clients = Array.from({ length: SOCKETS }, () => new RespClient(proxy.ready.resp));
  }

  get figures(): { p50: number; p99: number } {
    return { p50: median(this.p50s), p99: median(this.p99s) };
  }

  get cpuMicros(): number {
    return this.#cpuMicros / this.#reads;
  }

  async turn(ms: number): Promise<void> {
    await this.#run(SETTLE_MS);
    const before = cpuTimeMicros(this.#proxy.pid);
    const delays = (await this.#run(ms)).sort((a, b) => a - b);
    this.#cpuMicros += cpuTimeMicros(this.#proxy.pid) - before;
    this.#reads += delays.length;
    this.p50s.push(delays[Math.floor(delays.length / 2)]);
    this.p99s.push(delays[Math.floor(0.99 * delays.length)]);
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }

  async #run(ms: number): Promise<number[]> {
    const delays: number[] = [];
    const reads: Promise<void>[] = [];
    const startMs = performance.now();
    for (let nowMs = startMs; nowMs < startMs + ms; nowMs = performance.now()) {
      const due = Math.floor((nowMs - startMs) * PER_MS);
      while (reads.length < due) reads.push(this.#read(delays));
      await delay(1);
    }
    await Promise.all(reads);
    return delays;
  }

  async #read(delays: number[]): Promise<void> {
    const at = this.#next++;
    const startMs = performance.now();
    await this.#clients[at % SOCKETS].send('GET', `key:${(at * 7919) % KEYS}`);
    delays.push(performance.now() - startMs);
  }
}
