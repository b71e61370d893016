import {
  DEFAULT_ACL_LOG_ENTRIES,
  NO_ACL_FILE,
  shownText,
  userLines,
  writeAclLog,
  writeCategories,
  writeDryRun,
  writePassword,
  writeTexts,
  writeUser,
} from '../../../lib/acl/index.ts';
import type { Args, RespWriter } from '../../../lib/codec/resp/index.ts';
import { arityFits, lookupCommand, lookupSubcommand, wrongArityText } from '../../../lib/commands/index.ts';
import { type CommandContext, type CommandHandlers, NOT_AN_INTEGER, subcommandSyntax } from '../command.ts';
import { help } from './help.ts';

function setUser({ node: { access, settings } }: CommandContext, args: Args, reply: RespWriter) {
  const rules: string[] = [];
  for (let i = 3; i < args.count; i++) rules.push(args.latin1(i));
  const user = access.users.prepare(args.latin1(2), rules, settings.newUsersHaveAllChannels);
  if (typeof user === 'string') return reply.error(`ERR ${shownText(user)}`);
  access.put(user);
  reply.ok();
}

function deleteUsers({ node: { access } }: CommandContext, args: Args, reply: RespWriter) {
  const names: string[] = [];
  for (let i = 2; i < args.count; i++) names.push(args.latin1(i));
  if (names.includes('default')) return reply.error("ERR The 'default' user cannot be removed");
  reply.integer(names.filter((name) => access.delete(name)).length);
}

function whoAmI({ client }: CommandContext, _args: Args, reply: RespWriter) {
  if (client.user === null) reply.nullBulk();
  else reply.bulkLatin1(client.user.name);
}

function cat({ node: { access } }: CommandContext, args: Args, reply: RespWriter) {
  if (args.count > 3) return reply.error(subcommandSyntax(args));
  writeCategories(args.count === 2 ? null : args.latin1(2), access.catalogue, reply);
}

function generatePassword({ node: { random } }: CommandContext, args: Args, reply: RespWriter) {
  if (args.count > 3) return reply.error(subcommandSyntax(args));
  writePassword(args.count === 3 ? args.integer(2) : undefined, (bytes) => random.hex(bytes), reply);
}

function log({ node: { access, clock } }: CommandContext, args: Args, reply: RespWriter) {
  if (args.count > 3) return reply.error(subcommandSyntax(args));
  if (args.count === 3 && args.equalsIgnoreCase(2, 'RESET')) {
    access.log.reset();
    return reply.ok();
  }
  const count = args.count === 3 ? args.integer(2) : DEFAULT_ACL_LOG_ENTRIES;
  if (count === null) return reply.error(NOT_AN_INTEGER);
  writeAclLog(access.log.newest(count), clock.wallMs(), reply);
}

function dryRun({ node: { access } }: CommandContext, args: Args, reply: RespWriter) {
  const user = access.users.get(args.latin1(2));
  if (!user) return reply.error(`ERR User '${args.utf8(2)}' not found`);
  let spec = lookupCommand(args.buffer, args.start(3), args.end(3));
  if (spec && spec.subcommands.length > 0) {
    spec = args.count > 4 ? lookupSubcommand(spec, args.buffer, args.start(4), args.end(4)) : undefined;
  }
  const command = spec && access.catalogue.find(spec.name);
  if (!spec || !command) return reply.error(`ERR Command '${args.utf8(3)}' not found`);
  if (!arityFits(spec, args.count - 3)) return reply.error(wrongArityText(spec));
  writeDryRun(user, command, args, reply);
}

/** ACL and its subcommands. */
export const aclCommands: CommandHandlers = {
  'ACL|SETUSER': setUser,
  'ACL|DELUSER': deleteUsers,
  'ACL|GETUSER': ({ node: { access } }, args, reply) => writeUser(access.users.get(args.latin1(2)), reply),
  'ACL|LIST': ({ node: { access } }, _args, reply) => writeTexts(userLines(access.users), reply),
  'ACL|USERS': ({ node: { access } }, _args, reply) =>
    writeTexts(
      access.users.all().map(({ name }) => name),
      reply,
    ),
  'ACL|WHOAMI': whoAmI,
  'ACL|CAT': cat,
  'ACL|GENPASS': generatePassword,
  'ACL|LOG': log,
  'ACL|DRYRUN': dryRun,
  'ACL|LOAD': (_context, _args, reply) => reply.error(NO_ACL_FILE),
  'ACL|SAVE': (_context, _args, reply) => reply.error(NO_ACL_FILE),
  'ACL|HELP': help,
};
