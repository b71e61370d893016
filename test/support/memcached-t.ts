import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/** What memcached 1.6.18 itself passes of its own tests over the network, by file, and the files that mean nothing here, with the reason. */
export const memcachedBaseline: {
  readonly passes: Readonly<Record<string, number>>;
  readonly notApplicable: Readonly<Record<string, string>>;
} = JSON.parse(readFileSync(join(root, 'test/conformance/memcached-t-1.6.18.json'), 'utf8'));

/** How a file went. */
export interface FileResult {
  readonly file: string;
  readonly passed: number;
  /** What memcached passes and this did not. */
  readonly failed: number;
}

/** The script that runs the tests, or null. */
export function memcachedScript(): string | null {
  const script = join(process.env.RINGSIDE_SHARED ?? join(root, '../shared'), 'conformance/memcached-t.sh');
  return existsSync(script) ? script : null;
}

/** Runs files against a proxy in front of these nodes, which the script starts afresh for each; resolves with how each went. */
export async function runFiles(
  script: string,
  files: readonly string[],
  nodes: readonly string[],
): Promise<FileResult[]> {
  const logs = mkdtempSync(join(tmpdir(), 'ringside-memcached-t-'));
  const server = join(import.meta.dirname, 'memcached-server.ts');
  const child = spawn(script, files, {
    env: {
      ...process.env,
      NODE_OPTIONS: '',
      START: `${process.execPath} ${server} --port {port} ${nodes.join(' ')}`,
      LOG_DIR: logs,
      // One of them sends 32,000 commands, each after the answer to the one before.
      FILE_S: '600',
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`${script} ended with ${code}; its logs are in ${logs}`);
  return files.map((file) => {
    const output = readFileSync(join(logs, `${file.replaceAll('/', '_')}.out`), 'utf8');
    const passed = (output.match(/^ok /gm) ?? []).length;
    return { file, passed, failed: Math.max(0, memcachedBaseline.passes[file] - passed) };
  });
}

/** The table of docs/compatibility.md. */
export function memcachedTable(results: readonly FileResult[]): string {
  const lines = ['| file | memcached 1.6.18 | through the proxy |', '|---|---:|---:|'];
  for (const { file, passed } of results)
    lines.push(`| ${file} | ${memcachedBaseline.passes[file]} | ${passed} |`);
  const sum = (of: (result: FileResult) => number) => results.reduce((total, one) => total + of(one), 0);
  const expected = sum(({ file }) => memcachedBaseline.passes[file]);
  lines.push(`| **all** | **${expected}** | **${sum(({ passed }) => passed)}** |`);
  lines.push('', '| not applicable | why |', '|---|---|');
  for (const [file, why] of Object.entries(memcachedBaseline.notApplicable))
    lines.push(`| ${file} | ${why} |`);
  return lines.join('\n');
}
