import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import { NOTIFY_GENERIC, NOTIFY_LIST } from '../data-set.ts';
import type { Keyspace } from '../keyspace.ts';
import { HASH, LIST, SET, type Slot, STRING, ZSET } from '../store/index.ts';
import { refusalOfValue } from '../value-limit.ts';
import { HashValue, ListValue, SetValue, ZsetValue } from '../values/index.ts';
import { type CommandContext, type CommandHandlers, WRONG_TYPE } from './command.ts';
import { notify } from './lookup.ts';
import { parseSort, type SortOptions } from './sort-options.ts';
import { parseWeight } from './strtod.ts';

const NOT_A_DOUBLE = "ERR One or more scores can't be converted into double";

/** An element, and what it is sorted by. */
interface Sortable {
  readonly element: Buffer;
  weight: number;
  /** With ALPHA and BY. */
  text: Buffer | null;
}

/** Copies of all elements, in their order. */
function elementsOf(keyspace: Keyspace, slot: Slot): Sortable[] {
  const found: Sortable[] = [];
  const add = (buffer: Buffer, start: number, end: number) => {
    found.push({ element: Buffer.from(buffer.subarray(start, end)), weight: 0, text: null });
    return true;
  };
  const type = keyspace.store.typeOf(slot);
  if (type === LIST) ListValue.open(keyspace, slot).walk(0, false, add);
  else if (type === ZSET) ZsetValue.open(keyspace, slot).walk(0, false, add);
  else
    SetValue.open(keyspace, slot).forEach((buffer, start, end) => {
      add(buffer, start, end);
    });
  return found;
}

/**
 * What a pattern of BY or GET stands for: the element itself for `#`, else the string at the key, or with `->` the field of the hash at
 * the key, that has the element in place of the `*`. A copy; null when there is none.
 */
function lookUp(keyspace: Keyspace, pattern: string, element: Buffer): Buffer | null {
  if (pattern === '#') return element;
  const star = pattern.indexOf('*');
  if (star < 0) return null;
  const arrow = pattern.indexOf('->', star + 1);
  const hasField = arrow >= 0 && arrow + 2 < pattern.length;
  const behind = pattern.slice(star + 1, hasField ? arrow : undefined);
  const key = Buffer.concat([
    Buffer.from(pattern.slice(0, star), 'latin1'),
    element,
    Buffer.from(behind, 'latin1'),
  ]);
  const slot = keyspace.read(key, 0, key.length);
  if (slot === 0) return null;
  return hasField
    ? fieldOf(keyspace, slot, Buffer.from(pattern.slice(arrow + 2), 'latin1'))
    : stringOf(keyspace, slot);
}

function fieldOf(keyspace: Keyspace, slot: Slot, field: Buffer): Buffer | null {
  if (keyspace.store.typeOf(slot) !== HASH) return null;
  const hash = HashValue.open(keyspace, slot);
  if (!hash.find(field, 0, field.length)) return null;
  const { buffer, start, end } = hash.value;
  return Buffer.from(buffer.subarray(start, end));
}

function stringOf({ store }: Keyspace, slot: Slot): Buffer | null {
  if (store.typeOf(slot) !== STRING) return null;
  const value = Buffer.allocUnsafe(store.length(slot));
  store.copyValue(slot, value, 0);
  return value;
}

/** Gives the elements what they are sorted by; false when something that should be a number is none. */
function weigh(keyspace: Keyspace, elements: readonly Sortable[], { alpha, by }: SortOptions): boolean {
  for (const sortable of elements) {
    const text = by === null ? sortable.element : lookUp(keyspace, by, sortable.element);
    if (alpha) sortable.text = text;
    if (alpha || text === null) continue;
    const weight = parseWeight(text, 0, text.length);
    if (weight === null) return false;
    sortable.weight = weight;
  }
  return true;
}

function compareTexts(a: Buffer | null, b: Buffer | null): number {
  if (a !== null && b !== null) return a.compare(b);
  return a === b ? 0 : a === null ? -1 : 1;
}

/** Equal numbers are ordered by their bytes, so that the result is always the same. */
function compareWeights(a: Sortable, b: Sortable): number {
  return a.weight === b.weight ? a.element.compare(b.element) : a.weight < b.weight ? -1 : 1;
}

/** The elements in the order asked for, cut to the limit; null when they cannot be sorted as numbers. */
function sorted(keyspace: Keyspace, slot: Slot, options: SortOptions): Sortable[] | null {
  if (slot === 0) return [];
  const isSet = keyspace.store.typeOf(slot) === SET;
  const elements = elementsOf(keyspace, slot);
  const asTheyAre = options.by !== null && !options.by.includes('*');
  // The order of a set means nothing, and what is stored must not depend on it.
  const how = asTheyAre && isSet && options.storeAt > 0 ? { ...options, alpha: true, by: null } : options;
  if (asTheyAre && how === options) {
    if (options.descending && !isSet) elements.reverse();
  } else {
    if (!weigh(keyspace, elements, how)) return null;
    const sign = how.descending ? -1 : 1;
    elements.sort((a, b) => sign * (how.alpha ? compareTexts(a.text, b.text) : compareWeights(a, b)));
  }
  const first = Math.max(0, options.offset);
  return elements.slice(first, options.count < 0 ? undefined : first + options.count);
}

/** What is answered or stored for the elements, one after the other. */
function* outputOf(
  keyspace: Keyspace,
  elements: readonly Sortable[],
  { get }: SortOptions,
): Generator<Buffer | null> {
  for (const { element } of elements) {
    if (get.length === 0) yield element;
    for (const pattern of get) yield lookUp(keyspace, pattern, element);
  }
}

function store(keyspace: Keyspace, args: Args, keyAt: number, values: readonly (Buffer | null)[]): void {
  const { buffer } = args;
  const start = args.start(keyAt);
  const end = args.end(keyAt);
  const former = keyspace.write(buffer, start, end);
  if (values.length === 0) {
    if (former === 0) {
      keyspace.voidLease(buffer, start, end);
    } else {
      keyspace.remove(former);
      notify(keyspace, NOTIFY_GENERIC, 'del', args, keyAt);
    }
    return;
  }
  if (former !== 0) keyspace.replace(former);
  const list = ListValue.create(keyspace, buffer, start, end);
  for (const value of values) list.push(false, value ?? Buffer.alloc(0), 0, value?.length ?? 0);
  keyspace.modified(list.slot);
  keyspace.logValue(keyspace.store.find(buffer, start, end));
  notify(keyspace, NOTIFY_LIST, 'sortstore', args, keyAt);
  keyspace.signalReady(buffer, start, end);
}

function sortCommand(stores: boolean) {
  return ({ keyspace, client, node }: CommandContext, args: Args, reply: RespWriter) => {
    const options = parseSort(args, stores, node.access.readsAllKeys(client, args));
    if (typeof options === 'string') return reply.error(options);
    const slot = keyspace.read(args.buffer, args.start(1), args.end(1));
    const type = slot === 0 ? LIST : keyspace.store.typeOf(slot);
    if (type === STRING || type === HASH) return reply.error(WRONG_TYPE);
    const elements = sorted(keyspace, slot, options);
    if (elements === null) return reply.error(NOT_A_DOUBLE);
    if (options.storeAt > 0) {
      const values = [...outputOf(keyspace, elements, options)];
      const longest = () => values.reduce((bytes, value) => Math.max(bytes, value?.length ?? 0), 0);
      const refusal = refusalOfValue(keyspace, args, options.storeAt, longest);
      if (refusal !== null) return reply.error(refusal);
      store(keyspace, args, options.storeAt, values);
      return reply.integer(values.length);
    }
    reply.arrayHeader(elements.length * Math.max(1, options.get.length));
    for (const value of outputOf(keyspace, elements, options)) {
      if (value === null) reply.nullBulk();
      else reply.bulk(value);
    }
  };
}

/** Elements of a list, a set or a sorted set in an order that is asked for. */
export const sortCommands: CommandHandlers = { SORT: sortCommand(true), SORT_RO: sortCommand(false) };
