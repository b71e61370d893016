import { sizeInBytes } from '../base/index.ts';
import { childOption, groupOf, type Option, type Path } from './schema.ts';
import type { ConfigSource } from './source.ts';

/**
 * The settings as the schema is to see them, on a copy: an empty value (`key:`) is left out, so that its default counts,
 * and a plain scalar where the schema wants text is the text as written, so that a password `007` needs no quotes.
 */
export function tidySettings(value: unknown, option: Option, source: ConfigSource, path: Path = []): unknown {
  if (Array.isArray(value)) {
    return option.items
      ? value.map((item, i) => tidySettings(item, option.items!, source, [...path, i]))
      : value;
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).filter(([, held]) => held !== null);
    return Object.fromEntries(
      entries.map(([key, held]) => {
        const child = childOption(option, key);
        return [key, child ? tidySettings(held, child, source, [...path, key]) : held];
      }),
    );
  }
  const isPlain = typeof value === 'number' || typeof value === 'boolean';
  return isPlain && option.type === 'string' ? (source.sourceText(path) ?? String(value)) : value;
}

/**
 * A full configuration of valid settings, on a copy: what is left out comes from the schema, sizes become bytes, and
 * port 0 becomes `off`.
 */
export function withDefaults(value: unknown, option: Option): unknown {
  const given = value === undefined ? option.default : value;
  if (given === null) return null;
  if (option.kind === 'size') return typeof given === 'string' ? sizeInBytes(given) : given;
  if (option.kind === 'port') return given === 0 ? 'off' : given;
  if (option.items) return (given as unknown[]).map((item) => withDefaults(item, option.items!));
  const group = groupOf(option);
  if (!group || typeof (given ?? {}) !== 'object') return given;
  const held = (given ?? {}) as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries(group.properties!).map(([key, child]) => [key, withDefaults(held[key], child)]),
  );
}

/** Freezes `value` and everything in it. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const held of Object.values(value)) deepFreeze(held);
    Object.freeze(value);
  }
  return value;
}
