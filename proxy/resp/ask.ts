import { isForMain, type QuestionName, type Questions } from '../workers/questions.ts';
import type { RespConnection } from './connection.ts';

export const OK = Buffer.from('+OK\r\n');
export const NOT_AN_INTEGER = 'ERR value is not an integer or out of range';
export const SYNTAX_ERROR = 'ERR syntax error';
const NOT_IN_TRANSACTION = 'ERR Command not allowed inside a transaction';

/** As `RespConnection.askThreads`. EXEC cannot wait: where others must be asked, it is refused there. */
export function askThreads<Q extends QuestionName>(
  connection: RespConnection,
  name: Q,
  asked: Questions[Q]['asked'],
  reply: (answers: readonly Questions[Q]['answer'][]) => void,
): void {
  const { group } = connection.context;
  if (connection.isComposing) {
    if (group.isImmediate && !isForMain(name)) group.ask(name, asked, reply);
    else connection.replyError(NOT_IN_TRANSACTION);
    return;
  }
  connection.askThreads(group, name, asked, reply);
}

/** What a container says of a subcommand that got arguments it does not take. */
export function subcommandSyntax(args: { utf8(i: number): string; upper(i: number): string }): string {
  return `ERR unknown subcommand or wrong number of arguments for '${args.utf8(1)}'. Try ${args.upper(0)} HELP.`;
}
