import type { Args, RespWriter } from '../../../lib/codec/resp/index.ts';
import type { Keyspace } from '../../keyspace.ts';
import { type Slot, STRING } from '../../store/index.ts';
import { Found } from '../../values/index.ts';
import { WRONG_TYPE } from '../command.ts';
import { Observation } from './hash.ts';
import { isDense, isSketch, type Raised, raiseIn, Sketch, STALE, STALE_AT } from './sketch.ts';

const NOT_A_SKETCH = 'WRONGTYPE Key is not a valid HyperLogLog string value.';
export const CORRUPTED = 'INVALIDOBJ Corrupted HLL object detected';

/** The HyperLogLog of the command at hand. */
export const sketch = new Sketch();
const value = new Found();
const observation = new Observation();
const raised: Raised = { at: 0, bytes: Buffer.alloc(2) };

/** Whether an entry holds a HyperLogLog, which `value` shows then; if not, the error is written. */
function viewSketch(keyspace: Keyspace, slot: Slot, reply: RespWriter): boolean {
  const { store } = keyspace;
  if (store.typeOf(slot) !== STRING) {
    reply.error(WRONG_TYPE);
    return false;
  }
  store.view(slot, value);
  if (isSketch(value)) return true;
  reply.error(NOT_A_SKETCH);
  return false;
}

/** Loads the HyperLogLog of an entry into `sketch`; false, with the error written, when it holds something else. */
export function loadSketch(keyspace: Keyspace, slot: Slot, reply: RespWriter): boolean {
  const isOne = viewSketch(keyspace, slot, reply);
  if (isOne) sketch.load(value);
  return isOne;
}

/** As `loadSketch`, but a dense one is left where it is. */
export function loadSparse(
  keyspace: Keyspace,
  slot: Slot,
  reply: RespWriter,
): 'loaded' | 'dense' | 'nothing' {
  if (!viewSketch(keyspace, slot, reply)) return 'nothing';
  if (isDense(value)) return 'dense';
  sketch.load(value);
  return 'loaded';
}

/** Notes the elements from argument `first` on in the dense HyperLogLog of an entry, where it lies; whether any register has changed. */
export function addInPlace({ store }: Keyspace, slot: Slot, args: Args, first: number): boolean {
  let hasChanged = false;
  for (let i = first; i < args.count; i++) {
    observation.of(args.buffer, args.start(i), args.end(i));
    store.view(slot, value);
    const written = raiseIn(value, observation, raised);
    if (written === 0) continue;
    store.writeAt(slot, raised.at, raised.bytes, 0, written);
    hasChanged = true;
  }
  if (!hasChanged) return false;
  store.view(slot, value);
  raised.bytes[0] = value.buffer[value.start + STALE_AT] | STALE;
  store.writeAt(slot, STALE_AT, raised.bytes, 0, 1);
  return true;
}

/** Makes `sketch` the value of the key at argument `keyAt`, whose entry is `slot` or 0 for none; returns its slot. */
export function storeSketch(keyspace: Keyspace, args: Args, keyAt: number, slot: Slot): Slot {
  const { store } = keyspace;
  const { buffer } = args;
  const [start, end] = [args.start(keyAt), args.end(keyAt)];
  const { bytes, length } = sketch;
  store.resize(slot || keyspace.insert(buffer, start, end), length);
  const resized = store.find(buffer, start, end);
  store.writeAt(resized, 0, bytes, 0, length);
  keyspace.modified(resized);
  return resized;
}
