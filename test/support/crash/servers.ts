import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { freePort } from '../ports.ts';
import { RespClient } from '../resp-client.ts';

const MAIN = join(import.meta.dirname, '../../../cli/main.ts');
const START_TIMEOUT_MS = 60_000;
const POLL_MS = 10;
/** bin/ringside sets it for users. */
const MALLOC = { MALLOC_MMAP_THRESHOLD_: '262144' };

/** A kind of server that can be killed and started again on the same folder. */
export interface CrashServer {
  readonly name: string;
  command(port: number, dir: string, settings: Settings): readonly string[];
}

/** Settings that both kinds have under the same name, such as `appendfsync`. */
export type Settings = Readonly<Record<string, string>>;

const flags = (settings: Settings) =>
  Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);

/** `ringside node --standalone`. */
export const ringsideNode: CrashServer = {
  name: 'ringside node',
  command: (port, dir, settings) => [
    ...[process.execPath, '--disable-warning=ExperimentalWarning', MAIN, 'node', '--standalone'],
    ...['--port', `${port}`, '--admin-port', 'off', '--dir', dir, ...flags(settings)],
  ],
};

/** A real redis-server, to show that what is checked is right. */
export const redisServer: CrashServer = {
  name: 'redis-server',
  command: (port, dir, settings) => [
    ...['redis-server', '--port', `${port}`, '--bind', '127.0.0.1', '--dir', dir, '--save', ''],
    ...flags(settings),
  ],
};

/** A server that answers. */
export interface RunningServer {
  readonly address: string;
  readonly pid: number;
  /** All it has said, on both outputs. */
  readonly output: () => string;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
}

/** A server that ended instead of answering. */
export interface RefusedStart {
  readonly refused: true;
  readonly output: string;
}

export function isRefused(start: RunningServer | RefusedStart): start is RefusedStart {
  return 'refused' in start;
}

/** What goes round the command, such as `nsenter`, and what is added to the environment. */
export interface Surroundings {
  readonly env?: NodeJS.ProcessEnv;
  readonly wrapper?: readonly string[];
}

/** Starts the server on the folder; resolves when all is loaded, or when it has ended. */
export async function startServer(
  kind: CrashServer,
  dir: string,
  settings: Settings,
  { env, wrapper = [] }: Surroundings = {},
): Promise<RunningServer | RefusedStart> {
  const port = await freePort();
  const [program, ...args] = [...wrapper, ...kind.command(port, dir, settings)];
  const child = spawn(program, args, {
    env: { ...process.env, NODE_OPTIONS: '', ...MALLOC, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const closed = once(child, 'close');
  const end = () => void child.kill('SIGKILL');
  process.once('exit', end);
  void closed.then(() => process.off('exit', end));
  const address = `127.0.0.1:${port}`;
  if (!(await answers(child, address))) {
    end();
    await closed;
    return { refused: true, output };
  }
  return {
    address,
    pid: child.pid!,
    output: () => output,
    async kill() {
      end();
      await closed;
    },
  };
}

async function answers(child: ChildProcess, address: string): Promise<boolean> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (child.exitCode === null && child.signalCode === null && performance.now() < deadline) {
    const client = new RespClient(address);
    // LOADING is an error too.
    const reply = await client.text('EXISTS', 'x').catch(() => null);
    client.close();
    if (reply === '0') return true;
    await new Promise((done) => setTimeout(done, POLL_MS));
  }
  return false;
}
