import { type AclLogEntry, commandsOf, type Selector, type User } from '../../../lib/acl/index.ts';
import type { Args, RespWriter } from '../../../lib/codec/resp/index.ts';
import { arityFits, lookupCommand, lookupSubcommand } from '../../../lib/commands/index.ts';
import { type CommandContext, type CommandHandlers, NOT_AN_INTEGER, subcommandSyntax } from '../command.ts';
import { help } from './help.ts';

const DEFAULT_LOG_ENTRIES = 10;
const DEFAULT_PASSWORD_BITS = 256;
const MAX_PASSWORD_BITS = 4096;
const BAD_PASSWORD_BITS = `ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to ${MAX_PASSWORD_BITS}`;
const NO_FILE =
  'ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration.';

/** A text of one character a byte as an error shows it. */
function shown(text: string): string {
  return Buffer.from(text, 'latin1').toString();
}

function setUser({ node: { access, settings } }: CommandContext, args: Args, reply: RespWriter) {
  const rules: string[] = [];
  for (let i = 3; i < args.count; i++) rules.push(args.latin1(i));
  const user = access.users.prepare(args.latin1(2), rules, settings.newUsersHaveAllChannels);
  if (typeof user === 'string') return reply.error(`ERR ${shown(user)}`);
  access.put(user);
  reply.ok();
}

function deleteUsers({ node: { access } }: CommandContext, args: Args, reply: RespWriter) {
  const names: string[] = [];
  for (let i = 2; i < args.count; i++) names.push(args.latin1(i));
  if (names.includes('default')) return reply.error("ERR The 'default' user cannot be removed");
  reply.integer(names.filter((name) => access.delete(name)).length);
}

function getUser({ node: { access } }: CommandContext, args: Args, reply: RespWriter) {
  const user = access.users.get(args.latin1(2));
  if (!user) return reply.nullBulk();
  const flags = user.flags();
  const [own, ...further] = user.selectors;
  reply.mapHeader(6);
  reply.bulkLatin1('flags');
  reply.setHeader(flags.length);
  for (const flag of flags) reply.bulkLatin1(flag);
  reply.bulkLatin1('passwords');
  reply.arrayHeader(user.passwords.length);
  for (const hash of user.passwords) reply.bulkLatin1(hash);
  writeSelector(own, reply);
  reply.bulkLatin1('selectors');
  reply.arrayHeader(further.length);
  for (const selector of further) {
    reply.mapHeader(3);
    writeSelector(selector, reply);
  }
}

function writeSelector(selector: Selector, reply: RespWriter) {
  reply.bulkLatin1('commands');
  reply.bulkLatin1(selector.commands.describe());
  reply.bulkLatin1('keys');
  reply.bulkLatin1(selector.describeKeys());
  reply.bulkLatin1('channels');
  reply.bulkLatin1(selector.describeChannels());
}

function writeAll(users: readonly User[], reply: RespWriter, describe: (user: User) => string) {
  reply.arrayHeader(users.length);
  for (const user of users) reply.bulkLatin1(describe(user));
}

function whoAmI({ client }: CommandContext, _args: Args, reply: RespWriter) {
  if (client.user === null) reply.nullBulk();
  else reply.bulkLatin1(client.user.name);
}

function cat({ node: { access } }: CommandContext, args: Args, reply: RespWriter) {
  if (args.count > 3) return reply.error(subcommandSyntax(args));
  const names =
    args.count === 2
      ? access.catalogue.categories
      : commandsOf(args.latin1(2), access.catalogue)?.map(({ name }) => name);
  if (!names) return reply.error(`ERR Unknown category '${args.utf8(2).slice(0, 128)}'`);
  reply.arrayHeader(names.length);
  for (const name of names) reply.bulkLatin1(name);
}

function generatePassword({ node: { random } }: CommandContext, args: Args, reply: RespWriter) {
  if (args.count > 3) return reply.error(subcommandSyntax(args));
  const bits = args.count === 3 ? args.integer(2) : DEFAULT_PASSWORD_BITS;
  if (bits === null) return reply.error(NOT_AN_INTEGER);
  if (bits <= 0 || bits > MAX_PASSWORD_BITS) return reply.error(BAD_PASSWORD_BITS);
  const digits = Math.ceil(bits / 4);
  reply.bulkLatin1(random.hex(Math.ceil(digits / 2)).slice(0, digits));
}

function log({ node: { access, clock } }: CommandContext, args: Args, reply: RespWriter) {
  if (args.count > 3) return reply.error(subcommandSyntax(args));
  if (args.count === 3 && args.equalsIgnoreCase(2, 'RESET')) {
    access.log.reset();
    return reply.ok();
  }
  const count = args.count === 3 ? args.integer(2) : DEFAULT_LOG_ENTRIES;
  if (count === null) return reply.error(NOT_AN_INTEGER);
  const entries = access.log.newest(count);
  reply.arrayHeader(entries.length);
  for (const entry of entries) writeLogEntry(entry, clock.wallMs(), reply);
}

function writeLogEntry(entry: AclLogEntry, nowMs: number, reply: RespWriter) {
  reply.mapHeader(7);
  reply.bulkLatin1('count');
  reply.integer(entry.count);
  for (const field of ['reason', 'context', 'object'] as const) {
    reply.bulkLatin1(field);
    reply.bulkLatin1(entry[field]);
  }
  reply.bulkLatin1('username');
  reply.bulkLatin1(entry.user);
  reply.bulkLatin1('age-seconds');
  reply.double((nowMs - entry.atMs) / 1000);
  reply.bulkLatin1('client-info');
  reply.bulkLatin1(entry.clientInfo);
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
  if (!arityFits(spec, args.count - 3)) {
    return reply.error(`ERR wrong number of arguments for '${spec.name}' command`);
  }
  const denial = user.denies(command, args, 3);
  if (denial === null) return reply.ok();
  const why =
    denial.kind === 'command'
      ? `run the '${spec.name}' command`
      : `access the '${args.latin1(denial.argument)}' ${denial.kind}`;
  reply.bulkLatin1(`This user has no permissions to ${why}`);
}

/** ACL and its subcommands. */
export const aclCommands: CommandHandlers = {
  'ACL|SETUSER': setUser,
  'ACL|DELUSER': deleteUsers,
  'ACL|GETUSER': getUser,
  'ACL|LIST': ({ node: { access } }, _args, reply) =>
    writeAll(access.users.all(), reply, (user) => `user ${user.name} ${user.describe()}`),
  'ACL|USERS': ({ node: { access } }, _args, reply) =>
    writeAll(access.users.all(), reply, ({ name }) => name),
  'ACL|WHOAMI': whoAmI,
  'ACL|CAT': cat,
  'ACL|GENPASS': generatePassword,
  'ACL|LOG': log,
  'ACL|DRYRUN': dryRun,
  'ACL|LOAD': (_context, _args, reply) => reply.error(NO_FILE),
  'ACL|SAVE': (_context, _args, reply) => reply.error(NO_FILE),
  'ACL|HELP': help,
};
