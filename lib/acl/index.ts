export { AclLog, type AclLogEntry, type Refusal } from './acl-log.ts';
export type { AclArgs, AclCommand, AclKey, Catalogue } from './catalogue.ts';
export { CommandSet, commandsOf } from './command-set.ts';
export type { Denial, DeniedKind, Selector } from './selector.ts';
export { passwordHash, User } from './user.ts';
export { Users } from './users.ts';
