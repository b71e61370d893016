export { readAclFile, writeAclFile } from './acl-file.ts';
export { AclLog, type AclLogEntry, type Refusal } from './acl-log.ts';
export {
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
} from './acl-reply.ts';
export type { AclArgs, AclCommand, AclKey, Catalogue } from './catalogue.ts';
export { CommandSet, commandsOf } from './command-set.ts';
export { execRefusalText, refusalText } from './refusal-text.ts';
export type { Denial, DeniedKind, Selector } from './selector.ts';
export { passwordHash, User } from './user.ts';
export { Users } from './users.ts';
