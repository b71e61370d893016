export { Aof, type AofState } from './aof.ts';
export { SYNC_MS } from './aof-writer.ts';
export { type ChangeGuard, ChangeGuards } from './guards.ts';
export { type LoadOptions, SnapshotLoader } from './load.ts';
export type { LoadProgress } from './rdb-file.ts';
export { SAVE_FAILED, Saves } from './saves.ts';
export { type SnapshotFacts, SnapshotWriter } from './snapshot.ts';
export { readStreamFacts, resumeStream, type StreamFacts, writeStreamFacts } from './stream-facts.ts';
