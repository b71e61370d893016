import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import { NOTIFY_GENERIC, NOTIFY_STRING } from '../data-set.ts';
import { STRING } from '../store/index.ts';
import { refusalOfValue } from '../value-limit.ts';
import { Found } from '../values/index.ts';
import { countBits, findBit } from './bits.ts';
import {
  type CommandContext,
  type CommandHandlers,
  NOT_AN_INTEGER,
  SYNTAX_ERROR,
  WRONG_TYPE,
} from './command.ts';
import { longOf } from './lookup.ts';
import { lengthened, maxStringBytes } from './string-edits.ts';

export const BAD_OFFSET = 'ERR bit offset is not an integer or out of range';
const BAD_BIT = 'ERR bit is not an integer or out of range';
const ONE_SOURCE = 'ERR BITOP NOT must be called with a single source key.';

const value = new Found();
const oneByte = Buffer.alloc(1);

/** Argument `i` as the place of a bit; null when it is none, or behind the longest string. */
function bitOffset(context: CommandContext, args: Args, i: number): number | null {
  const offset = args.integer(i);
  if (offset === null || offset < 0) return null;
  return Math.floor(offset / 8) < maxStringBytes(context) ? offset : null;
}

function setBit(context: CommandContext, args: Args, reply: RespWriter) {
  const { keyspace } = context;
  const { store } = keyspace;
  const { buffer } = args;
  const offset = bitOffset(context, args, 2);
  if (offset === null) return reply.error(BAD_OFFSET);
  const bit = args.integer(3);
  if (bit !== 0 && bit !== 1) return reply.error(BAD_BIT);
  const found = keyspace.write(buffer, args.start(1), args.end(1));
  if (found !== 0 && store.typeOf(found) !== STRING) return reply.error(WRONG_TYPE);
  const at = Math.floor(offset / 8);
  const isLonger = found === 0 || store.length(found) <= at;
  const slot = lengthened(keyspace, args, found, at + 1);
  store.view(slot, value);
  const byte = value.buffer[value.start + at];
  const mask = 128 >> (offset & 7);
  const former = (byte & mask) === 0 ? 0 : 1;
  oneByte[0] = bit === 1 ? byte | mask : byte & ~mask;
  store.writeAt(slot, at, oneByte, 0, 1);
  if (isLonger || former !== bit) {
    keyspace.modified(slot);
    keyspace.notify(NOTIFY_STRING, 'setbit', buffer, args.start(1), args.end(1));
  }
  reply.integer(former);
}

function getBit(context: CommandContext, args: Args, reply: RespWriter) {
  const { keyspace } = context;
  const offset = bitOffset(context, args, 2);
  if (offset === null) return reply.error(BAD_OFFSET);
  const slot = keyspace.read(args.buffer, args.start(1), args.end(1));
  if (slot === 0) return reply.integer(0);
  if (keyspace.store.typeOf(slot) !== STRING) return reply.error(WRONG_TYPE);
  keyspace.store.view(slot, value);
  const at = value.start + Math.floor(offset / 8);
  reply.integer(at < value.end ? (value.buffer[at] >> (7 - (offset & 7))) & 1 : 0);
}

/** Whether the unit in argument `i` is the bit (the byte when there is none); null when it is neither. */
function countsBits(args: Args, i: number): boolean | null {
  if (i >= args.count || args.equalsIgnoreCase(i, 'BYTE')) return false;
  return args.equalsIgnoreCase(i, 'BIT') ? true : null;
}

/** Brings both ends of a range into the value and turns them into bits, `first` behind `last` when nothing is between them. */
function bitRange(from: number, to: number, inBits: boolean): { first: number; last: number } {
  const total = (value.end - value.start) * (inBits ? 8 : 1);
  const first = Math.max(0, from < 0 ? total + from : from);
  const last = Math.min(total - 1, Math.max(0, to < 0 ? total + to : to));
  return inBits ? { first, last } : { first: first * 8, last: last * 8 + 7 };
}

function bitCount({ keyspace }: CommandContext, args: Args, reply: RespWriter) {
  const slot = keyspace.read(args.buffer, args.start(1), args.end(1));
  if (slot === 0) return reply.integer(0);
  if (keyspace.store.typeOf(slot) !== STRING) return reply.error(WRONG_TYPE);
  if (args.count === 3 || args.count > 5) return reply.error(SYNTAX_ERROR);
  const from = args.count > 2 ? longOf(args, 2) : 0;
  const to = args.count > 2 ? longOf(args, 3) : -1;
  if (from === null || to === null) return reply.error(NOT_AN_INTEGER);
  if (from < 0 && to < 0 && from > to) return reply.integer(0);
  const inBits = countsBits(args, 4);
  if (inBits === null) return reply.error(SYNTAX_ERROR);
  keyspace.store.view(slot, value);
  const { first, last } = bitRange(from, to, inBits);
  reply.integer(first > last ? 0 : countBits(value.buffer, value.start, first, last));
}

function bitPos({ keyspace }: CommandContext, args: Args, reply: RespWriter) {
  const bit = args.integer(2);
  if (bit === null && args.bigint(2) === null) return reply.error(NOT_AN_INTEGER);
  if (bit !== 0 && bit !== 1) return reply.error('ERR The bit argument must be 1 or 0.');
  const slot = keyspace.read(args.buffer, args.start(1), args.end(1));
  if (slot === 0) return reply.integer(bit === 1 ? -1 : 0);
  if (keyspace.store.typeOf(slot) !== STRING) return reply.error(WRONG_TYPE);
  if (args.count > 6) return reply.error(SYNTAX_ERROR);
  const from = args.count > 3 ? longOf(args, 3) : 0;
  if (from === null) return reply.error(NOT_AN_INTEGER);
  const inBits = countsBits(args, 5);
  if (inBits === null) return reply.error(SYNTAX_ERROR);
  const to = args.count > 4 ? longOf(args, 4) : -1;
  if (to === null) return reply.error(NOT_AN_INTEGER);
  keyspace.store.view(slot, value);
  const { first, last } = bitRange(from, to, inBits);
  if (first > last) return reply.integer(-1);
  const position = findBit(value.buffer, value.start, first, last, bit);
  // Without an end to the range, there are zeros behind the value.
  const isBehind = position < 0 && bit === 0 && args.count < 5;
  reply.integer(isBehind ? (value.end - value.start) * 8 : position);
}

type BitOperation = 'AND' | 'OR' | 'XOR' | 'NOT';
const operations: readonly BitOperation[] = ['AND', 'OR', 'XOR', 'NOT'];

/** Works a source into the result; behind its end, the source is zero. */
function combine(operation: BitOperation, result: Buffer, source: Found): void {
  const { buffer, start, end } = source;
  const length = end - start;
  if (operation === 'AND') {
    for (let i = 0; i < length; i++) result[i] &= buffer[start + i];
    result.fill(0, length);
  } else if (operation === 'OR') {
    for (let i = 0; i < length; i++) result[i] |= buffer[start + i];
  } else {
    for (let i = 0; i < length; i++) result[i] ^= buffer[start + i];
  }
}

/** The result of the operation on the strings of arguments 3 and up; null when one holds something else. */
function operate({ keyspace }: CommandContext, args: Args, operation: BitOperation): Buffer | null {
  const { store } = keyspace;
  const sources: Found[] = [];
  for (let i = 3; i < args.count; i++) {
    const slot = keyspace.read(args.buffer, args.start(i), args.end(i));
    if (slot !== 0 && store.typeOf(slot) !== STRING) return null;
    sources.push(new Found());
  }
  // Looked up only now: one that has expired may just have been removed, which moves the others.
  sources.forEach((source, i) => {
    const slot = keyspace.find(args.buffer, args.start(i + 3), args.end(i + 3));
    if (slot !== 0) store.view(slot, source);
  });
  const result = Buffer.alloc(Math.max(...sources.map(({ start, end }) => end - start)));
  const [{ buffer, start, end }, ...others] = sources;
  buffer.copy(result, 0, start, end);
  if (operation === 'NOT') for (let i = 0; i < result.length; i++) result[i] = ~result[i];
  for (const source of others) combine(operation, result, source);
  return result;
}

function bitOp(context: CommandContext, args: Args, reply: RespWriter) {
  const { keyspace } = context;
  const { buffer } = args;
  const operation = operations.find((name) => args.equalsIgnoreCase(1, name));
  if (operation === undefined) return reply.error(SYNTAX_ERROR);
  if (operation === 'NOT' && args.count !== 4) return reply.error(ONE_SOURCE);
  const result = operate(context, args, operation);
  if (result === null) return reply.error(WRONG_TYPE);
  const refusal = refusalOfValue(keyspace, args, 2, () => result.length);
  if (refusal !== null) return reply.error(refusal);
  const target = keyspace.write(buffer, args.start(2), args.end(2));
  if (result.length > 0) {
    const slot = target || keyspace.insert(buffer, args.start(2), args.end(2));
    keyspace.setBytes(slot, result, 0, result.length, 0);
    // To Redis, the result of an operation is no number and no short text, whatever its bytes are.
    keyspace.store.writeAt(keyspace.store.find(buffer, args.start(2), args.end(2)), 0, result, 0, 0);
    keyspace.notify(NOTIFY_STRING, 'set', buffer, args.start(2), args.end(2));
  } else if (target !== 0) {
    keyspace.remove(target);
    keyspace.notify(NOTIFY_GENERIC, 'del', buffer, args.start(2), args.end(2));
  } else {
    keyspace.voidLease(buffer, args.start(2), args.end(2));
  }
  reply.integer(result.length);
}

/** Commands on the bits of a string. */
export const bitmapCommands: CommandHandlers = {
  SETBIT: setBit,
  GETBIT: getBit,
  BITCOUNT: bitCount,
  BITPOS: bitPos,
  BITOP: bitOp,
};
