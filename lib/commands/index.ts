export { MAX_PURGED_TAGS, MAX_TAG_BYTES, MAX_TAGS } from './cache-limits.ts';
export { commandReply, helpReply, type ReplySink } from './command-reply.ts';
export type { KeySpec } from './key-specs.ts';
export { type KeyReference, keysOf } from './keys-of.ts';
export { lookupCommand, lookupCommandPath, lookupSubcommand } from './lookup.ts';
export {
  arityFits,
  type CommandFlag,
  type CommandGroup,
  type CommandSpec,
  lastKeyIndex,
  type Routing,
} from './spec.ts';
export { aclCategoryNames, commandIdCount, commands, commandTable } from './table.ts';
export { type CommandArgs, unknownCommandText, unknownSubcommandText, wrongArityText } from './texts.ts';
