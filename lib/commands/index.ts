export { MAX_FENCE_NAME_BYTES, MAX_PURGED_TAGS, MAX_TAG_BYTES, MAX_TAGS, MetaState } from './cache-limits.ts';
export { catalogueOf } from './catalogue.ts';
export {
  type ClientFilter,
  type ClientType,
  clientTypeOf,
  type FilteredClient,
  isPicked,
  parseClientFilter,
  type ReadableArgs,
  unknownClientType,
} from './client-filter.ts';
export { type ClientFacts, clientLine } from './client-line.ts';
export { commandReply, helpReply } from './command-reply.ts';
export type { KeySpec } from './key-specs.ts';
export { type KeyRange, type KeyReference, keyRangesOf, keysOf } from './keys-of.ts';
export { lookupCommand, lookupCommandPath, lookupSubcommand } from './lookup.ts';
export { secretsOf } from './secrets.ts';
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
export { giveCaching, parseTracking, type TrackingState, writeTrackingInfo } from './tracking-options.ts';
