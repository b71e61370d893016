import type { Generator } from './base.ts';
import { basics } from './basics.ts';
import { bitsAndParts } from './bits-and-parts.ts';
import { generic } from './generic.ts';
import { geo } from './geo.ts';
import { hashes } from './hashes.ts';
import { hyperloglog } from './hyperloglog.ts';
import { lists } from './lists.ts';
import { sets } from './sets.ts';
import { sortedSets } from './sorted-sets.ts';

/** Generators by topic; each is as likely. */
export const topics: Readonly<Record<string, Generator>> = {
  basics,
  bitsAndParts,
  generic,
  lists,
  hashes,
  sets,
  sortedSets,
  geo,
  hyperloglog,
};
