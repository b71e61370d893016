import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { processors } from './processors.ts';

/** What one redis-benchmark run is asked to do. */
export interface Load {
  /** How it is called in the report; a test of redis-benchmark when there are no `words`. */
  readonly command: string;
  /** The command itself; `__rand_int__` stands for a random number below `keys`. */
  readonly words?: readonly string[];
  /** A command that is sent as often before each turn, so that there is something to take away. */
  readonly fill?: readonly string[];
  readonly pipeline: number;
  readonly connections: number;
  readonly valueBytes: number;
  readonly keys: number;
  /** redis-benchmark runs on a processor on which the server's main thread does not (`apart`). */
  readonly isApart?: boolean;
}

/** What one target did in all alternations: commands per second, and CPU time of its own process per command. */
export interface Sample {
  readonly name: string;
  readonly rates: number[];
  readonly cpuMicros: number[];
}

/** The kernel counts CPU time in hundredths of a second (USER_HZ). */
const CLOCK_TICK_MICROS = 10_000;

/** CPU time a process has used so far, user and system, in microseconds. */
export function cpuTimeMicros(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * CLOCK_TICK_MICROS;
}

/** Middle value; the mean of the two middle ones for an even count. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Runs redis-benchmark for `requests` commands and resolves with commands per second. It ends itself, and so this rejects, at the first error reply. */
export async function redisBenchmark(port: number, load: Load, requests: number): Promise<number> {
  const args = [
    ...['-h', '127.0.0.1', '-p', `${port}`, '-c', `${load.connections}`, '-P', `${load.pipeline}`],
    ...['-n', `${requests}`, '-d', `${load.valueBytes}`, '-r', `${load.keys}`, '--csv'],
    ...(load.words ?? ['-t', load.command.toLowerCase()]),
  ];
  const whole = ['redis-benchmark', ...args];
  const [program, ...rest] =
    load.isApart && processors !== null ? ['taskset', '-c', `${processors.load}`, ...whole] : whole;
  const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.on('data', (data) => (out += data));
  child.stderr.on('data', (data) => (err += data));
  const code = await new Promise<number | null>((done) => child.once('close', done));
  const rate = Number(/^"[^"]*","([0-9.]+)"/m.exec(out)?.[1]);
  if (code !== 0 || !Number.isFinite(rate)) {
    throw new Error(`redis-benchmark on port ${port} failed (exit ${code}): ${err || out}`);
  }
  return rate;
}

/**
 * Measures the targets turn about, `alternations` times, each turn about `seconds` long and each round starting with
 * another target, so that a noisy machine treats them alike. A first unrecorded turn warms each of them up and finds
 * out how many requests fill the time.
 */
export async function alternate(
  targets: readonly { name: string; port: number; pid: number }[],
  load: Load,
  { alternations, seconds }: { alternations: number; seconds: number },
): Promise<Sample[]> {
  const requests: number[] = [];
  for (const target of targets) {
    const rate = await redisBenchmark(target.port, load, Math.max(2_000, Math.round(40_000 * seconds)));
    requests.push(Math.max(1_000, Math.round(rate * seconds)));
  }
  const samples = targets.map((target) => ({
    name: target.name,
    rates: [] as number[],
    cpuMicros: [] as number[],
  }));
  for (let round = 0; round < alternations; round++) {
    for (let turn = 0; turn < targets.length; turn++) {
      const i = (round + turn) % targets.length;
      const { port, pid } = targets[i];
      if (load.fill) await redisBenchmark(port, { ...load, words: load.fill, pipeline: 64 }, requests[i]);
      const before = cpuTimeMicros(pid);
      samples[i].rates.push(await redisBenchmark(port, load, requests[i]));
      samples[i].cpuMicros.push((cpuTimeMicros(pid) - before) / requests[i]);
    }
  }
  return samples;
}
