import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Random, seededRandom } from '../../../lib/base/index.ts';
import { RespError } from '../../../lib/codec/resp/index.ts';
import { RespClient } from '../resp-client.ts';
import { until } from '../until.ts';
import { type Findings, findOut } from './findings.ts';
import { type Cut, PowerCut } from './power-cut.ts';
import {
  type CrashServer,
  isRefused,
  type RefusedStart,
  type RunningServer,
  type Settings,
  startServer,
} from './servers.ts';
import { type Load, Writer } from './writer.ts';

const WRITERS = 6;
/** Of a load. */
const LEAST_WRITES = 100;
const BULK_STEP = 500;
const BULK_VALUE = 'v'.repeat(100);

export interface CrashOptions {
  readonly kind: CrashServer;
  readonly settings: Settings;
  readonly random: Random;
  /** Keys that are there from the beginning, so that snapshots and rewrites take a while. */
  readonly bulk: number;
  /** Whether a kill also takes what was not synced. */
  readonly cutsPower: boolean;
}

/** What goes on beside the writers; ends when the connection does. */
export type Beside = (control: RespClient, load: Load) => Promise<void>;

/** One folder, and the server on it that is killed and started over and over. */
export class CrashFolder {
  readonly dir = mkdtempSync(join(tmpdir(), 'ringside-crash-'));
  readonly load: Load = { isRunning: false, lastPosition: 0, sent: 0, errors: [] };
  readonly #options: CrashOptions;
  readonly #writers: Writer[];
  #power: PowerCut | null = null;
  #server: RunningServer | null = null;
  #killedMs = 0;
  /** What the last kill took from the files. */
  cuts: Cut[] = [];

  constructor(options: CrashOptions) {
    this.#options = options;
    this.#writers = Array.from(
      { length: WRITERS },
      (_, id) => new Writer(id, seededRandom(options.random.u32())),
    );
  }

  get server(): RunningServer {
    return this.#server!;
  }

  /** Starts the server; resolves with what it said when it does not answer. */
  async tryStart(): Promise<RefusedStart | null> {
    const { kind, settings, cutsPower } = this.#options;
    this.#power = cutsPower ? new PowerCut(this.dir) : null;
    const server = await startServer(kind, this.dir, settings, { env: this.#power?.env });
    if (isRefused(server)) return server;
    this.#server = server;
    return null;
  }

  /** Starts the server; rejects with what it said when it does not answer. */
  async start(): Promise<void> {
    const refused = await this.tryStart();
    if (refused) throw new Error(`${this.#options.kind.name} did not start: ${refused.output.slice(-2000)}`);
  }

  /** Writes what is to be there from the beginning, and saves it where `command` says how. */
  async fill(command?: string): Promise<void> {
    const client = new RespClient(this.server.address);
    const { bulk } = this.#options;
    const steps = Array.from({ length: bulk / BULK_STEP }, (_, step) => {
      const keys = Array.from({ length: BULK_STEP }, (_, i) => `bulk:${step * BULK_STEP + i}`);
      return client.send('MSET', ...keys.flatMap((key) => [key, BULK_VALUE]));
    });
    const replies = await Promise.all(steps);
    if (command) replies.push(await client.send(command));
    client.close();
    const error = replies.find((reply) => reply instanceof RespError);
    if (error) throw error;
  }

  /** Lets all writers write for so long, but until some writes are there and it `isEnough`, and `beside` besides, and then kills the server. */
  async loadAndKill(ms: number, beside?: Beside, isEnough: () => boolean = () => true): Promise<void> {
    const { load, server } = this;
    load.isRunning = true;
    const least = load.lastPosition + LEAST_WRITES;
    const control = new RespClient(server.address);
    const ends = this.#writers.map((writer) => writer.run(server.address, load));
    const besides = beside?.(control, load).catch((error: Error) => {
      if (!/connection closed|ECONNRESET|EPIPE/.test(error.message)) load.errors.push(error.message);
    });
    await delay(ms);
    await until('enough is written', () => load.lastPosition >= least && isEnough());
    this.#killedMs = performance.now();
    await server.kill();
    load.isRunning = false;
    control.close();
    await Promise.all([...ends, besides]);
    this.#server = null;
    this.cuts = this.#power?.apply(this.#options.random) ?? [];
  }

  /** Ends the server without any load. */
  async kill(): Promise<void> {
    this.#killedMs = performance.now();
    await this.#server?.kill();
    this.#server = null;
  }

  /** Compares what is there with what was written; `lostWithinMs` as in `Promised`. */
  async findOut(lostWithinMs: number): Promise<Findings> {
    const promised = {
      killedMs: this.#killedMs,
      lostWithinMs,
      bulk: this.#options.bulk,
      bulkStep: BULK_STEP,
    };
    const findings = await findOut(this.server.address, this.#writers, promised);
    this.load.lastPosition = findings.length;
    this.load.sent = findings.length;
    return { ...findings, wrong: [...this.load.errors.splice(0, 5), ...findings.wrong] };
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.dir, { recursive: true, force: true });
    rmSync(`${this.dir}.synced`, { force: true });
  }
}
