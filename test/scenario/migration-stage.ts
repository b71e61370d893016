import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Test } from 'tap';
import { CountingClients } from '../support/counting-clients.ts';
import { patientArgs } from '../support/patience.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { type Ringside, runRingside, startRingside, startStandaloneNode } from '../support/ringside.ts';
import { until } from '../support/until.ts';

/*
 * An app that counts through a proxy all the while, with several hundred writes a second, before a redis-server that is to be left for a node.
 */

const CLIENTS = 4;

export interface Stage {
  readonly redis: RedisServer;
  readonly node: Ringside;
  readonly proxy: Ringside;
  readonly app: CountingClients;
  client(address: string): RespClient;
  /** Runs `ctl migrate` to its end. */
  migrate(direction: '--from' | '--to', ...args: string[]): ReturnType<typeof runRingside>;
  /** Runs it with `--json`, to be watched. */
  follow(direction: '--from' | '--to', ...args: string[]): Watched;
  /** What the proxy says of its upstream. */
  upstream(): Promise<{ upstream: string; hold: string | null }>;
}

/** A `ringside ctl … --json` whose lines are read as they come. */
export class Watched {
  readonly ended: Promise<{ code: number | null; stdout: string; error: unknown }>;
  readonly #child: ChildProcess;
  readonly #steps = new Set<string>();
  #stdout = '';
  #changed: () => void = () => {};

  constructor(args: readonly string[]) {
    const main = join(import.meta.dirname, '../../cli/main.ts');
    const env = { ...process.env, NODE_OPTIONS: '' };
    this.#child = spawn(process.execPath, [main, ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
      for (const [, step] of this.#stdout.matchAll(/^{"step":"([^"]*)"/gm)) this.#steps.add(step);
      this.#changed();
    });
    this.ended = once(this.#child, 'close').then(() => {
      this.#changed();
      const error = /^{"error":.*/m.exec(this.#stdout)?.[0];
      return { code: this.#child.exitCode, stdout: this.#stdout, error: error && JSON.parse(error).error };
    });
  }

  /** Resolves once it says that it does this, or has ended. */
  async says(step: string): Promise<void> {
    while (!this.#steps.has(step) && this.#child.exitCode === null) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.#child.kill(signal);
  }
}

const nodePassword = (password: string) =>
  password === '' ? [] : ['--set', `proxy.nodePassword=${password}`];

/** Nobody gets in without it from now on. */
async function secure(address: string, password: string): Promise<void> {
  const client = new RespClient(address);
  await client.text('CONFIG', 'SET', 'requirepass', password);
  client.close();
}

/** A proxy before the redis-server, for as long as the test runs. */
export async function startProxy(t: Test, redis: RedisServer, ...args: string[]): Promise<Ringside> {
  const only = ['--resp-port', 'auto', '--admin-port', 'auto', '--http-port', 'off', '--grpc-port', 'off'];
  const upstream = ['--engine', 'redis', '--upstream', `a=${redis.address}`, '--memcached-port', 'off'];
  const proxy = await startRingside(['proxy', ...only, ...upstream, ...patientArgs, ...args]);
  t.teardown(() => proxy.stop());
  return proxy;
}

/** With a password, both servers and the proxy have it. */
export async function stage(t: Test, { proxyArgs = [] as string[], password = '' } = {}): Promise<Stage> {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  if (password !== '') await secure(redis.address, password);
  const login = password === '' ? '' : `:${password}@`;
  const [node, proxy] = await Promise.all([
    startStandaloneNode(t, ...(password === '' ? [] : ['--requirepass', password])),
    startProxy(t, redis, ...proxyArgs, ...nodePassword(password)),
  ]);
  const app = new CountingClients(proxy.ready.resp, CLIENTS);
  t.teardown(() => app.stop());
  const parties = ['--node', `redis://${login}${node.ready.resp}`, '--proxy', `http://${proxy.ready.admin}`];
  return {
    redis,
    node,
    proxy,
    app,
    client(address) {
      const client = new RespClient(address);
      if (password !== '') void client.send('AUTH', password);
      t.teardown(() => client.close());
      return client;
    },
    migrate: (direction, ...args) =>
      runRingside(['ctl', 'migrate', direction, `redis://${login}${redis.address}`, ...parties, ...args]),
    follow: (direction, ...args) =>
      new Watched([
        'ctl',
        'migrate',
        direction,
        `redis://${login}${redis.address}`,
        ...parties,
        ...args,
        '--json',
      ]),
    upstream: async () => {
      const response = await fetch(`http://${proxy.ready.admin}/upstream`);
      return (await response.json()) as { upstream: string; hold: string | null };
    },
  };
}

/** Every increment that was acknowledged counts once; with `unsure`, at most so many more. */
export async function counted(
  t: Test,
  client: RespClient,
  { acknowledged }: CountingClients,
  unsure = 0,
): Promise<void> {
  for (const [key, count] of acknowledged) {
    const found = Number(await client.text('GET', key));
    t.ok(found >= count && found <= count + unsure, `${key}: ${count} acknowledged, ${found} there`);
  }
}

/** Resolves once the app has counted on. */
export const runsOn = async (app: CountingClients, what: string) => {
  const before = app.total;
  await until(what, () => app.total > before + 100);
};
