import type { Port } from '../lib/config/index.ts';

/** The port to listen on: null for none, 0 for any free one. */
export function portOf(setting: Port): number | null {
  if (setting === 'off' || setting === 0) return null;
  return setting === 'auto' ? 0 : setting;
}
