import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import { NOTIFY_STRING } from '../data-set.ts';
import type { Keyspace } from '../keyspace.ts';
import { type Slot, STRING } from '../store/index.ts';
import { Found } from '../values/index.ts';
import { BAD_OFFSET } from './bitmaps.ts';
import { FieldBytes, readField } from './bits.ts';
import {
  type CommandContext,
  type CommandHandlers,
  NOT_AN_INTEGER,
  SYNTAX_ERROR,
  WRONG_TYPE,
} from './command.ts';
import { lengthened, maxStringBytes } from './string-edits.ts';

const BAD_TYPE =
  'ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.';
const TYPE = /^([iu])([1-9]\d?)/;

type Overflow = 'WRAP' | 'SAT' | 'FAIL';
const overflows: readonly Overflow[] = ['WRAP', 'SAT', 'FAIL'];

/** One operation on one field. */
interface Operation {
  readonly kind: 'GET' | 'SET' | 'INCRBY';
  readonly signed: boolean;
  readonly width: number;
  readonly offset: number;
  readonly value: bigint;
  readonly overflow: Overflow;
}

/** Type, offset and value of an operation, or the text of an error. */
type Field = Omit<Operation, 'kind' | 'overflow'> | string;

function parseField(context: CommandContext, args: Args, i: number, hasValue: boolean): Field {
  const type = args.latin1(i);
  // The type ends at a zero byte, as all that Redis takes for a text of C.
  const end = type.indexOf('\0');
  const [text, letter, digits] = TYPE.exec(type) ?? [];
  const width = Number(digits);
  const signed = letter === 'i';
  const isType = text !== undefined && text.length === (end < 0 ? type.length : end);
  if (!isType || width > (signed ? 64 : 63)) return BAD_TYPE;
  const offset = parseOffset(context, args, i + 1, width);
  if (offset === null) return BAD_OFFSET;
  const value = hasValue ? args.bigint(i + 2) : 0n;
  return value === null ? NOT_AN_INTEGER : { signed, width, offset, value };
}

/** A place in bits, or with `#` before it in widths of the field; null when it is none. */
function parseOffset(context: CommandContext, args: Args, i: number, width: number): number | null {
  const text = args.latin1(i);
  const inWidths = text.startsWith('#');
  const digits = inWidths ? text.slice(1) : text;
  if (!/^(?:0|[1-9]\d{0,14})$/.test(digits)) return null;
  const offset = Number(digits) * (inWidths ? width : 1);
  return Math.floor(offset / 8) < maxStringBytes(context) ? offset : null;
}

function kindOf(args: Args, i: number): Operation['kind'] | null {
  const left = args.count - i - 1;
  if (left >= 2 && args.equalsIgnoreCase(i, 'GET')) return 'GET';
  if (left >= 3 && args.equalsIgnoreCase(i, 'SET')) return 'SET';
  return left >= 3 && args.equalsIgnoreCase(i, 'INCRBY') ? 'INCRBY' : null;
}

/** All operations, or the text of an error. */
function parse(context: CommandContext, args: Args): Operation[] | string {
  const parsed: Operation[] = [];
  let overflow: Overflow = 'WRAP';
  for (let i = 2; i < args.count; i++) {
    if (i + 1 < args.count && args.equalsIgnoreCase(i, 'OVERFLOW')) {
      const named = overflows.find((name) => args.equalsIgnoreCase(i + 1, name));
      if (named === undefined) return 'ERR Invalid OVERFLOW type specified';
      overflow = named;
      i++;
      continue;
    }
    const kind = kindOf(args, i);
    if (kind === null) return SYNTAX_ERROR;
    const field = parseField(context, args, i + 1, kind !== 'GET');
    if (typeof field === 'string') return field;
    parsed.push({ ...field, kind, overflow });
    i += kind === 'GET' ? 2 : 3;
  }
  return parsed;
}

/** Which limit `value` + `by` goes beyond: 1 the upper, -1 the lower, 0 none. In 64 bits that overflow, since Redis's do. */
function limitBeyond(value: bigint, by: bigint, width: number, signed: boolean): -1 | 0 | 1 {
  const max = (1n << BigInt(signed ? width - 1 : width)) - 1n;
  const min = signed ? -max - 1n : 0n;
  const isWide = signed && width === 64;
  if (value > max || isBeyond(by, BigInt.asIntN(64, max - value), isWide, value >= 0n)) return 1;
  const below = by < 0n && by < BigInt.asIntN(64, min - value);
  const isBelow = signed && !isWide ? by < BigInt.asIntN(64, min - value) : below && (!signed || value < 0n);
  return value < min || isBelow ? -1 : 0;
}

function isBeyond(by: bigint, most: bigint, isWide: boolean, isPositive: boolean): boolean {
  return by > most && (!isWide || (isPositive && by > 0n));
}

/** What the field becomes; null when that is not to be. */
function outcome({ kind, signed, width, value, overflow }: Operation, former: bigint): bigint | null {
  const base = kind === 'SET' ? (signed ? value : BigInt.asUintN(64, value)) : former;
  const by = kind === 'SET' ? 0n : value;
  const beyond = limitBeyond(base, by, width, signed);
  if (beyond === 0) return base + by;
  if (overflow === 'FAIL') return null;
  if (overflow === 'WRAP') return signed ? BigInt.asIntN(width, base + by) : BigInt.asUintN(width, base + by);
  const max = (1n << BigInt(signed ? width - 1 : width)) - 1n;
  if (beyond > 0) return max;
  return signed ? -max - 1n : 0n;
}

const current = new Found();
const changed = new FieldBytes();

function fieldIn(keyspace: Keyspace, slot: Slot, { offset, width, signed }: Operation): bigint {
  if (slot === 0) return 0n;
  keyspace.store.view(slot, current);
  return readField(current.buffer, current.start, current.end, offset, width, signed);
}

/** Does SET or INCRBY, in a string that is longer now; returns whether anything is otherwise than before. */
function change(
  keyspace: Keyspace,
  slot: Slot,
  operation: Operation,
  isLonger: boolean,
  reply: RespWriter,
): boolean {
  const former = fieldIn(keyspace, slot, operation);
  const value = outcome(operation, former);
  if (value === null) {
    reply.nullBulk();
    return false;
  }
  reply.integer(operation.kind === 'SET' ? former : value);
  if (value === former) return isLonger;
  changed.set(current.buffer, current.start, operation.offset, operation.width, value);
  keyspace.store.writeAt(slot, changed.at, changed.bytes, 0, changed.length);
  return true;
}

function run(
  keyspace: Keyspace,
  operations: Operation[],
  slot: Slot,
  isLonger: boolean,
  reply: RespWriter,
): boolean {
  let isChanged = false;
  reply.arrayHeader(operations.length);
  for (const operation of operations) {
    if (operation.kind === 'GET') reply.integer(fieldIn(keyspace, slot, operation));
    else if (change(keyspace, slot, operation, isLonger, reply)) isChanged = true;
  }
  return isChanged;
}

function bitField(context: CommandContext, args: Args, reply: RespWriter) {
  const { keyspace } = context;
  const operations = parse(context, args);
  if (typeof operations === 'string') return reply.error(operations);
  const writes = operations.filter(({ kind }) => kind !== 'GET');
  if (writes.length === 0) return readFields(context, args, operations, reply);
  const { buffer } = args;
  const found = keyspace.write(buffer, args.start(1), args.end(1));
  if (found !== 0 && keyspace.store.typeOf(found) !== STRING) return reply.error(WRONG_TYPE);
  const bytes = Math.max(...writes.map(({ offset, width }) => Math.floor((offset + width - 1) / 8) + 1));
  const isLonger = found === 0 || keyspace.store.length(found) < bytes;
  const slot = lengthened(keyspace, args, found, bytes);
  // To Redis, a string with fields is no number and no short text any more, whether or not they change.
  keyspace.store.writeAt(slot, 0, buffer, 0, 0);
  const isChanged = run(keyspace, operations, slot, isLonger, reply);
  if (isChanged || isLonger) keyspace.modified(slot);
  // To Redis, a string that has only become longer, since all operations failed, is none that has changed.
  if (isChanged) keyspace.notify(NOTIFY_STRING, 'setbit', buffer, args.start(1), args.end(1));
}

function readFields({ keyspace }: CommandContext, args: Args, operations: Operation[], reply: RespWriter) {
  const slot = keyspace.read(args.buffer, args.start(1), args.end(1));
  if (slot !== 0 && keyspace.store.typeOf(slot) !== STRING) return reply.error(WRONG_TYPE);
  run(keyspace, operations, slot, false, reply);
}

function bitFieldReadOnly(context: CommandContext, args: Args, reply: RespWriter) {
  const operations = parse(context, args);
  if (typeof operations === 'string') return reply.error(operations);
  if (operations.some(({ kind }) => kind !== 'GET')) {
    return reply.error('ERR BITFIELD_RO only supports the GET subcommand');
  }
  readFields(context, args, operations, reply);
}

/** Numbers of any width in a string. */
export const bitFieldCommands: CommandHandlers = {
  BITFIELD: bitField,
  BITFIELD_RO: bitFieldReadOnly,
};
