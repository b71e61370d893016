export {
  Access,
  type ChangeResult,
  type GuardedClient,
  type KnownClient,
  type UserChange,
} from './access.ts';
export { AclFile, answerFileErrands, type FileErrand } from './acl-file.ts';
export { addConfiguredUsers, checkConfiguredUsers, latin1, usersAsText } from './configured-users.ts';
