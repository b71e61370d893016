import { countOfRegisters, REGISTERS } from '../../../lib/codec/hyperloglog/index.ts';
import type { Args, RespWriter } from '../../../lib/codec/resp/index.ts';
import { NOTIFY_STRING } from '../../data-set.ts';
import { refusalOfValue } from '../../value-limit.ts';
import type { CommandContext, CommandHandlers } from '../command.ts';
import { notify } from '../lookup.ts';
import { debug } from './debug.ts';
import { selfTest } from './self-test.ts';
import { COUNT_AT } from './sketch.ts';
import { addInPlace, CORRUPTED, loadSketch, loadSparse, sketch, storeSketch } from './stored.ts';

const COUNT_BYTES = 8;

const sketchBytes = () => sketch.length;

function add({ keyspace }: CommandContext, args: Args, reply: RespWriter) {
  const { buffer } = args;
  const slot = keyspace.write(buffer, args.start(1), args.end(1));
  const found = slot === 0 ? 'loaded' : loadSparse(keyspace, slot, reply);
  if (found === 'nothing') return;
  if (found === 'dense') {
    const hasChanged = addInPlace(keyspace, slot, args, 2);
    if (hasChanged) keyspace.modified(slot);
    if (hasChanged) notify(keyspace, NOTIFY_STRING, 'pfadd', args);
    return reply.integer(hasChanged ? 1 : 0);
  }
  if (slot === 0) sketch.clear();
  const { hllSparseBytes } = keyspace.data.limits;
  let hasChanged = slot === 0;
  for (let i = 2; i < args.count; i++) {
    const change = sketch.add(buffer, args.start(i), args.end(i), hllSparseBytes);
    if (change === 'corrupted') {
      // What was noted before stays, as in Redis. The command itself is no use to a follower: it fails.
      if (hasChanged) keyspace.logValue(storeSketch(keyspace, args, 1, slot));
      return reply.error(CORRUPTED);
    }
    if (change === 'changed') hasChanged = true;
  }
  const refusal = hasChanged ? refusalOfValue(keyspace, args, 1, sketchBytes) : null;
  if (refusal !== null) return reply.error(refusal);
  if (hasChanged) {
    sketch.invalidate();
    storeSketch(keyspace, args, 1, slot);
    notify(keyspace, NOTIFY_STRING, 'pfadd', args);
  }
  reply.integer(hasChanged ? 1 : 0);
}

/** Raises `values` to the registers of the HyperLogLogs at arguments from `first` on; null after an error reply, else whether one was dense. */
function merged(
  { keyspace }: CommandContext,
  args: Args,
  first: number,
  values: Uint8Array,
  reply: RespWriter,
): boolean | null {
  let hasDense = false;
  for (let i = first; i < args.count; i++) {
    const slot = keyspace.read(args.buffer, args.start(i), args.end(i));
    if (slot === 0) continue;
    if (!loadSketch(keyspace, slot, reply)) return null;
    if (sketch.isDense) hasDense = true;
    if (sketch.mergeInto(values)) continue;
    reply.error(CORRUPTED);
    return null;
  }
  return hasDense;
}

function count(context: CommandContext, args: Args, reply: RespWriter) {
  if (args.count === 2) return countOne(context, args, reply);
  const values = new Uint8Array(REGISTERS);
  if (merged(context, args, 1, values, reply) !== null) reply.integer(countOfRegisters(values));
}

function countOne({ keyspace }: CommandContext, args: Args, reply: RespWriter) {
  const slot = keyspace.read(args.buffer, args.start(1), args.end(1));
  if (slot === 0) return reply.integer(0);
  if (!loadSketch(keyspace, slot, reply)) return;
  const last = sketch.lastCount;
  if (last !== null) return reply.integer(last);
  const counted = sketch.count();
  if (counted === null) return reply.error(CORRUPTED);
  reply.integer(counted);
  const { data, store } = keyspace;
  // The count is part of the value: a follower gets it from its leader.
  if (!data.removesExpired && !data.isReplaying) return;
  data.snapshots?.before(keyspace, slot);
  sketch.setCount(counted);
  store.writeAt(slot, COUNT_AT, sketch.bytes, COUNT_AT, COUNT_AT + COUNT_BYTES);
  keyspace.modified(slot);
  keyspace.logCommand(['PFCOUNT', args.bytes(1)]);
}

function merge(context: CommandContext, args: Args, reply: RespWriter) {
  const { keyspace } = context;
  const values = new Uint8Array(REGISTERS);
  const hasDense = merged(context, args, 1, values, reply);
  if (hasDense === null) return;
  const slot = keyspace.write(args.buffer, args.start(1), args.end(1));
  if (slot === 0) sketch.clear();
  else if (!loadSketch(keyspace, slot, reply)) return;
  if (hasDense && !sketch.makeDense()) return reply.error(CORRUPTED);
  const { hllSparseBytes } = keyspace.data.limits;
  for (let register = 0; register < REGISTERS; register++) {
    if (values[register] !== 0) sketch.raise(register, values[register], hllSparseBytes);
  }
  const refusal = refusalOfValue(keyspace, args, 1, sketchBytes);
  if (refusal !== null) return reply.error(refusal);
  sketch.invalidate();
  const stored = storeSketch(keyspace, args, 1, slot);
  keyspace.logValue(stored);
  notify(keyspace, NOTIFY_STRING, 'pfadd', args);
  reply.ok();
}

/** Commands on HyperLogLogs: strings that count different elements without keeping them. */
export const hyperloglogCommands: CommandHandlers = {
  PFADD: add,
  PFCOUNT: count,
  PFMERGE: merge,
  PFDEBUG: debug,
  PFSELFTEST: selfTest,
};
