import type { WideReplySink } from '../base/index.ts';
import type { AclLogEntry } from './acl-log.ts';
import type { AclArgs, AclCommand, Catalogue } from './catalogue.ts';
import { commandsOf } from './command-set.ts';
import type { Selector } from './selector.ts';
import type { User } from './user.ts';
import type { Users } from './users.ts';

/** Entries that ACL LOG answers without a count. */
export const DEFAULT_ACL_LOG_ENTRIES = 10;

const DEFAULT_PASSWORD_BITS = 256;
const MAX_PASSWORD_BITS = 4096;

/** Redis's text for ACL LOAD and SAVE where no file is configured. */
export const NO_ACL_FILE =
  'ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration.';

/** A text of one character a byte as an error shows it. */
export function shownText(text: string): string {
  return Buffer.from(text, 'latin1').toString();
}

/** Answers ACL GETUSER. */
export function writeUser(user: User | undefined, sink: WideReplySink): void {
  if (!user) {
    sink.nullBulk();
    return;
  }
  const flags = user.flags();
  const [own, ...further] = user.selectors;
  sink.mapHeader(6);
  sink.bulkLatin1('flags');
  sink.setHeader(flags.length);
  for (const flag of flags) sink.bulkLatin1(flag);
  sink.bulkLatin1('passwords');
  writeTexts(user.passwords, sink);
  writeSelector(own, sink);
  sink.bulkLatin1('selectors');
  sink.arrayHeader(further.length);
  for (const selector of further) {
    sink.mapHeader(3);
    writeSelector(selector, sink);
  }
}

function writeSelector(selector: Selector, sink: WideReplySink): void {
  sink.bulkLatin1('commands');
  sink.bulkLatin1(selector.commands.describe());
  sink.bulkLatin1('keys');
  sink.bulkLatin1(selector.describeKeys());
  sink.bulkLatin1('channels');
  sink.bulkLatin1(selector.describeChannels());
}

/** Answers with texts of one character a byte. */
export function writeTexts(texts: readonly string[], sink: WideReplySink): void {
  sink.arrayHeader(texts.length);
  for (const text of texts) sink.bulkLatin1(text);
}

/** Every user as ACL LIST and an ACL file show it. */
export function userLines(users: Users): string[] {
  return users.all().map((user) => `user ${user.name} ${user.describe()}`);
}

/** Answers ACL CAT, of one category or of them all. */
export function writeCategories(category: string | null, catalogue: Catalogue, sink: WideReplySink): void {
  const names =
    category === null ? catalogue.categories : commandsOf(category, catalogue)?.map(({ name }) => name);
  if (names) writeTexts(names, sink);
  else sink.error(`ERR Unknown category '${shownText(category!).slice(0, 128)}'`);
}

/** Answers ACL GENPASS: `bits` is argument 2, undefined without one and null when it is no number; `hex` makes random bytes. */
export function writePassword(
  bits: number | null | undefined,
  hex: (bytes: number) => string,
  sink: WideReplySink,
): void {
  if (bits === null) {
    sink.error('ERR value is not an integer or out of range');
    return;
  }
  const wanted = bits ?? DEFAULT_PASSWORD_BITS;
  if (wanted <= 0 || wanted > MAX_PASSWORD_BITS) {
    sink.error(
      `ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to ${MAX_PASSWORD_BITS}`,
    );
    return;
  }
  const digits = Math.ceil(wanted / 4);
  sink.bulkLatin1(hex(Math.ceil(digits / 2)).slice(0, digits));
}

/** Answers ACL LOG with these entries; `nowMs` is unix time. */
export function writeAclLog(entries: readonly AclLogEntry[], nowMs: number, sink: WideReplySink): void {
  sink.arrayHeader(entries.length);
  for (const entry of entries) {
    sink.mapHeader(7);
    sink.bulkLatin1('count');
    sink.integer(entry.count);
    for (const field of ['reason', 'context', 'object'] as const) {
      sink.bulkLatin1(field);
      sink.bulkLatin1(entry[field]);
    }
    sink.bulkLatin1('username');
    sink.bulkLatin1(entry.user);
    sink.bulkLatin1('age-seconds');
    sink.double((nowMs - entry.atMs) / 1000);
    sink.bulkLatin1('client-info');
    sink.bulkLatin1(entry.clientInfo);
  }
}

/** Answers ACL DRYRUN of a command that there is, with fitting arity, whose name is argument 3. */
export function writeDryRun(user: User, command: AclCommand, args: AclArgs, sink: WideReplySink): void {
  const denial = user.denies(command, args, 3);
  if (denial === null) {
    sink.ok();
    return;
  }
  const why =
    denial.kind === 'command'
      ? `run the '${command.name}' command`
      : `access the '${args.latin1(denial.argument)}' ${denial.kind}`;
  sink.bulkLatin1(`This user has no permissions to ${why}`);
}
