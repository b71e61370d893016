import type { Users } from '../../lib/acl/index.ts';
import type { DataSet, ValueLimits } from '../data-set.ts';
import type { Observers } from '../observers.ts';
import type { Aof } from '../persistence/index.ts';
import type { Settings } from '../settings.ts';
import { Invalid, type Kind } from './kind.ts';

/** What settings act upon. */
export interface SettingTarget {
  readonly settings: Settings;
  readonly data: DataSet;
  readonly users: Users;
  readonly observers: Observers;
  readonly aof: Aof;
}

/** One setting by Redis's name. */
export interface Setting {
  readonly name: string;
  /** Another name for it; empty for none. */
  readonly alias: string;
  /** Who may change it: anybody, nobody, or nobody unless protected settings are enabled, which they never are. */
  readonly access: 'open' | 'immutable' | 'protected';
  /** CONFIG GET shows it only when it is asked for by its own name. */
  readonly isHidden: boolean;
  /** Its value must not appear in any log. */
  readonly isSensitive: boolean;
  /** What CONFIG GET shows. */
  read(target: SettingTarget): string;
  /** Checks a text; what is returned makes it the value. */
  prepare(text: string, target: SettingTarget): (() => void) | Invalid;
}

/** Where a value is kept. */
export interface Place<T> {
  get(target: SettingTarget): T;
  set(target: SettingTarget, value: T): void;
}

type Options = Partial<Pick<Setting, 'alias' | 'access' | 'isHidden' | 'isSensitive'>>;

/** A setting of this kind, kept there. */
export function setting<T>(name: string, kind: Kind<T>, place: Place<T>, options: Options = {}): Setting {
  return {
    alias: '',
    access: 'open',
    isHidden: false,
    isSensitive: false,
    ...options,
    name,
    read: (target) => kind.format(place.get(target)),
    prepare(text, target) {
      const value = kind.parse(text);
      return value instanceof Invalid ? value : () => place.set(target, value);
    },
  };
}

type KeysOf<T, V> = { [K in keyof T]-?: T[K] extends V ? (V extends T[K] ? K : never) : never }[keyof T];

/** A field of the settings. */
export function field<K extends keyof Settings>(key: K): Place<Settings[K]> {
  return {
    get: ({ settings }) => settings[key],
    set({ settings }, value) {
      settings[key] = value;
    },
  };
}

/** A number of the settings, with how many of the setting's units make one of the field's. */
export function numberField(key: KeysOf<Settings, number>, perUnit = 1): Place<bigint> {
  return {
    get: ({ settings }) => BigInt(Math.floor(settings[key] / perUnit)),
    set({ settings }, value) {
      settings[key] = Number(value) * perUnit;
    },
  };
}

/** A limit of compact encodings. */
export function limitField(key: KeysOf<ValueLimits, number>): Place<bigint> {
  return {
    get: ({ data }) => BigInt(data.limits[key]),
    set({ data }, value) {
      data.limits[key] = Number(value);
    },
  };
}

/** A setting that is remembered and shown, and acts on nothing: there is nothing here that it could mean. */
export function kept<T>(name: string, kind: Kind<T>, initial: string, options: Options = {}): Setting {
  const place: Place<string> = {
    get: ({ settings }) => settings.kept.get(name) ?? settings.fixed.get(name) ?? initial,
    set: ({ settings }, text) => settings.kept.set(name, text),
  };
  const canonical: Kind<string> = {
    parse(text) {
      const value = kind.parse(text);
      return value instanceof Invalid ? value : kind.format(value);
    },
    format: (text) => text,
  };
  return setting(name, canonical, place, options);
}
