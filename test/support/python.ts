import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** Where `.ci/run` puts a Python with client libraries. */
const OWN = '/var/tmp/ringside/python/bin/python3';

/** A Python that can import `library` (RINGSIDE_PYTHON, that of `.ci/run`, or the PATH's), or null. */
export function pythonWith(library: string): string | null {
  const candidates = [process.env.RINGSIDE_PYTHON, existsSync(OWN) ? OWN : undefined, 'python3'];
  const found = candidates.find(
    (python) =>
      python !== undefined &&
      spawnSync(python, ['-c', `import ${library}`], { stdio: 'ignore' }).status === 0,
  );
  return found ?? null;
}

/** Runs a script to its end; resolves with what it printed. Rejects with its complaint when it fails. */
export function runPython(python: string, args: readonly string[]): Promise<string> {
  const child = spawn(python, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stdout.on('data', (data) => (out += data));
  child.stderr.on('data', (data) => (err += data));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve(out) : reject(new Error(`${out}${err}`))));
  });
}
