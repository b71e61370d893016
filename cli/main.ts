import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

// Halves the start of every process: compiled code, types already stripped, is kept from run to run. In the environment, so that
// child processes have it from their first module on. Where the folder cannot be written, Node goes on without.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, '..', 'node_modules', '.cache', 'ringside');
enableCompileCache();
// As in bin/ringside, for the processes that `dev` starts: glibc reads it before Node runs.
process.env.MALLOC_MMAP_THRESHOLD_ ??= '262144';

try {
  const { runCli } = await import('./program.ts');
  await runCli(process.argv.slice(2));
} catch (error) {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code !== 'ERR_MODULE_NOT_FOUND') throw error;
  const root = join(import.meta.dirname, '..');
  const why = message.startsWith("Cannot find package '")
    ? `the dependencies are not installed: run \`npm ci\` in ${root}`
    : message;
  process.stderr.write(`ringside: ${why}.\n`);
  process.exitCode = 1;
}
