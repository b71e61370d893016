import { readFileSync } from 'node:fs';
import { type Catalogue, shownText, Users, writeAclFile } from '../../lib/acl/index.ts';
import { RingsideError } from '../../lib/base/index.ts';
import type { ProxyConfig, Report } from '../../lib/config/index.ts';
import type { Access, ChangeResult } from './access.ts';

/**
 * Makes the users that the configuration names: in `proxy.aclFile`, or in `proxy.users` and `proxy.requirePass`. Throws RingsideError
 * `config_invalid`.
 */
export function addConfiguredUsers(access: Access, { requirePass, users, aclFile }: ProxyConfig): void {
  if (aclFile !== null) {
    succeed(access.change({ kind: 'load', text: textOf(aclFile), path: aclFile }), 'proxy.aclFile');
    return;
  }
  if (requirePass !== null) access.change({ kind: 'password', password: latin1(requirePass) });
  for (const [i, { name, rules }] of users.entries()) {
    succeed(
      access.change({ kind: 'set', name: latin1(name), rules: rulesIn(rules) }),
      `proxy.users.${i}.rules`,
    );
  }
}

/** Reports the first rule that is wrong of each user that the configuration names. */
export function checkConfiguredUsers(
  catalogue: Catalogue,
  hasAllChannels: boolean,
  { users }: ProxyConfig,
  report: Report,
): void {
  const known = new Users(catalogue);
  for (const [i, { name, rules }] of users.entries()) {
    const user = known.prepare(latin1(name), rulesIn(rules), hasAllChannels);
    if (typeof user !== 'string') known.put(user);
    else
      report(
        ['proxy', 'users', i, 'rules'],
        `\`proxy.users.${i}.rules\`: ${withoutSecrets(shownText(user))}`,
      );
  }
}

function rulesIn(text: string): string[] {
  return latin1(text).split(/\s+/);
}

/** What looks like no rule of commands, keys or channels may be a password. */
function withoutSecrets(text: string): string {
  return text.replace(/ modifier '[^-+~%&@(].*':/, ' modifier (not shown, it may be a password):');
}

/** All users as another thread takes them over, by a change of kind `load`. */
export function usersAsText(access: Access): string {
  return writeAclFile(access.users);
}

/** The bytes of a text, one character each. */
export function latin1(text: string): string {
  return Buffer.from(text).latin1Slice();
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    throw new RingsideError('config_invalid', `\`proxy.aclFile\`: ${(error as Error).message}`);
  }
}

function succeed(result: ChangeResult, setting: string): void {
  if ('error' in result) throw new RingsideError('config_invalid', `\`${setting}\`: ${result.error}`);
}
