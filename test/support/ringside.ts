import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Test } from 'tap';

const MAIN = join(import.meta.dirname, '../../cli/main.ts');
const READY_TIMEOUT_MS = 60_000;

/** A `ringside` process that said it is ready. */
export interface Ringside {
  readonly pid: number;
  /** What its ready line says: `{resp: '127.0.0.1:7379', http: …}`. */
  readonly ready: Readonly<Record<string, string>>;
  /** All output so far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly process: ChildProcess;
  /** How it ended, once it has: `code 0`, `SIGKILL`, … */
  readonly ended: Promise<string>;
  /** Sends SIGTERM, waits for the end (SIGKILL after 30 s), and resolves with how it ended. */
  stop(): Promise<string>;
  kill(signal: NodeJS.Signals): void;
}

/** What a finished `ringside` process left. */
export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Options of a process under test. */
export interface SpawnOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** How long it may take until it is ready; a minute unless said. */
  readonly readyTimeoutMs?: number;
}

// tap puts its own loader into NODE_OPTIONS, which would cost every process under test half a second.
const environment = (env?: NodeJS.ProcessEnv) => ({ ...process.env, NODE_OPTIONS: '', ...env });

/** Starts `ringside ARGS…` and resolves once its ready line is there; rejects with its stderr when it ends before. */
export async function startRingside(args: readonly string[], options: SpawnOptions = {}): Promise<Ringside> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: options.cwd,
    env: environment(options.env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = collect(child);
  const ended = endOf(child);
  // A test that forgets to stop it, or fails before it can, leaves nothing behind.
  const onExit = () => child.kill('SIGKILL');
  process.once('exit', onExit);
  void ended.then(() => process.off('exit', onExit));
  const ready = await readyOf(child, output, ended, args, options.readyTimeoutMs);
  return {
    pid: child.pid!,
    ready,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    process: child,
    ended,
    kill: (signal) => void child.kill(signal),
    async stop() {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 30_000);
      const ending = await ended;
      clearTimeout(timer);
      return ending;
    },
  };
}

/** A link between nodes is not taken for dead because the machine is busy. */
export const PATIENT_LINK = ['--set', 'node.replication.timeoutMs=60000'];

/** Starts a standalone node on free ports, for as long as the test runs. */
export async function startStandaloneNode(t: Test, ...args: string[]): Promise<Ringside> {
  const ports = ['--port', 'auto', '--admin-port', 'auto'];
  const node = await startRingside(['node', '--standalone', ...ports, ...PATIENT_LINK, ...args]);
  t.teardown(() => node.stop());
  return node;
}

/** Runs `ringside ARGS…` to its end. */
export async function runRingside(args: readonly string[], options: SpawnOptions = {}): Promise<Finished> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: options.cwd,
    env: environment(options.env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = collect(child);
  await endOf(child);
  return { code: child.exitCode, ...output };
}

function collect(child: ChildProcess): { stdout: string; stderr: string } {
  const output = { stdout: '', stderr: '' };
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text;
  });
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text;
  });
  return output;
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(signal ?? `code ${code}`));
  });
}

function readyOf(
  child: ChildProcess,
  output: { stdout: string; stderr: string },
  ended: Promise<string>,
  args: readonly string[],
  timeoutMs = READY_TIMEOUT_MS,
): Promise<Record<string, string>> {
  return new Promise((resolve, reject) => {
    const fail = (why: string) => {
      child.kill('SIGKILL');
      reject(new Error(`ringside ${args.join(' ')}: ${why}\n${output.stderr}`));
    };
    const timer = setTimeout(() => fail(`not ready after ${timeoutMs} ms`), timeoutMs);
    void ended.then((ending) => {
      clearTimeout(timer);
      fail(`ended before it was ready: ${ending}`);
    });
    child.stdout!.on('data', () => {
      const line = /^ready(?: (.*))?\n/m.exec(output.stdout);
      if (!line) return;
      clearTimeout(timer);
      const pairs = (line[1] ?? '').split(' ').filter(Boolean);
      resolve(Object.fromEntries(pairs.map((pair) => pair.split('=') as [string, string])));
    });
  });
}
