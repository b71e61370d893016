import type { CommandSpec } from './spec.ts';

/** What this folder needs to know of a command's arguments; the RESP parser's `Args` is one. */
export interface CommandArgs {
  readonly count: number;
  readonly buffer: Buffer;
  start(i: number): number;
  end(i: number): number;
  latin1(i: number): string;
  bytes(i: number): Buffer;
}

/** How much of an unknown command Redis repeats. */
const ECHOED_BYTES = 128;

/** Redis's error text for too few or too many arguments. */
export function wrongArityText(spec: CommandSpec): string {
  return `ERR wrong number of arguments for '${spec.name}' command`;
}

/** Redis's error text for a name that no command has. */
export function unknownCommandText(args: CommandArgs): string {
  let echoed = '';
  for (let i = 1; i < args.count && echoed.length < ECHOED_BYTES; i++) {
    echoed += `'${echo(args, i, ECHOED_BYTES - echoed.length)}' `;
  }
  return `ERR unknown command '${echo(args, 0, ECHOED_BYTES)}', with args beginning with: ${echoed}`;
}

/** Redis's error text for a word that no subcommand has. */
export function unknownSubcommandText(container: CommandSpec, args: CommandArgs): string {
  return `ERR unknown subcommand '${echo(args, 1, ECHOED_BYTES)}'. Try ${container.word} HELP.`;
}

function echo(args: CommandArgs, i: number, maxBytes: number): string {
  const start = args.start(i);
  return args.buffer.utf8Slice(start, Math.min(args.end(i), start + maxBytes));
}
