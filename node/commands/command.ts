import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import type { Databases } from '../databases.ts';
import type { Keyspace } from '../keyspace.ts';
import type { Client } from '../server/client.ts';
import type { NodeServices } from '../services.ts';

/** What a command works on. One per node; `client` changes with each connection's turn. */
export interface CommandContext {
  /** All databases. */
  readonly databases: Databases;
  /** The database that the client selected. */
  keyspace: Keyspace;
  readonly node: NodeServices;
  /** On whose behalf. A client need not have a connection. */
  client: Client;
}

/** Executes one command and writes exactly one reply. Never waits; errors are replies. */
export type CommandHandler = (context: CommandContext, args: Args, reply: RespWriter) => void;

/** Handlers by upper-case name. */
export type CommandHandlers = Readonly<Record<string, CommandHandler>>;

export const SYNTAX_ERROR = 'ERR syntax error';
export const WRONG_TYPE = 'WRONGTYPE Operation against a key holding the wrong kind of value';
export const NOT_AN_INTEGER = 'ERR value is not an integer or out of range';

/** What a container says of a subcommand that got arguments it does not take. */
export function subcommandSyntax(args: Args): string {
  return `ERR unknown subcommand or wrong number of arguments for '${args.utf8(1)}'. Try ${args.upper(0)} HELP.`;
}
