import { setTimeout as delay } from 'node:timers/promises';
import { build } from 'hdr-histogram-js';
import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { median } from '../support/measure.ts';
import { PatientClient } from '../support/patient-client.ts';
import { type Server, startProxyRole, startRedis } from '../support/peers.ts';
import { forgetPeak, peakResidentBytes, residentBytes } from '../support/resident.ts';
import { startPeers } from './proxy.ts';
import { withServers } from './throughput.ts';

const SHARDS = 4;
const KEYS = 2000;
const OTHERS = 24;
const VICTIMS = 8;
/** How long the rate without a stop is measured at most. */
const MAX_RUNNING_SECONDS = 10;
/** How often a short stop is repeated: the machine itself does not stand still from one measurement to the next. */
const ROUNDS = 5;
const LONG_SECONDS = 60;
/** When a client gives up itself. */
const CLIENT_TIMEOUT_MS = 3000;

/** What one proxy did while one of four shards was stopped (SIGSTOP). */
export interface StoppedShardRow {
  readonly server: string;
  /** Replies a second about the keys of the other shards while none is stopped. */
  readonly running: number;
  /** While one is, as a part of the mean of those before and after. */
  readonly ofRunning: number;
  /** Of readers of the stopped shard, while: how many were answered or refused, gave up, and how long they waited. */
  readonly refused: number;
  readonly gaveUp: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Resident memory: before, and what it grew by at most. */
  readonly residentMb: number;
  readonly grewMb: number;
  /** From SIGCONT until a key of the shard was read again, at most. */
  readonly recoveryMs: number;
}

/** Each proxy in turn in front of the same four redis-servers, one of which is stopped for `seconds`: short stops several times, of which the middle one counts. */
export async function stoppedShard(
  seconds: number,
  progress: (line: string) => void,
): Promise<StoppedShardRow[]> {
  return withServers(async (keep) => {
    const upstreams: Server[] = [];
    for (let i = 0; i < SHARDS; i++) upstreams.push(await keep(startRedis(`upstream redis-server ${i}`)));
    const ours = await keep(startProxyRole(upstreams));
    const rows: StoppedShardRow[] = [];
    for (const server of [ours, ...(await startPeers(keep, upstreams, progress))])
      rows.push(await measure(server, upstreams[0], seconds));
    return rows;
  });
}

async function measure(server: Server, victim: Server, seconds: number): Promise<StoppedShardRow> {
  const { own, others } = await spread(server, victim);
  const load = new Load(server, own, others);
  await delay(1000);
  const rate = () => load.rateOver(Math.min(seconds, MAX_RUNNING_SECONDS));
  const running = [await rate()];
  forgetPeak(server.pid);
  const residentMb = residentBytes(server.pid) / 1e6;
  const ratios: number[] = [];
  let recoveryMs = 0;
  for (let rounds = seconds < LONG_SECONDS ? ROUNDS : 1; rounds > 0; rounds--) {
    const stopped = await load.rateWhileStopped(victim, seconds);
    recoveryMs = Math.max(recoveryMs, await recovery(server, own[0]));
    running.push(await rate());
    ratios.push((2 * stopped) / (running.at(-2)! + running.at(-1)!));
  }
  const grewMb = peakResidentBytes(server.pid) / 1e6 - residentMb;
  await load.stop();
  const { waits, refused, gaveUp } = load;
  const at = (percent: number) => waits.getValueAtPercentile(percent) / 1000;
  return {
    ...{ server: server.name, running: median(running), ofRunning: median(ratios), refused, gaveUp },
    ...{ p50Ms: at(50), p99Ms: at(99), residentMb, grewMb, recoveryMs },
  };
}

/** Writes keys through the proxy; those that landed on the victim, and the others. */
async function spread(server: Server, victim: Server): Promise<{ own: string[]; others: string[] }> {
  const client = new PatientClient(server.port);
  const direct = new PatientClient(victim.port);
  const own: string[] = [];
  const others: string[] = [];
  await direct.ask(encodeCommand('FLUSHALL'), CLIENT_TIMEOUT_MS);
  for (let i = 0; i < KEYS; i++) {
    const key = `${server.name}:${i}`;
    await client.ask(encodeCommand('SET', key, 'x'.repeat(100)), CLIENT_TIMEOUT_MS);
    // An error tells that the key is there: LPOP of a string is refused.
    const isHere = (await direct.ask(encodeCommand('LPOP', key), CLIENT_TIMEOUT_MS)) === 'error';
    (isHere ? own : others).push(key);
  }
  client.close();
  direct.close();
  return { own, others };
}

async function recovery(server: Server, key: string): Promise<number> {
  const client = new PatientClient(server.port);
  const startMs = performance.now();
  while ((await client.ask(encodeCommand('GET', key), CLIENT_TIMEOUT_MS)) !== 'reply') await delay(10);
  client.close();
  return performance.now() - startMs;
}

/** Clients that ask without a pause: most for keys of the other shards, some for those of the victim. */
class Load {
  readonly waits = build({ highestTrackableValue: 60_000_000, numberOfSignificantValueDigits: 3 });
  refused = 0;
  gaveUp = 0;
  #isCounting = false;
  #replies = 0;
  #isStopped = false;
  readonly #running: Promise<void>[];

  constructor({ port }: Server, own: readonly string[], others: readonly string[]) {
    const frames = (keys: readonly string[]) => keys.map((key) => encodeCommand('GET', key));
    const victims = Array.from({ length: VICTIMS }, () => this.#suffer(port, frames(own)));
    this.#running = [...victims, ...Array.from({ length: OTHERS }, () => this.#read(port, frames(others)))];
  }

  async rateOver(seconds: number): Promise<number> {
    const before = this.#replies;
    const startMs = performance.now();
    await delay(seconds * 1000);
    return (this.#replies - before) / ((performance.now() - startMs) / 1000);
  }

  /** The rate while `victim` is stopped. */
  async rateWhileStopped(victim: Server, seconds: number): Promise<number> {
    process.kill(victim.pid, 'SIGSTOP');
    try {
      this.#isCounting = true;
      return await this.rateOver(seconds);
    } finally {
      this.#isCounting = false;
      process.kill(victim.pid, 'SIGCONT');
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running);
  }

  async #read(port: number, frames: readonly Buffer[]): Promise<void> {
    const client = new PatientClient(port);
    for (let i = 0; !this.#isStopped; i++)
      if ((await client.ask(frames[i % frames.length], CLIENT_TIMEOUT_MS)) === 'reply') this.#replies++;
    client.close();
  }

  /** A hundred a second each at most, so that errors at once are no load of their own. */
  async #suffer(port: number, frames: readonly Buffer[]): Promise<void> {
    const client = new PatientClient(port);
    for (let i = 0; !this.#isStopped; i++) {
      const startMs = performance.now();
      const outcome = await client.ask(frames[i % frames.length], CLIENT_TIMEOUT_MS);
      if (this.#isCounting) {
        this.waits.recordValue(Math.round((performance.now() - startMs) * 1000));
        if (outcome === 'error') this.refused++;
        if (outcome === 'nothing') this.gaveUp++;
      }
      await delay(10);
    }
    client.close();
  }
}
