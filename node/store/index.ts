export type { EvictionPolicy, EvictionRule } from './eviction-rule.ts';
export { MemoryStore } from './memory-store.ts';
export type { BytesByClass, ByteView, NewEntry, Slot, Store } from './store.ts';
export { HASH, LIST, SET, STRING, type StoredObject, typeNames, type ValueType, ZSET } from './value-type.ts';
