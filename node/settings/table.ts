import { actingSettings } from './acting.ts';
import { keptSettings } from './kept.ts';
import type { Setting } from './setting.ts';

const byName = new Map<string, Setting>();
for (const setting of [...actingSettings, ...keptSettings]) {
  for (const name of [setting.name, setting.alias]) {
    if (name === '') continue;
    if (byName.has(name)) throw new Error(`setting ${name} is there twice`);
    byName.set(name, setting);
  }
}

/** Every setting by its names in lower case; one with an alias is there twice. */
export const settingsByName: ReadonlyMap<string, Setting> = byName;
