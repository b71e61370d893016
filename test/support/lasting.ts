import { join } from 'node:path';
import type { Test } from 'tap';
import type { Random } from '../../lib/base/index.ts';
import { anyCommands } from './any-writes.ts';
import { infoField } from './data-set.ts';
import { folder } from './folder.ts';
import { freePort } from './ports.ts';
import { RawClient } from './raw-client.ts';
import { RespClient } from './resp-client.ts';
import { PATIENT_LINK, type Ringside, startRingside } from './ringside.ts';
import { until } from './until.ts';

/** It saves when it is told to end, if anything was written. */
export const SAVES_AT_END = ['--save', '3600 1'];
const BATCH = 40;

/** A node that keeps its port and its folder from one process to the next. */
export class Lasting {
  readonly port: number;
  readonly dir: string;
  readonly #args: readonly string[];
  #process: Ringside | null = null;
  #clients: RespClient[] = [];

  private constructor(t: Test, port: number, args: readonly string[]) {
    this.port = port;
    this.dir = folder(t, 'restart');
    this.#args = args;
    t.teardown(() => this.end('SIGKILL'));
  }

  static async start(t: Test, ...args: string[]): Promise<Lasting> {
    const node = new Lasting(t, await freePort(), args);
    await node.start();
    return node;
  }

  async start(...args: string[]): Promise<void> {
    const where = ['--port', String(this.port), '--admin-port', 'off', '--dir', this.dir];
    const debug = ['--enable-debug-command', 'yes'];
    this.#process = await startRingside([
      'node',
      '--standalone',
      ...where,
      ...debug,
      ...PATIENT_LINK,
      ...this.#args,
      ...args,
    ]);
    await until('it has loaded', async () => (await this.info('loading')) === '0');
  }

  async end(signal: NodeJS.Signals): Promise<string> {
    for (const client of this.#clients.splice(0)) client.close();
    this.#process?.kill(signal);
    return (await this.#process?.ended) ?? '';
  }

  /** How it ends when it is told to by a command. */
  get ended(): Promise<string> {
    return this.#process!.ended;
  }

  get client(): RespClient {
    if (this.#clients.length === 0) this.#clients.push(new RespClient(this.address));
    return this.#clients[0];
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  get path(): string {
    return join(this.dir, 'dump.rdb');
  }

  async info(field: string): Promise<string | undefined> {
    return infoField(this.client, field);
  }

  /** Changes values of every type, in all databases. */
  async write(random: Random, batches: number): Promise<void> {
    const raw = new RawClient(this.address);
    try {
      for (let i = 0; i < batches; i++) await raw.run(anyCommands(random, BATCH));
    } finally {
      raw.close();
    }
  }

  /** Writes for as long as it is there. */
  async writeToTheEnd(random: Random): Promise<void> {
    const raw = new RawClient(this.address);
    let isOver = false;
    const ended = this.ended.then(() => {
      isOver = true;
    });
    while (!isOver) await Promise.race([raw.run(anyCommands(random, BATCH)), ended]);
    raw.close();
  }
}

/** What makes a node a follower of this one. */
export const following = (leader: { port: number }): string[] => ['--replicaof', `127.0.0.1 ${leader.port}`];

/** Writes to a key of a node, and resolves with the version that it has now. */
export async function versionOf(client: RespClient, key: string): Promise<bigint> {
  return BigInt((await client.text('RS.SET', key, 'value'))!);
}
