import type { RdbSink } from '../../lib/codec/rdb/index.ts';
import type { Keyspace } from '../keyspace.ts';
import { HASH, LIST, SET, type Slot, type ValueType, ZSET } from '../store/index.ts';
import { HashValue } from './hash.ts';
import { ListValue } from './list.ts';
import { SetValue } from './set.ts';
import { ZsetValue } from './zset.ts';

/** The length of a value that is read: of the string, or of the longest element, field or member. */
export class LongestPart implements RdbSink {
  bytes = 0;

  begin(): void {}

  string(_buffer: Buffer, start: number, end: number): void {
    this.element(_buffer, start, end);
  }

  element(_buffer: Buffer, start: number, end: number): boolean {
    this.bytes = Math.max(this.bytes, end - start);
    return true;
  }

  member(buffer: Buffer, start: number, end: number): boolean {
    return this.element(buffer, start, end);
  }

  field(
    fieldBuffer: Buffer,
    fieldStart: number,
    fieldEnd: number,
    buffer: Buffer,
    start: number,
    end: number,
  ) {
    this.element(fieldBuffer, fieldStart, fieldEnd);
    return this.element(buffer, start, end);
  }
}

const visitors: Partial<Record<ValueType, (keyspace: Keyspace, slot: Slot, found: LongestPart) => void>> = {
  [LIST]: (keyspace, slot, found) =>
    ListValue.open(keyspace, slot).walk(0, false, (buffer, start, end) => found.element(buffer, start, end)),
  [ZSET]: (keyspace, slot, found) =>
    ZsetValue.open(keyspace, slot).walk(0, false, (buffer, start, end) => found.member(buffer, start, end)),
  [SET]: (keyspace, slot, found) =>
    SetValue.open(keyspace, slot).forEach((buffer, start, end) => {
      found.element(buffer, start, end);
    }),
  [HASH]: (keyspace, slot, found) =>
    HashValue.open(keyspace, slot).forEach((...field) => {
      found.field(...field);
    }),
};

/** As `LongestPart`, of an entry. Looks at all elements. */
export function longestPartOf(keyspace: Keyspace, slot: Slot): number {
  const visit = visitors[keyspace.store.typeOf(slot)];
  if (visit === undefined) return keyspace.store.length(slot);
  const found = new LongestPart();
  visit(keyspace, slot, found);
  return found.bytes;
}
