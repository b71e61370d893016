export { MemoryStore } from './memory-store.ts';
export type { Slot, Store } from './store.ts';
