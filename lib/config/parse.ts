import { RingsideError } from '../base/index.ts';
import { deepFreeze, tidySettings, withDefaults } from './defaults.ts';
import { checkRules, type Report, type Role } from './rules.ts';
import { type Config, configSchema, type Option, type OriginConfig } from './schema.ts';
import { originGroup } from './schema-origin.ts';
import { type ConfigError, ConfigSource } from './source.ts';
import { checkSchema } from './validate.ts';

export interface ParseOptions {
  /** What the file is called in errors. */
  file?: string;
  /** `path=value` flags, the value in YAML; later ones win, and all win over the file. */
  sets?: readonly string[];
  /** The role that is to run: what it cannot start without is then an error. Left out: only what is there is judged. */
  role?: Role;
  /** Reports what only others can judge, of a configuration that is right in every other way. */
  check?: (config: Config, report: Report) => void;
}

/** A frozen configuration, or everything that is wrong with it (at least one error). */
export type ParseResult =
  | { readonly config: Config; readonly errors?: undefined }
  | { readonly config?: undefined; readonly errors: readonly ConfigError[] };

/**
 * Reads a configuration: YAML and `--set` flags, checked against the schema and across options, filled with defaults,
 * frozen. Unknown keys are errors. Never throws.
 */
export function parseConfig(yamlText: string, options: ParseOptions = {}): ParseResult {
  const { file = 'configuration', sets = [], role, check } = options;
  const source = new ConfigSource(yamlText, file, sets);
  const option = configSchema as Option;
  const settings = tidySettings(source.settings, option, source);
  if (source.isReadable) checkSchema(settings, source);
  if (source.errors.length === 0) {
    const config = complete(settings, option);
    const report: Report = (path, message) => source.report(path, message);
    checkRules(config, role, report);
    if (source.errors.length === 0) check?.(config, report);
    if (source.errors.length === 0) return { config };
  }
  return { errors: source.errors.toSorted(byPlace) };
}

/** As `parseConfig`, of settings in memory. Throws RingsideError `config_invalid` with every error in its message. */
export function configFrom(settings: object, options: ParseOptions = {}): Config {
  const { config, errors } = parseConfig(JSON.stringify(settings), options);
  if (errors) throw new RingsideError('config_invalid', errors.map(({ message }) => message).join('; '));
  return config;
}

function complete(settings: unknown, option: Option): Config {
  const config = withDefaults(settings, option) as Config;
  const { ack, ackTimeoutMs } = config.node;
  const namespaces = config.namespaces.map((namespace) => ({
    ...namespace,
    ack: namespace.ack ?? ack,
    ackTimeoutMs: namespace.ackTimeoutMs ?? ackTimeoutMs,
    origin: originOf(namespace.origin),
  }));
  return deepFreeze({ ...config, namespaces });
}

/** A URL alone stands for a group with this `url`. */
function originOf(given: unknown): OriginConfig | null {
  if (typeof given !== 'string') return given as OriginConfig | null;
  return withDefaults({ url: given }, originGroup as Option) as OriginConfig;
}

/** Down the file, then what has no line; on one line by name. */
function byPlace(a: ConfigError, b: ConfigError): number {
  if (a.line !== b.line) return (a.line ?? Number.MAX_SAFE_INTEGER) - (b.line ?? Number.MAX_SAFE_INTEGER);
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}
