import v8 from 'node:v8';
import vm from 'node:vm';

/** Garbage there may be of slabs before V8 is asked to look for what has died young, and for all of it. */
const YOUNG_BYTES = 16 << 20;
const ALL_BYTES = 256 << 20;
/** As `ALL_BYTES`, of slabs that are known to be garbage. */
const DROPPED_BYTES = 32 << 20;

let youngBytes = 0;
let allBytes = 0;
let droppedBytes = 0;

type Collect = (options: { type: 'minor' | 'major'; execution: 'sync' }) => void;
let collect: Collect | null = null;

/**
 * Memory for bytes that are forgotten within milliseconds, such as what is read from a socket and written to another one.
 *
 * V8 begins a collection of the whole heap whenever some 30 MB of ArrayBuffers have come into being. For a process that passes on hundreds of
 * megabytes a second that is ten a second, and a third of its processor time. It does not count shared buffers, but frees those that have died young with
 * each collection of the young generation, which takes a fraction of a millisecond here. So these are shared ones, and V8 is asked
 * for such a collection whenever 16 MB of them have been handed out, and for a whole one every 256 MB, for those that lived longer.
 */
export function slabMemory(bytes: number): Buffer {
  youngBytes += bytes;
  allBytes += bytes;
  if (youngBytes >= YOUNG_BYTES) tidy();
  return Buffer.from(new SharedArrayBuffer(bytes));
}

/** So many bytes of slabs that had been kept for long are garbage now: the next collection is a whole one if they are many. */
export function dropSlabs(bytes: number): void {
  droppedBytes += bytes;
}

function tidy(): void {
  collect ??= collector();
  const type = allBytes >= ALL_BYTES || droppedBytes >= DROPPED_BYTES ? 'major' : 'minor';
  collect({ type, execution: 'sync' });
  youngBytes = 0;
  if (type === 'minor') return;
  allBytes = 0;
  droppedBytes = 0;
}

/** V8's own `gc`, which a context made while the flag is set has. */
function collector(): Collect {
  v8.setFlagsFromString('--expose-gc');
  const gc = vm.runInNewContext('gc') as Collect;
  v8.setFlagsFromString('--no-expose-gc');
  return gc;
}
