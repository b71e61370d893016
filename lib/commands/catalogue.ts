import { keysOf } from './keys-of.ts';
import { lookupCommandPath } from './lookup.ts';
import type { CommandSpec } from './spec.ts';
import { aclCategoryNames, commandIdCount, commands } from './table.ts';
import type { CommandArgs } from './texts.ts';

/** The commands that `isAnswered` says there are, and what users and rules ask of them: a `Catalogue` of `lib/acl`. */
export function catalogueOf(isAnswered: (spec: CommandSpec) => boolean) {
  const answered = commands
    .filter((spec) => isAnswered(spec) || spec.subcommands.some(isAnswered))
    .map((spec) => ({ ...spec, subcommands: spec.subcommands.filter(isAnswered) }));
  const byName = new Map(
    answered.flatMap((spec) => [spec, ...spec.subcommands]).map((spec) => [spec.name, spec]),
  );
  return {
    categories: aclCategoryNames,
    commands: answered,
    size: commandIdCount,
    find: (name: string) =>
      byName.get(lookupCommandPath(Buffer.from(name, 'latin1'), 0, name.length)?.name ?? ''),
    keysOf: (command: { readonly name: string }, args: CommandArgs, first?: number) =>
      keysOf(byName.get(command.name)!, args, first),
  };
}
