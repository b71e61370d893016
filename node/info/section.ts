import type { Databases } from '../databases.ts';
import type { NodeServices } from '../services.ts';

/** Lines of a section: name and value. */
export type Fields = readonly (readonly [string, string | number])[];

/** What sections are made from. */
export interface InfoSource {
  readonly node: NodeServices;
  readonly databases: Databases;
}

/** Makes one section. */
export type Section = (source: InfoSource) => Fields;

const UNITS = ['B', 'K', 'M', 'G', 'T', 'P'];

/** Bytes for people, as Redis writes them. */
export function human(bytes: number): string {
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < UNITS.length - 1; unit++) value /= 1024;
  return unit === 0 ? `${bytes}B` : `${value.toFixed(2)}${UNITS[unit]}`;
}

/** A part of a whole in percent, as Redis writes it. */
export function percent(part: number, whole: number): string {
  return `${((part / Math.max(1, whole)) * 100).toFixed(2)}%`;
}
