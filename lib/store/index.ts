export { Compactor } from './compactor.ts';
export { FILLER_BIT, forwardedTo, readWord, writeWord } from './filler.ts';
export { GhostTable } from './ghost-table.ts';
export type { RefKeys } from './index-partition.ts';
export { RefIndex } from './ref-index.ts';
export { append, concat, type Links, relink, unlink } from './ring-list.ts';
export type { Segment, SegmentQueue } from './segment.ts';
export { type LogLimits, type RecordFormat, SegmentLog } from './segment-log.ts';
export { type TimedLinks, TimingWheel } from './timing-wheel.ts';
