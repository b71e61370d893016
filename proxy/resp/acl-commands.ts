import {
  DEFAULT_ACL_LOG_ENTRIES,
  userLines,
  writeAclLog,
  writeCategories,
  writeDryRun,
  writePassword,
  writeTexts,
  writeUser,
} from '../../lib/acl/index.ts';
import type { RequestParser, RespWriter } from '../../lib/codec/resp/index.ts';
import { arityFits, lookupCommand, lookupSubcommand, wrongArityText } from '../../lib/commands/index.ts';
import type { ChangeResult, FileErrand } from '../access/index.ts';
import { askThreads, NOT_AN_INTEGER, OK, subcommandSyntax } from './ask.ts';
import type { RespConnection } from './connection.ts';
import type { Handler } from './context.ts';

/** Answers with what `write` writes. */
function written(
  write: (connection: RespConnection, args: RequestParser, writer: RespWriter) => void,
): Handler {
  return (connection, args) => {
    write(connection, args, connection.writer);
    connection.replyWritten();
  };
}

function textsFrom(args: RequestParser, first: number): string[] {
  const texts: string[] = [];
  for (let i = first; i < args.count; i++) texts.push(args.latin1(i));
  return texts;
}

/** All threads say the same. */
function replyChange(
  connection: RespConnection,
  [result]: readonly ChangeResult[],
  isCounted: boolean,
): void {
  if ('error' in result) connection.replyError(`ERR ${result.error}`);
  else if (!isCounted) connection.reply(OK);
  else {
    connection.writer.integer(result.count);
    connection.replyWritten();
  }
}

const setUser: Handler = (connection, args) => {
  const change = { kind: 'set', name: args.latin1(2), rules: textsFrom(args, 3) } as const;
  askThreads(connection, 'users', change, (results) => replyChange(connection, results, false));
};

const deleteUsers: Handler = (connection, args) => {
  const names = textsFrom(args, 2);
  if (names.includes('default')) return connection.replyError("ERR The 'default' user cannot be removed");
  askThreads(connection, 'users', { kind: 'delete', names }, (results) =>
    replyChange(connection, results, true),
  );
};

function errand(what: FileErrand): Handler {
  return (connection) => {
    askThreads(connection, 'aclFile', what, ([error]) => {
      if (error === null) connection.reply(OK);
      else connection.replyError(error);
    });
  };
}

const cat: Handler = (connection, args) => {
  if (args.count > 3) return connection.replyError(subcommandSyntax(args));
  writeCategories(
    args.count === 2 ? null : args.latin1(2),
    connection.context.access.catalogue,
    connection.writer,
  );
  connection.replyWritten();
};

const generatePassword: Handler = (connection, args) => {
  if (args.count > 3) return connection.replyError(subcommandSyntax(args));
  const { random } = connection.context.router.env;
  const bits = args.count === 3 ? args.integer(2) : undefined;
  writePassword(bits, (bytes) => random.hex(bytes), connection.writer);
  connection.replyWritten();
};

/** Refusals of all threads, the newest first. */
const log: Handler = (connection, args) => {
  if (args.count > 3) return connection.replyError(subcommandSyntax(args));
  const reset = args.count === 3 && args.equalsIgnoreCase(2, 'RESET');
  const count = args.count === 3 && !reset ? args.integer(2) : DEFAULT_ACL_LOG_ENTRIES;
  if (count === null) return connection.replyError(NOT_AN_INTEGER);
  askThreads(connection, 'aclLog', { reset }, (logs) => {
    if (reset) return connection.reply(OK);
    const entries = logs.flat().sort((a, b) => b.atMs - a.atMs);
    const nowMs = connection.context.router.env.clock.wallMs();
    writeAclLog(entries.slice(0, Math.max(0, count)), nowMs, connection.writer);
    connection.replyWritten();
  });
};

const dryRun: Handler = (connection, args) => {
  const { access } = connection.context;
  const user = access.users.get(args.latin1(2));
  if (!user) return connection.replyError(`ERR User '${args.utf8(2)}' not found`);
  let spec = lookupCommand(args.buffer, args.start(3), args.end(3));
  if (spec && spec.subcommands.length > 0) {
    spec = args.count > 4 ? lookupSubcommand(spec, args.buffer, args.start(4), args.end(4)) : undefined;
  }
  const command = spec && access.catalogue.find(spec.name);
  if (!spec || !command) return connection.replyError(`ERR Command '${args.utf8(3)}' not found`);
  if (!arityFits(spec, args.count - 3)) return connection.replyError(wrongArityText(spec));
  writeDryRun(user, command, args, connection.writer);
  connection.replyWritten();
};

/** ACL and its subcommands: users and rules of the proxy's clients, in all of its threads. */
export const aclHandlers: Readonly<Record<string, Handler>> = {
  'ACL|SETUSER': setUser,
  'ACL|DELUSER': deleteUsers,
  'ACL|GETUSER': written(({ context }, args, writer) =>
    writeUser(context.access.users.get(args.latin1(2)), writer),
  ),
  'ACL|LIST': written(({ context }, _args, writer) => writeTexts(userLines(context.access.users), writer)),
  'ACL|USERS': written(({ context }, _args, writer) =>
    writeTexts(
      context.access.users.all().map(({ name }) => name),
      writer,
    ),
  ),
  'ACL|WHOAMI': written(({ user }, _args, writer) => writer.bulkLatin1(user.name)),
  'ACL|CAT': cat,
  'ACL|GENPASS': generatePassword,
  'ACL|LOG': log,
  'ACL|DRYRUN': dryRun,
  'ACL|LOAD': errand('load'),
  'ACL|SAVE': errand('save'),
};
