import type { Generator } from './base.ts';
import { basics } from './basics.ts';

/** Generators by topic; each is as likely. */
export const topics: Readonly<Record<string, Generator>> = { basics };
