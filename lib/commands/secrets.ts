import type { CommandSpec } from './spec.ts';
import type { CommandArgs } from './texts.ts';

const nothing = () => false;

/**
 * Says which arguments of a command are secrets, which no log and no MONITOR may show. `isSensitive` tells of a setting, by its
 * lower-case name, whether its value is one.
 */
export function secretsOf(
  spec: CommandSpec,
  args: CommandArgs,
  isSensitive: (setting: string) => boolean,
): (i: number) => boolean {
  switch (spec.name) {
    case 'auth':
      return (i) => i > 0;
    case 'acl|setuser':
      return (i) => i > 1;
    case 'config|set':
      return (i) => i > 2 && i % 2 === 1 && isSensitive(args.latin1(i - 1).toLowerCase());
    case 'hello':
      return secretsAfterAuth(args);
    case 'migrate':
      return secretsOfTarget(args);
    default:
      return nothing;
  }
}

/** `AUTH password` or `AUTH2 user password` among the options of MIGRATE. */
function secretsOfTarget(args: CommandArgs): (i: number) => boolean {
  const secret = new Set<number>();
  for (let i = 6; i < args.count && !isWord(args, i, 'KEYS'); i++) {
    if (isWord(args, i, 'AUTH')) secret.add(++i);
    else if (isWord(args, i, 'AUTH2')) secret.add(++i).add(++i);
  }
  return (i) => secret.has(i);
}

/** `AUTH user password` among other options. */
function secretsAfterAuth(args: CommandArgs): (i: number) => boolean {
  const secret = new Set<number>();
  for (let i = 2; i < args.count; i++) {
    if (!isWord(args, i, 'AUTH')) continue;
    secret.add(i + 1).add(i + 2);
    i += 2;
  }
  return (i) => secret.has(i);
}

function isWord(args: CommandArgs, i: number, upper: string): boolean {
  return args.end(i) - args.start(i) === upper.length && args.latin1(i).toUpperCase() === upper;
}
