import {
  RDB_HASH,
  RDB_LIST,
  RDB_SET,
  RDB_STRING,
  RDB_ZSET_2,
  type RdbFileWriter,
  RdbWriter,
  type RdbWriterOptions,
} from '../../lib/codec/rdb/index.ts';
import type { Keyspace } from '../keyspace.ts';
import { HASH, LIST, SET, type Slot, STRING, ZSET } from '../store/index.ts';
import type { ChunkList, OrderedTable, TableObject } from '../values/index.ts';
import { writeFacts } from './entry-facts.ts';
import type { LargeElements } from './large-elements.ts';
import { LargeList } from './large-list.ts';
import { LargeString } from './large-string.ts';
import { LargeTable, LargeZset } from './large-table.ts';

/** A collection above this is written in parts, and a string above that, which is not compressed then. */
const LARGE_BYTES = 32 << 10;
const LARGE_STRING_BYTES = 256 << 10;

/** Whether writing the value at once would be noticed. */
export function isLarge({ store }: Keyspace, slot: Slot): boolean {
  if (store.objectOf(slot) !== null) return store.bytesOf(slot) > LARGE_BYTES;
  return store.length(slot) > LARGE_STRING_BYTES && store.typeOf(slot) === STRING;
}

/** What each type is in a file, element by element. */
const rdbTypes: Readonly<Record<number, number>> = {
  [STRING]: RDB_STRING,
  [HASH]: RDB_HASH,
  [LIST]: RDB_LIST,
  [SET]: RDB_SET,
  [ZSET]: RDB_ZSET_2,
};

function elementsOf({ store, data }: Keyspace, slot: Slot, options: RdbWriterOptions): LargeElements {
  const type = store.typeOf(slot);
  const object = store.objectOf(slot);
  if (type === STRING) return new LargeString(store, slot);
  if (type === LIST) return new LargeList(object as ChunkList);
  if (type === ZSET) return new LargeZset(object as OrderedTable, data.hashSeed, options);
  return new LargeTable((object as TableObject).table, type === HASH, data.hashSeed, options);
}

/** An entry that is written in parts, as it was when this was made, whatever becomes of it meanwhile. */
export class LargeValue {
  /** One character a byte. */
  readonly key: string;
  readonly #database: number;
  readonly #expiresAt: number;
  /** What stands before the value, and what it begins with. */
  readonly #facts: RdbWriter;
  readonly #beginning: RdbWriter;
  readonly #elements: LargeElements;

  constructor(keyspace: Keyspace, slot: Slot, database: number, options: RdbWriterOptions) {
    const { store, marks } = keyspace;
    this.key = store.keyOf(slot);
    this.#database = database;
    this.#expiresAt = store.expiresAt(slot);
    this.#facts = new RdbWriter(options);
    writeFacts(this.#facts, store, slot, marks.isUsed ? marks.of(store, slot) : null);
    this.#elements = elementsOf(keyspace, slot, options);
    this.#beginning = new RdbWriter(options);
    this.#beginning.byte(rdbTypes[store.typeOf(slot)]);
    const key = Buffer.from(this.key, 'latin1');
    this.#beginning.string(key, 0, key.length);
    this.#beginning.count(this.#elements.size);
  }

  /** The string that it is, which has to be told before it changes; null for a collection, which sees that itself. */
  get string(): LargeString | null {
    return this.#elements instanceof LargeString ? this.#elements : null;
  }

  /** Bytes that are kept for it since the collection has changed. */
  get keptBytes(): number {
    return this.#elements.keptBytes;
  }

  /** Writes what stands before the elements, which go to `file.front` from then on. */
  open(file: RdbFileWriter): void {
    file.select(this.#database);
    file.parts.raw(this.#facts.buffer, 0, this.#facts.length);
    if (this.#expiresAt !== 0) file.expiry(this.#expiresAt);
    file.parts.raw(this.#beginning.buffer, 0, this.#beginning.length);
    file.divide();
  }

  /** Writes the next part of the elements; returns whether there are more. */
  write(writer: RdbWriter): boolean {
    return this.#elements.write(writer);
  }

  /** Nothing more will be written. */
  close(): void {
    this.#elements.close();
  }
}
