import { userLines } from './acl-reply.ts';
import type { Catalogue } from './catalogue.ts';
import { UNKNOWN_COMMAND } from './rule-problem.ts';
import { BAD_CHARACTERS } from './selector.ts';
import { User } from './user.ts';
import { mergeSelectors, Users } from './users.ts';

const UNCHANGED = 'WARNING: ACL errors detected, no change to the previously active ACL rules was performed';

/** What lines of users are read with. */
interface FileContext {
  readonly path: string;
  readonly catalogue: Catalogue;
  /** New users begin with all channels. */
  readonly hasAllChannels: boolean;
}

/**
 * The users that the text of an ACL file names, one character a byte; the default user is as without a file when it is not in it. Returns
 * Redis's text for the mistakes in it, each with its line, when there are any.
 */
export function readAclFile(text: string, context: FileContext): Users | string {
  const found = new Map<string, User>();
  let mistakes = '';
  for (const [i, raw] of text.split('\n').entries()) {
    const line = raw.replace(/^[ \t\r]+|[ \t\r]+$/g, '');
    if (line !== '') mistakes += readLine(line, i + 1, found, context);
  }
  if (mistakes !== '') return mistakes + UNCHANGED;
  const users = new Users(context.catalogue);
  for (const user of found.values()) users.put(user);
  return users;
}

/** Adds the user of a line to those found; the mistakes in it, or nothing. */
function readLine(line: string, number: number, found: Map<string, User>, context: FileContext): string {
  const at = `${context.path}:${number}`;
  const [word, name, ...rules] = line.split(' ');
  if (word !== 'user' || name === undefined)
    return `${at} should start with user keyword followed by the username. `;
  if (BAD_CHARACTERS.test(name)) return `'${at}: username '${name}' contains invalid characters. `;
  if (found.has(name)) return `WARNING: Duplicate user '${name}' found on line ${number}. `;
  const user = new User(name, context.catalogue);
  found.set(name, user);
  if (context.hasAllChannels) user.apply('allchannels', true);
  const merged = mergeSelectors(rules);
  if (typeof merged === 'string') return `${at}: Unmatched parenthesis in selector definition.`;
  return applyRules(user, merged, at, context.hasAllChannels);
}

/** Every command that there is not is told; of other mistakes the first, since they may follow from each other. */
function applyRules(user: User, rules: readonly string[], at: string, hasAllChannels: boolean): string {
  let mistakes = '';
  let hasTold = false;
  for (const raw of rules) {
    const rule = raw.replace(/^[\t\r\n]+|[\t\r\n]+$/g, '');
    const problem = user.apply(rule, hasAllChannels);
    if (problem === UNKNOWN_COMMAND)
      mistakes += `${at}: Error in applying operation '${rule}': ${problem.text}. `;
    else if (problem !== null && !hasTold) {
      mistakes += `${at}: ${problem.text}. `;
      hasTold = true;
    }
  }
  return mistakes;
}

/** The text of an ACL file with these users, one character a byte. */
export function writeAclFile(users: Users): string {
  return `${userLines(users).join('\n')}\n`;
}
