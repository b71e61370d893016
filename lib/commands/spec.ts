import type { KeySpec } from './key-specs.ts';

/** Redis's own command flags, as `COMMAND INFO` names them. */
export type CommandFlag =
  | 'write'
  | 'readonly'
  | 'denyoom'
  | 'admin'
  | 'noscript'
  | 'pubsub'
  | 'blocking'
  | 'movablekeys'
  | 'loading'
  | 'stale'
  | 'fast'
  | 'no_auth'
  | 'no_multi'
  | 'no_async_loading'
  | 'skip_slowlog'
  | 'allow_busy';

/**
 * What a proxy does with a command:
 * - `key`: forwards it as it came to the shard of its keys; several must be on one shard, else it is refused (CROSSSLOT);
 * - `multi`: groups its keys by shard and merges the replies;
 * - `pairs`: the same for keys followed by values;
 * - `gather`: forwards it when one shard has all keys, else fetches what is needed from each shard and computes the reply;
 * - `all`: sends it to every shard and merges the replies, or asks one shard after the other;
 * - `local`: answers it by itself;
 * - `pinned`: needs an upstream connection of the client's own;
 * - `pubsub`: publishes and subscribes on all shards;
 * - `node`: nothing; it means something on a node alone, and is unknown to a proxy.
 *
 * Of a command with subcommands, each subcommand's counts.
 */
export type Routing = 'key' | 'multi' | 'pairs' | 'gather' | 'all' | 'local' | 'pinned' | 'pubsub' | 'node';

/** Redis's groups of commands, and Ringside's own. */
export type CommandGroup =
  | 'string'
  | 'bitmap'
  | 'list'
  | 'hash'
  | 'set'
  | 'sorted-set'
  | 'geo'
  | 'hyperloglog'
  | 'generic'
  | 'connection'
  | 'transactions'
  | 'pubsub'
  | 'server'
  | 'ringside';

/**
 * Which arguments are keys:
 * - `first`, `second`: that one;
 * - `two`: the first two, with different things done to them; `pair`: with the same;
 * - `all`, `all-but-last`: from the first on; `pairs`: every other one (keys and values);
 * - `target-and-all`: the first, and differently all others; `second-and-all`: the same from the second on;
 * - `counted`, `counted-second`: as many as the first or second argument says, right behind it;
 * - `target-and-counted`: the first, and as many as the second says;
 * - `migrate`: the third, or when that is empty, all behind KEYS;
 * - `sort`, `sort-ro`, `radius-store`, `radius-member-store`: those of SORT and GEORADIUS, which depend on options.
 */
export type KeyPattern =
  | 'none'
  | 'first'
  | 'second'
  | 'two'
  | 'pair'
  | 'all'
  | 'all-but-last'
  | 'pairs'
  | 'target-and-all'
  | 'second-and-all'
  | 'counted'
  | 'counted-second'
  | 'target-and-counted'
  | 'migrate'
  | 'sort'
  | 'sort-ro'
  | 'radius-store'
  | 'radius-member-store';

/** One row of the table, as it is written down. Lists are words with spaces between. */
export interface CommandRow {
  name: string;
  /** As in Redis: arguments with the name itself; negative: at least so many. */
  arity: number;
  flags?: string;
  keys?: KeyPattern;
  /** What the command does to its keys, in the words of Redis's key specifications; one list for each rule of the pattern, with `|` between. */
  keyFlags?: string;
  /** ACL categories beyond those that follow from flags and group. */
  acl?: string;
  /** Tips for clients that know clusters, as Redis publishes them. */
  tips?: string;
  since: string;
  complexity: string;
  summary: string;
  /** Arguments in the notation of the manual: `key [EX seconds|PX milliseconds] [key ...]`. */
  syntax?: string;
  routing: Routing;
  /** Of a command whose first argument says what it does without being a subcommand in Redis's terms: by that word, in lower case. */
  routingByWord?: Readonly<Record<string, Routing>>;
  deprecated?: { since: string; replacedBy: string };
  subcommands?: readonly CommandRow[];
}

/** One command. Frozen. */
export interface CommandSpec {
  /** Dense from 0, subcommands behind all commands; stable while the process lives: handlers are arrays indexed by it. */
  readonly id: number;
  /** Lower-case; a subcommand's is `container|name`. */
  readonly name: string;
  /** The name that is looked up: upper-case, a subcommand's without its container. */
  readonly word: string;
  readonly arity: number;
  readonly flags: readonly CommandFlag[];
  /** Index of the first key among the arguments, 0: no keys. */
  readonly firstKey: number;
  /** Index of the last key; negative: counted from the end. */
  readonly lastKey: number;
  readonly keyStep: number;
  /** What is done to the keys of the first rule. */
  readonly keyFlags: readonly string[];
  /** Where keys are and what is done to them. */
  readonly keySpecs: readonly KeySpec[];
  readonly aclCategories: readonly string[];
  readonly tips: readonly string[];
  readonly group: CommandGroup;
  readonly since: string;
  readonly summary: string;
  readonly complexity: string;
  readonly syntax: string;
  readonly routing: Routing;
  /** Where the word behind the name decides: by that word, in lower case; else null. A key is the argument behind that word. */
  readonly routingByWord: Readonly<Record<string, Routing>> | null;
  readonly deprecated: { readonly since: string; readonly replacedBy: string } | null;
  readonly subcommands: readonly CommandSpec[];
  /** Changes data. */
  readonly isWrite: boolean;
  /** Reads data and changes none. */
  readonly isReadonly: boolean;
  /** May need memory: refused when the budget is used up. */
  readonly deniesOom: boolean;
  /** Allowed before authentication. */
  readonly noAuth: boolean;
  /** Allowed while the node has no data set yet. */
  readonly allowedLoading: boolean;
}

/** Whether a command may have `count` arguments, its name included. */
export function arityFits(spec: CommandSpec, count: number): boolean {
  return spec.arity >= 0 ? count === spec.arity : count >= -spec.arity;
}

/** Index of the last key of a command of `count` arguments, or -1 without keys; the first is `spec.firstKey`. */
export function lastKeyIndex(spec: CommandSpec, count: number): number {
  if (spec.firstKey === 0) return -1;
  return spec.lastKey < 0 ? count + spec.lastKey : spec.lastKey;
}
