import type { Command } from 'commander';
import { configSchema, parseConfig } from '../../lib/config/index.ts';
import { readConfigFile } from '../configuration.ts';
import { UsageError } from '../errors.ts';
import type { CommonOptions } from '../options.ts';

interface ValidateOptions extends CommonOptions {
  readonly schema?: boolean;
}

/** Adds `ringside validate` to the program. */
export function registerValidate(program: Command): void {
  program
    .command('validate')
    .description('check a configuration: "OK", or every error with its line; opens no port')
    .argument('[file]', 'configuration (YAML)')
    .option('--schema', 'print the JSON Schema of configurations instead')
    .action(run);
}

async function run(file: string | undefined, options: ValidateOptions): Promise<void> {
  if (options.schema) {
    process.stdout.write(`${JSON.stringify(configSchema, null, 2)}\n`);
    return;
  }
  const path = file ?? options.config;
  if (path === undefined) throw new UsageError('validate what? give the FILE');
  const { checkUsers: check } = await import('../../proxy/index.ts');
  const { errors } = parseConfig(readConfigFile(path), { file: path, sets: options.set, check });
  process.exitCode = errors ? 1 : 0;
  if (options.json) {
    const list = (errors ?? []).map(({ line, path: option, message }) => ({ line, path: option, message }));
    const message = `${path} has ${list.length} ${list.length === 1 ? 'error' : 'errors'}`;
    const failed = { error: { code: 'config_invalid', message, errors: list } };
    process.stdout.write(`${JSON.stringify(errors ? failed : { ok: true })}\n`);
  } else if (errors) {
    for (const { text } of errors) process.stderr.write(`${text}\n`);
  } else {
    process.stdout.write('OK\n');
  }
}
