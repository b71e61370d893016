import type { Args, RespWriter } from '../../../lib/codec/resp/index.ts';
import type { Keyspace } from '../../keyspace.ts';
import { type Slot, STRING } from '../../store/index.ts';
import { Found } from '../../values/index.ts';
import { WRONG_TYPE } from '../command.ts';
import { isSketch, Sketch } from './sketch.ts';

const NOT_A_SKETCH = 'WRONGTYPE Key is not a valid HyperLogLog string value.';
export const CORRUPTED = 'INVALIDOBJ Corrupted HLL object detected';

/** The HyperLogLog of the command at hand. */
export const sketch = new Sketch();
const value = new Found();

/** Loads the HyperLogLog of an entry into `sketch`; false, with the error written, when it holds something else. */
export function loadSketch(keyspace: Keyspace, slot: Slot, reply: RespWriter): boolean {
  const { store } = keyspace;
  if (store.typeOf(slot) !== STRING) {
    reply.error(WRONG_TYPE);
    return false;
  }
  store.view(slot, value);
  const isOne = isSketch(value);
  if (isOne) sketch.load(value);
  else reply.error(NOT_A_SKETCH);
  return isOne;
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
