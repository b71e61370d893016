import type { Static, TProperties, TSchema, TUnsafe } from '@sinclair/typebox';
import { SIZE_PATTERN, sizeInBytes } from '../base/index.ts';

/** What every option says about itself; `docs/configuration.md` is made of it. */
export interface OptionText {
  /** What it does, and what follows from setting it higher, lower or at all. */
  readonly description: string;
  /** How the figure acts together with others, as a formula. */
  readonly formula?: string;
}

/** Keywords of ours in the schema, besides JSON Schema's own. */
export const ownKeywords = ['unit', 'formula', 'expects', 'kind'] as const;

/** A listening port as configured: a number, any free port, or no listener. */
export type Port = number | 'auto' | 'off';

/**
 * A JSON Schema that stands for values of type T, as TypeBox's `Type.Unsafe`. Only TypeBox's types are used: loading its
 * code would cost every process 50 ms at its start.
 */
export function typed<T>(schema: object): TUnsafe<T> {
  return schema as TUnsafe<T>;
}

interface Bounds {
  readonly minimum: number;
  readonly maximum: number;
}

type Nullable<T, D> = D extends null ? T | null : T;

/** An option that is one of a few words. */
export function oneOf<const W extends string, const D extends W | null>(
  words: readonly W[],
  text: OptionText & { default: D },
): TUnsafe<Nullable<W, D>> {
  const expects = `one of ${words.map((word) => `\`${word}\``).join(', ')}`;
  return typed({ ...text, type: 'string', enum: words, unit: 'word', expects });
}

/** Yes or no. */
export function flag(text: OptionText & { default: boolean }): TUnsafe<boolean> {
  return typed({ ...text, type: 'boolean', unit: 'true or false', expects: '`true` or `false`' });
}

/** Free text. Without a default it has to be given. */
export function text<const D extends string | null | undefined = undefined>(
  more: OptionText & { default?: D; unit?: string; maxLength?: number; pattern?: string; expects?: string },
): TUnsafe<Nullable<string, D>> {
  return typed({ unit: 'text', expects: 'text', ...more, type: 'string' });
}

/** What an address looks like: a name, an IPv4 or a bracketed IPv6 address, a colon, and a port. */
export const ADDRESS_PATTERN = '^(?:\\[[0-9a-fA-F:.]+\\]|[^\\s:\\[\\]]+):[0-9]{1,5}$';

/** `host:port`; IPv6 hosts in brackets. Without a default it has to be given. */
export function address<const D extends null | undefined = undefined>(
  more: OptionText & { default?: D },
): TUnsafe<Nullable<string, D>> {
  return text({ ...more, pattern: ADDRESS_PATTERN, unit: 'host:port', expects: '`host:port`' });
}

/** A whole number of `unit`, from `minimum` to `maximum`. */
export function whole<const D extends number | null>(
  more: OptionText & Bounds & { default: D; unit: string },
): TUnsafe<Nullable<number, D>> {
  const expects = `a whole number from ${more.minimum} to ${more.maximum}`;
  return typed({ ...more, type: 'integer', expects });
}

/** A number of `unit`, from `minimum` to `maximum`. */
export function decimal(more: OptionText & Bounds & { default: number; unit: string }): TUnsafe<number> {
  return typed({ ...more, type: 'number', expects: `a number from ${more.minimum} to ${more.maximum}` });
}

/** A part of something, from 0 to 1. */
export function ratio(more: OptionText & { default: number }): TUnsafe<number> {
  return typed({
    ...more,
    type: 'number',
    minimum: 0,
    maximum: 1,
    unit: 'ratio',
    expects: 'a number from 0 to 1',
  });
}

/** A number of milliseconds, whole. */
export function milliseconds<const D extends number | null>(
  more: OptionText & Bounds & { default: D },
): TUnsafe<Nullable<number, D>> {
  return whole({ ...more, unit: 'ms' });
}

/** A number of bytes, also as Redis writes it: `1k` is 1000, `1kb` is 1024, and so on with m and g. */
export function size<const D extends string | null>(
  more: OptionText & { default: D; minimum: string; maximum: string },
): TUnsafe<Nullable<number, D>> {
  const { minimum, maximum, ...rest } = more;
  return typed({
    ...rest,
    kind: 'size',
    unit: 'bytes',
    anyOf: [
      { type: 'integer', minimum: sizeInBytes(minimum), maximum: sizeInBytes(maximum) },
      { type: 'string', pattern: SIZE_PATTERN },
    ],
    expects: `a size from ${minimum} to ${maximum}, such as 1048576, \`64mb\` or \`1gb\``,
  });
}

/** A listening port. `offAllowed: false` for a listener that the role cannot do without. */
export function port(
  more: OptionText & { default: number | 'auto' | 'off'; offAllowed?: boolean },
): TUnsafe<Port> {
  const { offAllowed = true, ...rest } = more;
  const words = offAllowed ? ['auto', 'off'] : ['auto'];
  return typed({
    ...rest,
    kind: 'port',
    unit: 'port',
    anyOf: [
      { type: 'integer', minimum: offAllowed ? 0 : 1, maximum: 65535 },
      { type: 'string', enum: words },
    ],
    expects: `a port from 1 to 65535 or ${words.map((word) => `\`${word}\``).join(' or ')}`,
  });
}

/** A list; empty unless given. */
export function list<T extends TSchema>(
  items: T,
  more: OptionText & { unit: string; maxItems: number },
): TUnsafe<Static<T>[]> {
  const expects = `a list of at most ${more.maxItems} entries`;
  return typed({ ...more, type: 'array', items, default: [], expects });
}

/**
 * A group of options. Those without a default (`required`) have to be given; all others may be left out, and all are
 * present in the parsed configuration. `nullable` groups are null when left out, all others are filled with defaults.
 */
export function group<P extends TProperties, const N extends boolean = false>(
  properties: P,
  more: { description: string; nullable?: N },
): TUnsafe<N extends true ? GroupOf<P> | null : GroupOf<P>> {
  const required = Object.keys(properties).filter(
    (key) => properties[key].default === undefined && properties[key].type !== 'object',
  );
  return typed({
    description: more.description,
    type: 'object',
    properties,
    required,
    additionalProperties: false,
    expects: 'a group of settings (`key: value` lines)',
    ...(more.nullable ? { default: null } : {}),
  });
}

type GroupOf<P extends TProperties> = { [K in keyof P]: Static<P[K]> };

/** Splits `host:port`; the brackets of an IPv6 host are removed. Null when it is not an address. */
export function splitAddress(value: string): { host: string; port: number } | null {
  if (!new RegExp(ADDRESS_PATTERN).test(value)) return null;
  const colon = value.lastIndexOf(':');
  const host = value.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  const portNumber = Number(value.slice(colon + 1));
  return portNumber >= 1 && portNumber <= 65535 ? { host, port: portNumber } : null;
}
