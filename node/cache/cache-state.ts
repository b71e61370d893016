import { type Random, seededRandom } from '../../lib/base/index.ts';
import { type Namespaces, noNamespaces } from '../namespaces.ts';
import { Answers } from './answers.ts';
import { Fences } from './fences.ts';
import { LeaseTable } from './leases.ts';
import { TagBudget } from './tag-index.ts';

/** What all databases share of the things that make a cache more than a table. */
export interface CacheState {
  readonly namespaces: Namespaces;
  readonly leases: LeaseTable;
  readonly fences: Fences;
  readonly answers: Answers;
  readonly tagBudget: TagBudget;
}

/** Builds it from its limits. */
export function createCacheState(options: {
  namespaces: Namespaces;
  maxLeases: number;
  maxAnswers: number;
  maxTagBytes: number;
  fences: Fences;
  random: Random;
}): CacheState {
  const { namespaces, maxLeases, maxAnswers, maxTagBytes, fences, random } = options;
  return {
    namespaces,
    leases: new LeaseTable({ max: maxLeases, random }),
    fences,
    answers: new Answers(maxAnswers),
    tagBudget: new TagBudget(maxTagBytes),
  };
}

/** For a data set of its own: no namespaces, and no room for leases, fences, answers and tags. */
export function emptyCacheState(): CacheState {
  return createCacheState({
    namespaces: noNamespaces,
    maxLeases: 0,
    maxAnswers: 0,
    maxTagBytes: 0,
    fences: new Fences({ max: 0 }),
    random: seededRandom(0),
  });
}
