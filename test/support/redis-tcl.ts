import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const folder = join(root, 'test/conformance');
const document = join(root, 'docs/compatibility.md');

/** What redis-server 7.0.15 passes in a unit and that applies, and the tests it passes that do not, with why. */
interface Baseline {
  readonly passes: readonly string[];
  readonly excluded: Readonly<Record<string, string>>;
}

/** The suite as it is run against one kind of server. */
export interface Suite {
  /** By unit; a name stands there as often as the test runs. */
  readonly baseline: Readonly<Record<string, Baseline>>;
  /** Why a test fails, by its name. */
  readonly reasons: Readonly<Record<string, string>>;
  /** The command that starts the server on `{port}`, given a folder for files. */
  readonly start: (files: string) => string;
  /** As the script has them. */
  readonly profile: 'full' | 'proxy';
  /** Tests that are not run, and count as failed: they would stop half-way, and those behind them would fail with them. */
  readonly leftOut: readonly string[];
}

/** How a unit went. */
export interface UnitResult {
  readonly unit: string;
  readonly passed: number;
  /** Tests that redis-server passes, that apply, and that did not pass. */
  readonly failed: readonly string[];
  readonly notApplicable: number;
}

const json = (name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8'));

function startNode(files: string): string {
  // The suite sets `maxmemory` where it counts on Redis's default policy.
  const flags = '--admin-port 0 --enable-debug-command yes --log-level error --maxmemory-policy noeviction';
  return `${join(root, 'bin/ringside')} node --standalone --port {port} --dir ${join(files, '{port}')} ${flags}`;
}

/** Against a node. */
export const nodeSuite: Suite = {
  baseline: json('redis-tcl-7.0.15.json'),
  reasons: json('reasons.json'),
  start: startNode,
  profile: 'full',
  leftOut: [],
};

/** Against a proxy in front of so many nodes, each a shard of its own. */
export function proxySuite(nodes: number): Suite {
  const stack = join(import.meta.dirname, 'proxy-stack.ts');
  return {
    baseline: json('redis-tcl-proxy-7.0.15.json'),
    reasons: json('proxy-reasons.json'),
    start: () => `${process.execPath} ${stack} --port {port} --nodes ${nodes}`,
    profile: 'proxy',
    leftOut: nodes === 1 ? [] : json('proxy-left-out.json'),
  };
}

/** The script that runs the suite, or null. */
export function suiteScript(): string | null {
  const script = join(process.env.RINGSIDE_SHARED ?? join(root, '../shared'), 'conformance/redis-tcl.sh');
  return existsSync(script) ? script : null;
}

/** Those of RINGSIDE_UNITS, by default all. */
export function unitsAskedFor({ baseline }: Suite): readonly string[] {
  return process.env.RINGSIDE_UNITS?.split(' ') ?? Object.keys(baseline);
}

/** Runs units against a server that the script starts afresh for each; resolves with how each went. */
export async function runUnits(
  script: string,
  suite: Suite,
  units: readonly string[],
): Promise<UnitResult[]> {
  const logs = mkdtempSync(join(tmpdir(), 'ringside-tcl-'));
  const env = { NODE_OPTIONS: '', START: suite.start(logs), LOG_DIR: logs, PROFILE: suite.profile };
  const path = `${interpreterWithout(suite.leftOut, logs)}:${process.env.PATH}`;
  const child = spawn(script, units, {
    env: { ...process.env, ...env, PATH: path },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`${script} ended with ${code}; its logs are in ${logs}`);
  return units.map((unit) =>
    resultOf(
      unit,
      suite.baseline[unit],
      readFileSync(join(logs, `${unit.replaceAll('/', '_')}.out`), 'utf8'),
    ),
  );
}

/** A folder with a tclsh that leaves these tests out: the suite takes the newest that it finds by its version. */
function interpreterWithout(tests: readonly string[], files: string): string {
  const list = join(files, 'left-out');
  const folder = mkdtempSync(join(files, 'bin-'));
  writeFileSync(list, tests.join('\n'));
  const script = `#!/bin/sh\nexec tclsh "$@" --skipfile '${list}'\n`;
  writeFileSync(join(folder, 'tclsh8.7'), script, { mode: 0o755 });
  return folder;
}

function resultOf(unit: string, { passes, excluded }: Baseline, output: string): UnitResult {
  const left = new Map<string, number>();
  for (const [, name] of output.matchAll(/^\[ok\]: (.*?)(?: \(\d+ ms\))?$/gm)) {
    left.set(name, (left.get(name) ?? 0) + 1);
  }
  const failed: string[] = [];
  for (const name of passes) {
    const count = left.get(name) ?? 0;
    if (count === 0) failed.push(name);
    else left.set(name, count - 1);
  }
  return {
    unit,
    passed: passes.length - failed.length,
    failed,
    notApplicable: Object.keys(excluded).length,
  };
}

/** All units together. */
export function totalOf(results: readonly UnitResult[]): { passed: number; failed: readonly string[] } {
  const passed = results.reduce((sum, result) => sum + result.passed, 0);
  return { passed, failed: results.flatMap((result) => result.failed) };
}

/** The table of docs/compatibility.md, and below it each failure with its reason. */
export function conformanceTable(results: readonly UnitResult[], reasons: Suite['reasons']): string {
  const lines = ['| unit | passed | failed | not applicable |', '|---|---:|---:|---:|'];
  for (const { unit, passed, failed, notApplicable } of results) {
    lines.push(`| ${unit} | ${passed} | ${failed.length} | ${notApplicable} |`);
  }
  const { passed, failed } = totalOf(results);
  const notApplicable = results.reduce((sum, result) => sum + result.notApplicable, 0);
  lines.push(`| **all** | **${passed}** | **${failed.length}** | **${notApplicable}** |`);
  const apply = passed + failed.length;
  lines.push('', `${passed} of ${apply} that apply: ${((100 * passed) / apply).toFixed(1)} %.`);
  if (failed.length > 0) lines.push('', '| test that fails | unit | why |', '|---|---|---|');
  for (const { unit, failed } of results) {
    for (const name of new Set(failed)) lines.push(`| ${name} | ${unit} | ${reasons[name] ?? ''} |`);
  }
  return lines.join('\n');
}

/** With RINGSIDE_WRITE_DOCS=1 puts `text` between the marks of this name in docs/compatibility.md. */
export function writeToDocs(mark: string, text: string): void {
  if (process.env.RINGSIDE_WRITE_DOCS !== '1') return;
  const [begin, end] = [`<!-- ${mark}:begin -->`, `<!-- ${mark}:end -->`];
  const before = readFileSync(document, 'utf8');
  const from = before.indexOf(begin) + begin.length;
  writeFileSync(document, `${before.slice(0, from)}\n${text}\n${before.slice(before.indexOf(end))}`);
}
