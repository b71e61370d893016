import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { Agent, request } from 'undici';
import { claim, isFree } from './ports.ts';
import { type Ringside, startRingside } from './ringside.ts';
import { until } from './until.ts';

const executable = resolve(import.meta.dirname, '../../bin/ringside');

export interface NodeStatus {
  id: string;
  pid: number;
  address: string;
  admin: string;
  state: 'starting' | 'serving' | 'syncing' | 'suspect' | 'dead';
  offset: string;
  lagBytes: string | number;
  lagMs: number;
}

/** Flags of a cluster that takes nobody for dead, nor a write for lost, because the machine is busy: `ms` is the length of a lease. */
export const calm = (ms = 10_000): string[] =>
  Object.entries({
    'controlPlane.leaseMs': ms,
    'controlPlane.suspectAfterMs': ms,
    'node.ackTimeoutMs': 15_000,
    'node.replication.timeoutMs': 20_000,
    'proxy.operationTimeoutMs': 20_000,
    'proxy.readTimeoutMs': 15_000,
  }).flatMap(([name, value]) => ['--set', `${name}=${value}`]);

/** What `ringside ctl status --json` prints. */
export interface ClusterStatus {
  ring: { incarnation: string; epoch: string; sha256: string };
  shards: {
    name: string;
    weight: number;
    epoch: string;
    leader: NodeStatus | null;
    /** `listed`: the ring document names it, so it may be promoted. */
    followers: (NodeStatus & { listed: boolean })[];
  }[];
  proxies: { id: string; pid: number; admin: string; resp: string; ackedEpoch: string; state: string }[];
  controlPlane: { id: string; pid: number; address: string; leader: boolean }[];
}

/** Runs `ringside ARGS…` to its end; rejects when it exits with anything but 0. */
export async function ringside(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(executable, args, {
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  return stdout;
}

const own = new Set<number>();

/**
 * An offset at which none of the ports a small cluster takes is in use, and all are below 32768: the kernel hands out
 * higher ones to outgoing connections. It is this process's from then on.
 */
async function freeOffset(): Promise<number> {
  for (let tries = 0; tries < 50; tries++) {
    const offset = 2_000 + 700 * ((process.pid + tries * 7) % 32);
    if (!(own.has(offset) || (await claim(`offset ${offset}`)))) continue;
    own.add(offset);
    const ports = [7379, 7311, 7380, 7381, 7390, 7400, 7401, 7501, 7502, 7506, 7601, 7602, 7609].map(
      (p) => p + offset,
    );
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return offset;
  }
  throw new Error('no free range of ports found');
}

/** A whole cluster of real processes (`ringside dev`) with its state in a folder of its own. */
export class DevCluster {
  readonly process: Ringside;
  readonly offset: number;
  readonly dir: string;

  readonly #scheme: 'http' | 'https';
  readonly #agent: Agent;

  private constructor(process: Ringside, offset: number, dir: string, isTls: boolean) {
    this.process = process;
    this.offset = offset;
    this.dir = dir;
    this.#scheme = isTls ? 'https' : 'http';
    const trusted = () => ({
      ca: readFileSync(join(dir, 'certs', 'ca.crt'), 'utf8'),
      ...this.clientIdentity(),
    });
    this.#agent = new Agent({
      connect: isTls ? { ...trusted(), checkServerIdentity: () => undefined } : {},
    });
  }

  /** Starts it and waits until it is ready; more flags of `ringside dev` in `args`. */
  static async start(...args: string[]): Promise<DevCluster> {
    const offset = await freeOffset();
    const dir = mkdtempSync(join(tmpdir(), 'ringside-dev-'));
    const process = await startRingside(['dev', '--port-offset', `${offset}`, '--dir', dir, ...args]);
    return new DevCluster(process, offset, dir, args.includes('--tls'));
  }

  /** `host:port` of a default port, shifted by the offset. */
  at(port: number): string {
    return `127.0.0.1:${port + this.offset}`;
  }

  /** With `--tls`: the certificate and key that `ringside dev` made for clients. */
  clientIdentity(): { cert: string; key: string } {
    const file = (name: string) => readFileSync(join(this.dir, 'certs', name), 'utf8');
    return { cert: file('client-dev.crt'), key: file('client-dev.key') };
  }

  async status(): Promise<ClusterStatus> {
    const { body } = await request(`${this.#scheme}://${this.at(7400)}/v1/status`, {
      dispatcher: this.#agent,
    });
    return (await body.json()) as ClusterStatus;
  }

  /** Waits until every shard has a serving leader and `followers` listed, serving followers, and every proxy the newest ring. */
  async whole(shards: number, followers: number, timeoutMs = 90_000): Promise<ClusterStatus> {
    let last: ClusterStatus | undefined;
    try {
      return await until(
        `the cluster is whole (${shards} shards with ${followers} followers each)`,
        async () => {
          last = await this.status();
          return isWhole(last, shards, followers) ? last : undefined;
        },
        { timeoutMs, everyMs: 50 },
      );
    } catch (error) {
      throw new Error(`${(error as Error).message}; it is ${JSON.stringify(last)}`, { cause: error });
    }
  }

  async stop(): Promise<void> {
    await this.#agent.destroy();
    await this.process.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

function isWhole(now: ClusterStatus, shards: number, followers: number): boolean {
  const whole = now.shards.filter(
    (shard) =>
      shard.leader?.state === 'serving' &&
      shard.followers.filter(({ state, listed }) => listed && state === 'serving').length === followers,
  );
  return whole.length === shards && now.proxies.every(({ ackedEpoch }) => ackedEpoch === now.ring.epoch);
}
