import { actingSettings } from './acting.ts';
import { keptSettings } from './kept.ts';
import type { Setting } from './setting.ts';

const byName = new Map<string, Setting>();
for (const setting of [...actingSettings, ...keptSettings]) {
  for (const name of [setting.name, setting.alias]) {
    if (name === '') continue;
    if (byName.has(name)) throw new Error(`setting ${name} is there twice`);
    byName.set(name, name === setting.name ? setting : { ...setting, name });
  }
}

/** Every setting by its names in lower case; one with an alias is there under both, as if it were two. */
export const settingsByName: ReadonlyMap<string, Setting> = byName;

/** Whether the value of this setting, by its lower-case name, must not appear in any log. */
export function isSensitive(name: string): boolean {
  return settingsByName.get(name)?.isSensitive === true;
}
