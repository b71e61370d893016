import { readFileSync } from 'node:fs';

/** What Redis calls itself; clients look at it. */
export const REDIS_VERSION = '7.0.15';

/** Of this package, as in package.json. */
export const RINGSIDE_VERSION: string = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
).version;
