import { type KeySpec, keyPatterns } from './key-specs.ts';
import { bitmapRows } from './rows/bitmap.ts';
import { connectionRows } from './rows/connection.ts';
import { debugRows } from './rows/debug.ts';
import { genericRows } from './rows/generic.ts';
import { geoRows } from './rows/geo.ts';
import { hashRows } from './rows/hash.ts';
import { hyperloglogRows } from './rows/hyperloglog.ts';
import { listRows } from './rows/list.ts';
import { operationsRows } from './rows/operations.ts';
import { persistenceRows } from './rows/persistence.ts';
import { pubsubRows } from './rows/pubsub.ts';
import { ringsideRows } from './rows/ringside.ts';
import { serverRows } from './rows/server.ts';
import { setRows } from './rows/set.ts';
import { sortedSetRows } from './rows/sorted-set.ts';
import { stringRows } from './rows/string.ts';
import { transactionRows } from './rows/transactions.ts';
import type { CommandFlag, CommandGroup, CommandRow, CommandSpec } from './spec.ts';

/** Names of all ACL categories, in the order in which Redis lists them. */
export const aclCategoryNames: readonly string[] = [
  'keyspace',
  'read',
  'write',
  'set',
  'sortedset',
  'list',
  'hash',
  'string',
  'bitmap',
  'hyperloglog',
  'geo',
  'stream',
  'pubsub',
  'admin',
  'fast',
  'slow',
  'blocking',
  'dangerous',
  'connection',
  'transaction',
  'scripting',
];

/** Groups whose commands all belong to one category. */
const GROUP_CATEGORIES: Partial<Record<CommandGroup, string>> = {
  string: 'string',
  bitmap: 'bitmap',
  list: 'list',
  hash: 'hash',
  set: 'set',
  'sorted-set': 'sortedset',
  geo: 'geo',
  hyperloglog: 'hyperloglog',
  connection: 'connection',
  transactions: 'transaction',
};

const NO_ROWS: readonly CommandRow[] = [];

function words(list: string | undefined): string[] {
  return list ? list.split(' ') : [];
}

function aclCategories(row: CommandRow, group: CommandGroup, flags: readonly string[]): string[] {
  const has = new Set(words(row.acl));
  if (flags.includes('write')) has.add('write');
  if (flags.includes('readonly')) has.add('read');
  if (flags.includes('admin')) has.add('admin').add('dangerous');
  if (flags.includes('blocking')) has.add('blocking');
  if (flags.includes('pubsub')) has.add('pubsub');
  has.add(flags.includes('fast') ? 'fast' : 'slow');
  const ofGroup = GROUP_CATEGORIES[group];
  if (ofGroup !== undefined) has.add(ofGroup);
  return aclCategoryNames.filter((category) => has.has(category)).map((category) => `@${category}`);
}

/** The rules of the row's pattern, each with the flags the row gives it. */
function keySpecsOf(row: CommandRow): readonly KeySpec[] {
  const flags = (row.keyFlags ?? '').split('|').map((list) => Object.freeze(words(list.trim())));
  const { searches } = keyPatterns[row.keys ?? 'none'];
  return Object.freeze(searches.map((search, i) => Object.freeze({ ...search, flags: flags[i] ?? [] })));
}

/** Gives every command a number, then every subcommand. */
class Compiler {
  readonly specs: CommandSpec[] = [];
  #nextSubcommandId: number;

  constructor(commands: number) {
    this.#nextSubcommandId = commands;
  }

  add(rows: readonly CommandRow[], group: CommandGroup): void {
    for (const row of rows) this.specs.push(this.#compile(row, group, this.specs.length, row.name));
  }

  #compile(row: CommandRow, group: CommandGroup, id: number, name: string): CommandSpec {
    const flags = words(row.flags) as CommandFlag[];
    const [firstKey, lastKey, keyStep] = keyPatterns[row.keys ?? 'none'].range;
    const keySpecs = keySpecsOf(row);
    const subcommands = (row.subcommands ?? NO_ROWS).map((sub) =>
      this.#compile(sub, group, this.#nextSubcommandId++, `${name}|${sub.name}`),
    );
    return Object.freeze({
      id,
      name,
      word: row.name.toUpperCase(),
      arity: row.arity,
      flags: Object.freeze(flags),
      firstKey,
      lastKey,
      keyStep,
      keyFlags: keySpecs[0]?.flags ?? Object.freeze([]),
      keySpecs,
      aclCategories: Object.freeze(aclCategories(row, group, flags)),
      tips: Object.freeze(words(row.tips)),
      group,
      since: row.since,
      summary: row.summary,
      complexity: row.complexity,
      syntax: row.syntax ?? '',
      routing: row.routing,
      routingByWord: row.routingByWord ?? null,
      deprecated: row.deprecated ?? null,
      subcommands: Object.freeze(subcommands),
      isWrite: flags.includes('write'),
      isReadonly: flags.includes('readonly'),
      deniesOom: flags.includes('denyoom'),
      noAuth: flags.includes('no_auth'),
      allowedLoading: flags.includes('loading'),
    });
  }
}

const groups: readonly [CommandGroup, readonly CommandRow[]][] = [
  ['string', stringRows],
  ['bitmap', bitmapRows],
  ['list', listRows],
  ['hash', hashRows],
  ['set', setRows],
  ['sorted-set', sortedSetRows],
  ['geo', geoRows],
  ['hyperloglog', hyperloglogRows],
  ['generic', genericRows],
  ['connection', connectionRows],
  ['transactions', transactionRows],
  ['pubsub', pubsubRows],
  ['server', serverRows],
  ['server', operationsRows],
  ['server', persistenceRows],
  ['server', debugRows],
  ['ringside', ringsideRows],
];

const compiler = new Compiler(groups.reduce((sum, [, rows]) => sum + rows.length, 0));
for (const [group, rows] of groups) compiler.add(rows, group);

/** All commands, without subcommands, in the order of their ids. */
export const commands: readonly CommandSpec[] = Object.freeze(compiler.specs);

/** All commands by their upper-case name. */
export const commandTable: ReadonlyMap<string, CommandSpec> = new Map(
  commands.map((spec) => [spec.word, spec]),
);

/** How many ids there are, those of subcommands included: the length of an array of handlers. */
export const commandIdCount: number = commands.reduce((sum, spec) => sum + 1 + spec.subcommands.length, 0);
