import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { encodeCommand, ReplyFramer } from '../../lib/codec/resp/index.ts';
import { type Ringside, startRingside } from '../../test/support/ringside.ts';
import { SerialServer } from '../support/serial-server.ts';

const SHARDS = 2;
const SERVICE_MS = 0.25;
const SLOWER = 10;
const PER_SECOND = 3000;
const SOCKETS = 20;
const SLOT_MS = 250;
const BEFORE_MS = 4000;
const AFTER_MS = 6000;
const DEADLINE_MS = 1000;

/** What happened while all nodes took ten times as long for a while. */
export interface RetryStormRow {
  /** Good replies (within a second) of each quarter of a second, as a part of what was asked for then. */
  readonly goodput: readonly number[];
  /** Where in `goodput` the cause began and ended. */
  readonly slowFrom: number;
  readonly slowTo: number;
  /** Reads tried again, as a part of all. */
  readonly retryRatio: number;
  readonly breakerOpened: number;
  /** From the end of the cause until 95 % of what is asked for is answered well, and stays so; null: not within the measurement. */
  readonly recoveryMs: number | null;
}

/** 3000 reads a second in front of two shards (leader and follower) that can do 8000, and for `slowSeconds` 800. */
export async function retryStorm(slowSeconds: number): Promise<RetryStormRow> {
  const servers = await Promise.all(Array.from({ length: 2 * SHARDS }, () => SerialServer.start(SERVICE_MS)));
  let proxy: Ringside | null = null;
  try {
    const upstreams = Array.from(
      { length: SHARDS },
      (_, i) => `s${i}=${servers[2 * i].address}/${servers[2 * i + 1].address}`,
    );
    proxy = await startProxy(upstreams);
    const load = new OpenLoad(Number(proxy.ready.resp.split(':')[1]));
    await delay(BEFORE_MS);
    const slowFrom = load.slot;
    for (const server of servers) server.serviceMs = SERVICE_MS * SLOWER;
    await delay(slowSeconds * 1000);
    for (const server of servers) server.serviceMs = SERVICE_MS;
    const slowTo = load.slot;
    await delay(AFTER_MS);
    const goodput = load.end();
    const metric = await metricsOf(proxy.ready.admin);
    const breakerOpened = metric('ringside_proxy_breaker_opened_total');
    const retryRatio = metric('ringside_proxy_read_retries_total') / metric('ringside_proxy_commands_total');
    return {
      ...{ goodput, slowFrom, slowTo, breakerOpened, retryRatio },
      recoveryMs: recoveryOf(goodput.slice(slowTo)),
    };
  } finally {
    await proxy?.stop();
    for (const server of servers) server.stop();
  }
}

function startProxy(upstreams: readonly string[]): Promise<Ringside> {
  const off = ['http', 'grpc', 'memcached'].flatMap((name) => [`--${name}-port`, 'off']);
  const on = ['--resp-port', 'auto', '--admin-port', 'auto'];
  const shards = upstreams.flatMap((upstream) => ['--upstream', upstream]);
  return startRingside(['proxy', ...shards, ...on, ...off, '--log-level', 'error']);
}

/** Sums over the labels. */
async function metricsOf(admin: string): Promise<(name: string) => number> {
  const lines = (await (await fetch(`http://${admin}/metrics`)).text()).split('\n');
  return (name) =>
    lines
      .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

/** The last slot is not over. */
function recoveryOf(after: readonly number[]): number | null {
  const whole = after.slice(0, -1);
  const lastBad = whole.findLastIndex((part) => part < 0.95);
  return lastBad === whole.length - 1 ? null : (lastBad + 1) * SLOT_MS;
}

/** Asks at a steady rate, whatever the answers. */
class OpenLoad {
  readonly #startMs = performance.now();
  readonly #good: number[] = [];
  readonly #sockets: Asking[];
  readonly #timer: NodeJS.Timeout;
  #sent = 0;

  constructor(port: number) {
    this.#sockets = Array.from({ length: SOCKETS }, () => new Asking(port, () => this.#answered()));
    this.#timer = setInterval(() => this.#send(), 1);
  }

  get slot(): number {
    return Math.floor((performance.now() - this.#startMs) / SLOT_MS);
  }

  end(): number[] {
    clearInterval(this.#timer);
    for (const socket of this.#sockets) socket.close();
    const expected = (PER_SECOND * SLOT_MS) / 1000;
    return Array.from(
      { length: this.slot },
      (_, i) => Math.round(((this.#good[i] ?? 0) / expected) * 100) / 100,
    );
  }

  #answered(): void {
    this.#good[this.slot] = (this.#good[this.slot] ?? 0) + 1;
  }

  #send(): void {
    const due = Math.floor(((performance.now() - this.#startMs) / 1000) * PER_SECOND);
    for (; this.#sent < due; this.#sent++)
      this.#sockets[this.#sent % SOCKETS].send(encodeCommand('GET', `key:${this.#sent % 1000}`));
  }
}

/** One connection with many commands under way. */
class Asking {
  readonly #socket: net.Socket;
  readonly #sentMs: number[] = [];

  constructor(port: number, onGood: () => void) {
    this.#socket = net.connect(port, '127.0.0.1').setNoDelay();
    const framer = new ReplyFramer();
    this.#socket.on('data', (chunk) => {
      framer.push(chunk);
      while (framer.next()) {
        const waitedMs = performance.now() - this.#sentMs.shift()!;
        if (framer.buffer[framer.frameStart] !== 0x2d && waitedMs <= DEADLINE_MS) onGood();
      }
    });
  }

  send(frame: Buffer): void {
    this.#sentMs.push(performance.now());
    this.#socket.write(frame);
  }

  close(): void {
    this.#socket.destroy();
  }
}
