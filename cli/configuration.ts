import { readFileSync } from 'node:fs';
import { RingsideError } from '../lib/base/index.ts';
import { type Config, type ConfigError, parseConfig, type Role } from '../lib/config/index.ts';
import { UsageError } from './errors.ts';
import type { CommonOptions } from './options.ts';

/** A setting that a flag of the command stands for. */
export interface FlagSetting {
  /** The flag as typed, e.g. `--resp-port`; errors name it. */
  readonly flag: string;
  /** Configuration path, e.g. `proxy.respPort`. */
  readonly path: string;
  readonly value: unknown;
}

/** `path=value` as `--set` takes it. JSON is YAML. */
export function settingText(path: string, value: unknown): string {
  return `${path}=${JSON.stringify(value)}`;
}

/**
 * The configuration of a command: the file, `--set`, and on top of them what its own flags stand for.
 *
 * Throws UsageError when a flag is wrong, RingsideError `config_invalid` when the file is.
 */
export function loadConfig(
  options: CommonOptions,
  { role, flags = [] }: { role?: Role; flags?: readonly FlagSetting[] } = {},
): Config {
  const all = options.logLevel === undefined ? flags : [...flags, logLevelFlag(options.logLevel)];
  const sets = [...options.set, ...all.map(({ path, value }) => settingText(path, value))];
  const { config, errors } = parseConfig(readConfigFile(options.config), {
    file: options.config,
    sets,
    role,
  });
  if (errors) throw configFailure(errors, all);
  return config;
}

function logLevelFlag(value: string): FlagSetting {
  return { flag: '--log-level', path: 'logLevel', value };
}

/** The text of a configuration file, empty without one. */
export function readConfigFile(file: string | undefined): string {
  return file === undefined ? '' : readFileSync(file, 'utf8');
}

function configFailure(errors: readonly ConfigError[], flags: readonly FlagSetting[]): Error {
  const [first] = errors;
  const flag = flags.find(({ path }) => first.text.startsWith(`--set ${path}: `));
  const text = flag ? `${flag.flag}: ${first.message}` : first.text.replace(/^configuration: /, '');
  const more = errors.length - 1;
  const rest = more === 0 ? '' : ` (and ${more} more: \`ringside validate\` shows all of a file)`;
  return first.line === null
    ? new UsageError(text + rest, 'config_invalid')
    : new RingsideError('config_invalid', text + rest);
}
