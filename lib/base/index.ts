export { BoundedQueue } from './bounded-queue.ts';
export { type Clock, ManualClock, systemClock } from './clock.ts';
export { type ErrorCode, type ErrorEntry, errorCatalogue, isRingsideError, RingsideError } from './errors.ts';
export { matchesGlob } from './glob.ts';
export { type Logger, type LogMethod, silentLogger } from './logger.ts';
export { type Random, seededRandom, systemRandom } from './random.ts';
export type { ReplySink, WideReplySink } from './reply-sink.ts';
export { SIZE_PATTERN, sizeInBytes } from './size.ts';
export { slabMemory } from './slab-memory.ts';
