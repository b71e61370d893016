import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { registerBench } from './commands/bench.ts';
import { registerCerts } from './commands/certs.ts';
import { registerControlPlane } from './commands/control-plane.ts';
import { registerCtl } from './commands/ctl.ts';
import { registerDev } from './commands/dev.ts';
import { registerNode } from './commands/node.ts';
import { registerProxy } from './commands/proxy.ts';
import { registerValidate } from './commands/validate.ts';
import { failureOf, sentenceOf, UsageError } from './errors.ts';
import { addCommonOptions } from './options.ts';

const register = [
  registerDev,
  registerProxy,
  registerNode,
  registerControlPlane,
  registerCtl,
  registerBench,
  registerValidate,
  registerCerts,
];

/**
 * Runs one command line. Everything that goes wrong ends here: one sentence on stderr, with `--json` an object on stdout,
 * and the exit code in `process.exitCode` (0 done, 1 the thing asked for failed, 2 wrong usage).
 */
export async function runCli(args: readonly string[]): Promise<void> {
  const flags = args.includes('--') ? args.slice(0, args.indexOf('--')) : args;
  const report = (error: unknown) => reportFailure(error, flags);
  process.on('uncaughtException', (error) => {
    report(error);
    process.exit();
  });
  process.stdout.on('error', exitOnBrokenPipe);
  try {
    await createProgram().parseAsync([...args], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return;
    report(error instanceof CommanderError ? usageOf(error) : error);
    // A role that failed half-way may have left something open that would keep the process.
    process.exit();
  }
}

function createProgram(): Command {
  const program = new Command('ringside')
    .description(
      'A caching sidecar: Redis, memcached, HTTP and gRPC on localhost, sharded and replicated behind it.',
    )
    .version(version(), '--version', 'print the version')
    .configureHelp({ helpWidth: Math.min(process.stdout.columns || 80, 120), minWidthToWrap: 30 })
    .configureOutput({ writeErr: () => {}, outputError: () => {} })
    .showSuggestionAfterError()
    .exitOverride();
  for (const add of register) add(program);
  for (const command of leavesOf(program)) addCommonOptions(command);
  return program;
}

function leavesOf(command: Command): Command[] {
  return command.commands.flatMap((child) => (child.commands.length > 0 ? leavesOf(child) : [child]));
}

function version(): string {
  const file = new URL('../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

function usageOf(error: CommanderError): UsageError {
  // Without any command, commander would show the whole help.
  if (error.code === 'commander.help') return new UsageError('which command? --help lists them');
  const oneSentence = error.message
    .replace(/^error: /, '')
    .replace(/\n\((.*)\)$/s, ' ($1)')
    .replace(/\. ([A-Z])/g, (_, letter: string) => `: ${letter.toLowerCase()}`);
  return new UsageError(oneSentence);
}

function reportFailure(error: unknown, flags: readonly string[]): void {
  const failure = failureOf(error);
  const { code, message, exitCode } = failure;
  process.exitCode = exitCode;
  if (flags.includes('--json')) process.stdout.write(`${JSON.stringify({ error: { code, message } })}\n`);
  else process.stderr.write(sentenceOf(failure));
  if (code === 'internal' && flags.some((flag) => /^(--log-level=)?(debug|trace)$/.test(flag))) {
    process.stderr.write(`${(error as Error)?.stack ?? error}\n`);
  }
}

/** `ringside … | head` is no error. */
function exitOnBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit();
  throw error;
}
