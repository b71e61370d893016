import { type Command, InvalidArgumentError, Option } from 'commander';

/** What every command takes. */
export interface CommonOptions {
  readonly config?: string;
  readonly set: readonly string[];
  readonly logLevel?: string;
  readonly json?: boolean;
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'];

/** Adds the options that every command takes, where the command does not define one of them itself. */
export function addCommonOptions(command: Command): void {
  const common = [
    new Option('--config <file>', 'configuration (YAML); `ringside validate` checks it'),
    new Option('--set <path=value>', 'one setting over the file, the value in YAML; repeatable')
      .argParser(collect)
      .default([], 'none'),
    new Option('--log-level <level>', 'least important log lines that are written').choices(LOG_LEVELS),
    new Option('--json', 'results and errors as JSON on stdout'),
  ];
  for (const option of common) {
    if (!command.options.some(({ long }) => long === option.long)) {
      command.addOption(option.helpGroup('Options of every command:'));
    }
  }
}

/** Parser of an option that may be given several times. */
export function collect(value: string, former: readonly string[]): string[] {
  return [...former, value];
}

/** Parser of a whole number between two bounds. */
export function wholeNumber(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= minimum && value <= maximum) return value;
    throw new InvalidArgumentError(`It is a whole number from ${minimum} to ${maximum}.`);
  };
}

/** Parser of a number between two bounds. */
export function numberWithin(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && value >= minimum && value <= maximum) return value;
    throw new InvalidArgumentError(`It is a number from ${minimum} to ${maximum}.`);
  };
}
