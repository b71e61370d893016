import type { Generator } from './base.ts';
import { basics } from './basics.ts';
import { hashes } from './hashes.ts';
import { lists } from './lists.ts';
import { sets } from './sets.ts';
import { sortedSets } from './sorted-sets.ts';

/** Generators by topic; each is as likely. */
export const topics: Readonly<Record<string, Generator>> = { basics, lists, hashes, sets, sortedSets };
