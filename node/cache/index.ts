export { ANSWER_MS, type Answer, Answers } from './answers.ts';
export { type CacheState, createCacheState, emptyCacheState } from './cache-state.ts';
export { FenceFile } from './fence-file.ts';
export { Fences } from './fences.ts';
export { DEFAULT_LEASE_MS, LeaseTable, MAX_LEASE_MS } from './leases.ts';
export { EntryMarks, type Marks, markCommand } from './marks.ts';
export { MAX_PREFIX_PURGES, type Version } from './purges.ts';
export { SWEEP_MS, sweepPurges } from './sweep.ts';
export { type KeySet, TagBudget, TagIndex } from './tag-index.ts';
