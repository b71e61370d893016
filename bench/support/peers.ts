import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** A server started for a measurement; `stop` ends it by its process id and waits until it is gone. */
export interface Server {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
  /** How late the event loop of a node was since the last call, as the node itself sees it; only where it can say. */
  loopDelay?(): Promise<Delays>;
}

/** Milliseconds. */
export interface Delays {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** Files of millions of entries may have to be loaded. */
const START_TIMEOUT_MS = 120_000;

const root = resolve(import.meta.dirname, '../..');

/** Path of the real Envoy (`RINGSIDE_ENVOY`, or where `.ci/run` puts it), or undefined where it is not installed. */
export function findEnvoy(): string | undefined {
  if (process.env.RINGSIDE_ENVOY) return process.env.RINGSIDE_ENVOY;
  const lib = '/var/tmp/ringside/envoy/lib';
  if (!existsSync(lib)) return undefined;
  return readdirSync(lib)
    .map((python) => join(lib, python, 'site-packages/envoy/_bin/envoy'))
    .find((path) => existsSync(path));
}

/** Whether `program` is on the PATH. */
export function isInstalled(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' }).status === 0;
}

/** A port of this machine that nothing listens on. */
export async function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const server = net.createServer().on('error', fail);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => done(port));
    });
  });
}

/** Opens a connection to a port of this machine, and calls `onConnected` when it can be used. */
export type Connect = (port: number, onConnected: () => void) => net.Socket;

const plainly: Connect = (port, onConnected) => net.connect(port, '127.0.0.1', onConnected);

/** Resolves once a `GET` on the port is answered, which also proves that the way to the upstream is open. */
async function answers(port: number, child: ChildProcess, name: string, connect: Connect): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`${name} ended with exit code ${child.exitCode}`);
    const ok = await new Promise<boolean>((done) => {
      const socket = connect(port, () => socket.write('*2\r\n$3\r\nGET\r\n$1\r\nx\r\n'));
      socket.setTimeout(500, () => socket.destroy());
      socket.once('data', (data) => {
        done(data[0] === 0x24);
        socket.destroy();
      });
      socket.once('error', () => done(false));
      socket.once('close', () => done(false));
    });
    if (ok) return;
    if (performance.now() > deadline)
      throw new Error(`${name} did not answer on port ${port} within ${START_TIMEOUT_MS / 1000} s`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

async function start(
  name: string,
  port: number,
  program: string,
  args: string[],
  folder: string,
  env: NodeJS.ProcessEnv = { NODE_OPTIONS: '' },
  connect: Connect = plainly,
): Promise<Server> {
  const child = spawn(program, args, {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'ignore'],
    env: { ...process.env, ...env },
  });
  const kill = () => void child.kill('SIGKILL');
  process.once('exit', kill);
  const gone = new Promise<void>((done) => child.once('close', () => done()));
  void gone.then(() => process.off('exit', kill));
  const stop = async () => {
    child.kill('SIGTERM');
    const timer = setTimeout(kill, 5_000);
    await gone;
    clearTimeout(timer);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await answers(port, child, name, connect);
  } catch (error) {
    await stop();
    throw error;
  }
  return { name, port, pid: child.pid!, stop };
}

const scratch = () => mkdtempSync(join(tmpdir(), 'ringside-bench-'));

/** A plain redis-server without persistence, unless `more` says otherwise. */
export async function startRedis(name = 'redis-server', more: readonly string[] = []): Promise<Server> {
  const port = await freePort();
  const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  return start(name, port, 'redis-server', [...args, ...more], scratch());
}

/** What a node is started with beyond the usual. */
export interface NodeOptions {
  /** Arguments for node itself, such as `--cpu-prof`. */
  readonly nodeArgs?: readonly string[];
  readonly args?: readonly string[];
  /** How it is reached when not by plain TCP. */
  readonly connect?: Connect;
}

/** `ringside node --standalone`. */
export async function startNodeRole(options: NodeOptions = {}): Promise<Server> {
  const { nodeArgs = [], args = [], connect } = options;
  const port = await freePort();
  return start(
    'ringside node',
    port,
    process.execPath,
    [
      ...[...nodeArgs, join(root, 'cli/main.ts'), 'node', '--standalone', '--port', `${port}`],
      ...['--maxmemory', '1gb', '--set', 'node.adminPort=off', '--log-level', 'warn', ...args],
    ],
    scratch(),
    undefined,
    connect,
  );
}

/** `bin/ringside node --standalone`, as users start it, with more arguments. It can say how late its event loop is. */
export async function startNodeProgram(args: string[]): Promise<Server> {
  const port = await freePort();
  const folder = scratch();
  const report = join(folder, 'loop-delay.json');
  const fixed = ['node', '--standalone', '--port', `${port}`, '--set', 'node.adminPort=off'];
  const env = {
    NODE_OPTIONS: `--import ${join(import.meta.dirname, 'loop-delay.ts')}`,
    RINGSIDE_LOOP_DELAY: report,
  };
  const program = join(root, 'bin/ringside');
  const all = [...fixed, '--log-level', 'warn', ...args];
  const server = await start('ringside node', port, program, all, folder, env);
  const loopDelay = async () => {
    rmSync(report, { force: true });
    process.kill(server.pid, 'SIGUSR2');
    while (!existsSync(report)) await new Promise((done) => setTimeout(done, 5));
    return JSON.parse(readFileSync(report, 'utf8')) as Delays;
  };
  return { ...server, loopDelay };
}

/** `ringside proxy` in front of plain redis-servers, only its RESP listener on, with arguments for node itself and for the proxy. */
export async function startProxyRole(
  upstreams: Server[],
  nodeArgs: string[] = [],
  proxyArgs: string[] = [],
): Promise<Server> {
  const port = await freePort();
  const fixed = upstreams.flatMap((server, i) => ['--upstream', `shard-${i}=127.0.0.1:${server.port}`]);
  const off = ['memcached', 'http', 'grpc', 'admin'].flatMap((listener) => [`--${listener}-port`, 'off']);
  return start(
    'ringside proxy',
    port,
    process.execPath,
    [
      ...[...nodeArgs, join(root, 'cli/main.ts'), 'proxy', '--engine', 'redis', ...fixed],
      ...['--resp-port', `${port}`, ...off, '--log-level', 'warn', ...proxyArgs],
    ],
    scratch(),
  );
}

/** twemproxy (Debian's nutcracker) with its default of one connection for each server. */
export async function startNutcracker(upstreams: Server[]): Promise<Server> {
  const port = await freePort();
  const folder = scratch();
  const servers = upstreams.map((server, i) => `    - 127.0.0.1:${server.port}:1 shard-${i}`).join('\n');
  writeFileSync(
    join(folder, 'nutcracker.yml'),
    `bench:\n  listen: 127.0.0.1:${port}\n  hash: murmur\n  distribution: ketama\n  redis: true\n  servers:\n${servers}\n`,
  );
  const statsPort = await freePort();
  return start(
    'nutcracker',
    port,
    'nutcracker',
    ['-c', 'nutcracker.yml', '-s', `${statsPort}`, '-a', '127.0.0.1'],
    folder,
  );
}

/** Envoy's redis_proxy with so many worker threads. */
export async function startEnvoy(binary: string, upstreams: Server[], threads = 1): Promise<Server> {
  const port = await freePort();
  const folder = scratch();
  const endpoints = upstreams.map((server) => ({
    endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: server.port } } },
  }));
  const redisProxy = {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.redis_proxy.v3.RedisProxy',
    stat_prefix: 'bench',
    settings: { op_timeout: '5s' },
    prefix_routes: { catch_all_route: { cluster: 'shards' } },
  };
  const bootstrap = {
    static_resources: {
      listeners: [
        {
          address: { socket_address: { address: '127.0.0.1', port_value: port } },
          filter_chains: [
            { filters: [{ name: 'envoy.filters.network.redis_proxy', typed_config: redisProxy }] },
          ],
        },
      ],
      clusters: [
        {
          name: 'shards',
          type: 'STATIC',
          lb_policy: 'MAGLEV',
          connect_timeout: '1s',
          load_assignment: { cluster_name: 'shards', endpoints: [{ lb_endpoints: endpoints }] },
        },
      ],
    },
  };
  writeFileSync(join(folder, 'envoy.json'), JSON.stringify(bootstrap));
  const args = [
    '-c',
    'envoy.json',
    '--disable-hot-restart',
    '--concurrency',
    `${threads}`,
    '--log-level',
    'error',
  ];
  return start('envoy', port, binary, args, folder);
}
