import type { RdbKind, RdbSink } from '../../lib/codec/rdb/index.ts';
import type { Keyspace } from '../keyspace.ts';
import type { Slot } from '../store/index.ts';
import { HashValue } from './hash.ts';
import { ListValue } from './list.ts';
import { SetValue } from './set.ts';
import { ZsetValue } from './zset.ts';

/** Makes an entry of a value that is read, for a key that is not there. */
export class EntryBuilder implements RdbSink {
  readonly #keyspace: Keyspace;
  readonly #key: Buffer;
  readonly #start: number;
  readonly #end: number;
  #string: Slot = 0;
  #list: ListValue | null = null;
  #set: SetValue | null = null;
  #zset: ZsetValue | null = null;
  #hash: HashValue | null = null;

  constructor(keyspace: Keyspace, key: Buffer, start: number, end: number) {
    this.#keyspace = keyspace;
    this.#key = key;
    this.#start = start;
    this.#end = end;
  }

  /** The entry, once the value is read. */
  get slot(): Slot {
    const collection = this.#hash ?? this.#set ?? this.#zset ?? this.#list;
    return collection?.slot ?? this.#string;
  }

  begin(kind: RdbKind): void {
    const key = this.#key;
    const start = this.#start;
    const end = this.#end;
    if (kind === 'list') this.#list = ListValue.create(this.#keyspace, key, start, end);
    else if (kind === 'set') this.#set = SetValue.create(this.#keyspace, key, start, end);
    else if (kind === 'zset') this.#zset = ZsetValue.create(this.#keyspace, key, start, end);
    else if (kind === 'hash') this.#hash = HashValue.create(this.#keyspace, key, start, end);
  }

  string(buffer: Buffer, start: number, end: number): void {
    const slot = this.#keyspace.insert(this.#key, this.#start, this.#end);
    this.#keyspace.store.setBytes(slot, buffer, start, end);
    this.#string = slot;
  }

  element(buffer: Buffer, start: number, end: number): boolean {
    if (this.#set) return this.#set.add(buffer, start, end);
    this.#list!.push(false, buffer, start, end);
    return true;
  }

  member(buffer: Buffer, start: number, end: number, score: number): boolean {
    return this.#zset!.set(score, buffer, start, end);
  }

  field(
    fieldBuffer: Buffer,
    fieldStart: number,
    fieldEnd: number,
    valueBuffer: Buffer,
    valueStart: number,
    valueEnd: number,
  ): boolean {
    return this.#hash!.set(fieldBuffer, fieldStart, fieldEnd, valueBuffer, valueStart, valueEnd);
  }
}
