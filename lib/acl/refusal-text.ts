import type { Denial } from './selector.ts';

/** Redis's text for a command that its user may not execute. */
export function refusalText({ kind }: Denial, command: string): string {
  if (kind === 'command') return `NOPERM this user has no permissions to run the '${command}' command`;
  return `NOPERM this user has no permissions to access one of the ${kind}s used as arguments`;
}

/** Redis's text for a command that was allowed when its transaction took it up, and is not any more. */
export function execRefusalText({ kind }: Denial): string {
  const reason =
    kind === 'command'
      ? 'no permission to execute the command or subcommand'
      : `no permission to ${kind === 'key' ? 'touch the specified keys' : 'access one of the channels used as arguments'}`;
  return `NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: ${reason}`;
}
