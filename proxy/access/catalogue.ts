import type { Catalogue } from '../../lib/acl/index.ts';
import {
  aclCategoryNames,
  type CommandSpec,
  commandIdCount,
  commands,
  keysOf,
  lookupCommandPath,
} from '../../lib/commands/index.ts';

/** The commands that `isAnswered` says there are, for users and rules. */
export function catalogueOf(isAnswered: (spec: CommandSpec) => boolean): Catalogue {
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
    find: (name) => byName.get(lookupCommandPath(Buffer.from(name, 'latin1'), 0, name.length)?.name ?? ''),
    keysOf: (command, args, first) => keysOf(byName.get(command.name)!, args, first),
  };
}
