import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

// Roughly halves the start of every process; where the folder cannot be written (the image), Node goes on without.
enableCompileCache(join(import.meta.dirname, '..', 'node_modules', '.cache', 'ringside'));

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
