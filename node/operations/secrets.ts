import type { Args } from '../../lib/codec/resp/index.ts';
import type { CommandSpec } from '../../lib/commands/index.ts';
import { settingsByName } from '../settings/table.ts';

const nothing = () => false;

/** Says which arguments of a command are secrets, which no log and no MONITOR may show. */
export function secretsOf(spec: CommandSpec, args: Args): (i: number) => boolean {
  switch (spec.name) {
    case 'auth':
      return (i) => i > 0;
    case 'acl|setuser':
      return (i) => i > 1;
    case 'config|set':
      return (i) => i > 2 && i % 2 === 1 && isSensitive(args.latin1(i - 1));
    case 'hello':
      return secretsAfterAuth(args);
    case 'migrate':
      return secretsOfTarget(args);
    default:
      return nothing;
  }
}

function isSensitive(name: string): boolean {
  return settingsByName.get(name.toLowerCase())?.isSensitive === true;
}

/** `AUTH password` or `AUTH2 user password` among the options of MIGRATE. */
function secretsOfTarget(args: Args): (i: number) => boolean {
  const secret = new Set<number>();
  for (let i = 6; i < args.count && !args.equalsIgnoreCase(i, 'KEYS'); i++) {
    if (args.equalsIgnoreCase(i, 'AUTH')) secret.add(++i);
    else if (args.equalsIgnoreCase(i, 'AUTH2')) secret.add(++i).add(++i);
  }
  return (i) => secret.has(i);
}

/** `AUTH user password` among other options. */
function secretsAfterAuth(args: Args): (i: number) => boolean {
  const secret = new Set<number>();
  for (let i = 2; i < args.count; i++) {
    if (!args.equalsIgnoreCase(i, 'AUTH')) continue;
    secret.add(i + 1).add(i + 2);
    i += 2;
  }
  return (i) => secret.has(i);
}
