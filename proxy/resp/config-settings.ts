import type { Access } from '../access/index.ts';
import { latin1 } from '../access/index.ts';
import type { ProxySettings } from '../watch/settings.ts';
import type { ProxyInfo } from './context.ts';

const WHOLE_NUMBER = /^(0|-?[1-9]\d{0,18})$/;
const INT_MAX = 2 ** 31 - 1;
/** A flag that CONFIG SET checks, and then ignores. */
const LONG_MAX_TEXT = '9223372036854775807';

/** What settings act upon, in one thread. */
export interface SettingTarget {
  readonly settings: ProxySettings;
  readonly access: Access;
}

/** One setting of the proxy by Redis's name. */
export interface ProxySetting {
  /** What CONFIG GET shows. */
  read(settings: ProxySettings): string;
  /** Null when the text may be the value, else why not, in Redis's words. */
  check(text: string): string | null;
  set(target: SettingTarget, text: string): void;
}

type NumberField = {
  [K in keyof ProxySettings]: ProxySettings[K] extends number ? K : never;
}[keyof ProxySettings];

/** A whole number from `min`, kept times `factor`. */
function whole(field: NumberField, { min = 0, max = INT_MAX, factor = 1 } = {}): ProxySetting {
  const most = max > INT_MAX ? LONG_MAX_TEXT : String(max);
  return {
    read: (settings) => String(settings[field] / factor),
    check(text) {
      if (!WHOLE_NUMBER.test(text)) return "argument couldn't be parsed into an integer";
      const isIn = Number(text) >= min && Number(text) <= max;
      return isIn ? null : `argument must be between ${min} and ${most} inclusive`;
    },
    set({ settings }, text) {
      settings[field] = Number(text) * factor;
    },
  };
}

const tracking: ProxySetting = {
  read: ({ latencyTracking }) => (latencyTracking ? 'yes' : 'no'),
  check: (text) => (/^(yes|no)$/i.test(text) ? null : "argument must be 'yes' or 'no'"),
  set({ settings }, text) {
    settings.latencyTracking = text.toLowerCase() === 'yes';
  },
};

const pubsubDefault: ProxySetting = {
  read: ({ newUsersHaveAllChannels }) => (newUsersHaveAllChannels ? 'allchannels' : 'resetchannels'),
  check: (text) =>
    /^(allchannels|resetchannels)$/i.test(text)
      ? null
      : 'argument(s) must be one of the following: allchannels, resetchannels',
  set({ settings }, text) {
    settings.newUsersHaveAllChannels = text.toLowerCase() === 'allchannels';
  },
};

const requirePass: ProxySetting = {
  read: (settings) => settings.requirePass,
  check: () => null,
  set({ settings, access }, text) {
    settings.requirePass = text;
    access.change({ kind: 'password', password: latin1(text) });
  },
};

/** Settings that CONFIG SET changes, by Redis's names. */
export const openSettings: ReadonlyMap<string, ProxySetting> = new Map([
  ['slowlog-log-slower-than', whole('slowlogSlowerThanUs', { min: -1, max: Number.MAX_SAFE_INTEGER })],
  ['slowlog-max-len', whole('slowlogMaxLength')],
  ['latency-monitor-threshold', whole('latencyThresholdMs')],
  ['latency-tracking', tracking],
  ['acllog-max-len', whole('aclLogMaxLength')],
  ['acl-pubsub-default', pubsubDefault],
  ['timeout', whole('idleTimeoutMs', { factor: 1000 })],
  ['requirepass', requirePass],
]);

/** Every setting with what CONFIG GET shows, by name. */
export function settingsShown(settings: ProxySettings, { config }: ProxyInfo): Map<string, string> {
  const shown = new Map(Object.entries(config));
  for (const [name, setting] of openSettings) shown.set(name, setting.read(settings));
  return shown;
}

/** The values of `openSettings`, for a thread that begins. */
export function settingsNow(settings: ProxySettings): [name: string, text: string][] {
  return Array.from(openSettings, ([name, setting]) => [name, setting.read(settings)]);
}

/** Makes values that were checked the ones of this thread. */
export function applySettings(target: SettingTarget, changes: readonly (readonly [string, string])[]): void {
  for (const [name, text] of changes) openSettings.get(name)?.set(target, text);
}
