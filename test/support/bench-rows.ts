import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { isInstalled } from '../../bench/support/peers.ts';

const main = join(import.meta.dirname, '../../bench/main.ts');
const run = promisify(execFile);

/** What is measured of a command beside a peer. */
export interface BenchRow {
  readonly command: string;
  readonly pipeline: number;
  readonly peer: string;
  readonly ratio: number;
}

/** Runs `npm run bench` with these arguments. */
export function bench(...args: string[]): Promise<{ stdout: string }> {
  return run(process.execPath, [main, ...args], { env: { ...process.env, NODE_OPTIONS: '' } });
}

/** Runs a suite of it as briefly as can be: every target starts, is measured and ends, and the figures mean nothing. */
export async function benchRows<T = BenchRow>(suite: string, ...more: string[]): Promise<T[]> {
  const { stdout } = await bench(suite, '--alternations', '1', '--seconds', '0.1', '--json', ...more);
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/** Options of a test that needs what redis-server brings. */
export const needsRedis = {
  skip:
    isInstalled('redis-benchmark') && isInstalled('redis-server')
      ? false
      : 'skipped: redis-server not installed',
};
