import { catalogueOf } from '../lib/commands/index.ts';
import type { Config, Report } from '../lib/config/index.ts';
import { checkConfiguredUsers } from './access/index.ts';
import { isAnswered } from './thread.ts';
import { ProxySettings } from './watch/settings.ts';

/** Reports what is wrong with the users of a configuration, in the words of ACL SETUSER: what a proxy would not start with. */
export function checkUsers({ proxy }: Config, report: Report): void {
  const { newUsersHaveAllChannels } = new ProxySettings();
  checkConfiguredUsers(catalogueOf(isAnswered), newUsersHaveAllChannels, proxy, report);
}
