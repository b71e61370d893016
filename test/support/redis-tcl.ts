import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const folder = join(root, 'test/conformance');

/** What redis-server 7.0.15 passes in a unit, and the tests of these that use what Ringside does not have yet, with what that is. */
interface Baseline {
  readonly passes: readonly string[];
  readonly excluded: Readonly<Record<string, string>>;
}

/** How a unit went. */
export interface UnitResult {
  readonly unit: string;
  readonly passed: number;
  /** Tests that redis-server passes, that apply, and that did not pass. */
  readonly failed: readonly string[];
  readonly notApplicable: number;
}

/** By unit; a name stands there as often as the test runs. */
export const baseline: Readonly<Record<string, Baseline>> = JSON.parse(
  readFileSync(join(folder, 'redis-tcl-7.0.15.json'), 'utf8'),
);

/** Why a test fails, by its name. */
export const reasons: Readonly<Record<string, string>> = JSON.parse(
  readFileSync(join(folder, 'reasons.json'), 'utf8'),
);

/** The script that runs the suite, or null. */
export function suiteScript(): string | null {
  const script = join(process.env.RINGSIDE_SHARED ?? join(root, '../shared'), 'conformance/redis-tcl.sh');
  return existsSync(script) ? script : null;
}

/** Runs units against a node that the script starts afresh for each; resolves with how each went. */
export async function runUnits(script: string, units: readonly string[]): Promise<UnitResult[]> {
  const logs = mkdtempSync(join(tmpdir(), 'ringside-tcl-'));
  // The suite sets `maxmemory` where it counts on Redis's default policy.
  const flags = '--admin-port 0 --enable-debug-command yes --log-level error --maxmemory-policy noeviction';
  const files = `--dir ${join(logs, '{port}')}`;
  const start = `${join(root, 'bin/ringside')} node --standalone --port {port} ${files} ${flags}`;
  const child = spawn(script, units, {
    env: { ...process.env, NODE_OPTIONS: '', START: start, LOG_DIR: logs },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`${script} ended with ${code}; its logs are in ${logs}`);
  return units.map((unit) =>
    resultOf(unit, readFileSync(join(logs, `${unit.replaceAll('/', '_')}.out`), 'utf8')),
  );
}

function resultOf(unit: string, output: string): UnitResult {
  const left = new Map<string, number>();
  for (const [, name] of output.matchAll(/^\[ok\]: (.*?)(?: \(\d+ ms\))?$/gm)) {
    left.set(name, (left.get(name) ?? 0) + 1);
  }
  const failed: string[] = [];
  for (const name of baseline[unit].passes) {
    const count = left.get(name) ?? 0;
    if (count === 0) failed.push(name);
    else left.set(name, count - 1);
  }
  return {
    unit,
    passed: baseline[unit].passes.length - failed.length,
    failed,
    notApplicable: Object.keys(baseline[unit].excluded).length,
  };
}

/** The table of docs/compatibility.md, and below it each failure with its reason. */
export function conformanceTable(results: readonly UnitResult[]): string {
  const lines = ['| unit | passed | failed | not applicable |', '|---|---:|---:|---:|'];
  for (const { unit, passed, failed, notApplicable } of results) {
    lines.push(`| ${unit} | ${passed} | ${failed.length} | ${notApplicable} |`);
  }
  const sum = (of: (result: UnitResult) => number) =>
    results.reduce((total, result) => total + of(result), 0);
  const passed = sum((result) => result.passed);
  const failed = sum(({ failed }) => failed.length);
  lines.push(`| **all** | **${passed}** | **${failed}** | **${sum((result) => result.notApplicable)}** |`);
  lines.push(
    '',
    `${passed} of ${passed + failed} that apply: ${((100 * passed) / (passed + failed)).toFixed(1)} %.`,
  );
  if (failed > 0) lines.push('', '| test that fails | unit | why |', '|---|---|---|');
  for (const { unit, failed } of results) {
    for (const name of new Set(failed)) lines.push(`| ${name} | ${unit} | ${reasons[name] ?? ''} |`);
  }
  return lines.join('\n');
}
