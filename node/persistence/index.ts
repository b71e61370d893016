export { type ChangeGuard, ChangeGuards } from './guards.ts';
export { type LoadOptions, SnapshotLoader } from './load.ts';
export { type SnapshotFacts, SnapshotWriter } from './snapshot.ts';
