export {
  compareVersions,
  type DocumentNode,
  type DocumentShard,
  type Judgement,
  judgeDocument,
  parseDocument,
  type RingDocument,
  sealDocument,
} from './document.ts';
export { hashKey, keyHashHex } from './key-hash.ts';
export type { KeyRanges, KeySorter } from './key-sorter.ts';
export { murmur3x64_128, murmur3x86_32, murmur3x86_32Hash } from './murmur3.ts';
export { DEFAULT_VIRTUAL_NODES, Ring, type RingShard } from './ring.ts';
