import { hash as digestOf } from 'node:crypto';
import type { Databases } from '../../databases.ts';
import type { Keyspace } from '../../keyspace.ts';
import { HASH, LIST, SET, type Slot, STRING, typeNames, ZSET } from '../../store/index.ts';
import { HashValue, ListValue, SetValue, ZsetValue } from '../../values/index.ts';

const DIGEST_BYTES = 20;

function sha1(...parts: readonly (string | Buffer)[]): Buffer {
  const bytes = parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part));
  // The lengths first, so that no two lists of parts give the same bytes.
  const head = Buffer.from(`${bytes.map(({ length }) => length).join()}:`);
  return digestOf('sha1', Buffer.concat([head, ...bytes]), 'buffer');
}

/** A digest of many things in any order: the digests of all, one over the other. */
class Unordered {
  readonly digest = Buffer.alloc(DIGEST_BYTES);

  add(...parts: readonly (string | Buffer)[]): void {
    const one = sha1(...parts);
    for (let i = 0; i < DIGEST_BYTES; i++) this.digest[i] ^= one[i];
  }
}

/** A digest of a value, the same wherever and however it is kept. */
export function digestOfValue(keyspace: Keyspace, slot: Slot): Buffer {
  const { store } = keyspace;
  const type = store.typeOf(slot);
  const unordered = new Unordered();
  let ordered: Buffer = Buffer.alloc(0);
  if (type === STRING) ordered = sha1(Buffer.from(store.latin1(slot), 'latin1'));
  if (type === LIST) {
    ListValue.open(keyspace, slot).walk(0, false, (buffer, start, end) => {
      ordered = sha1(ordered, buffer.subarray(start, end));
      return true;
    });
  }
  if (type === SET) {
    SetValue.open(keyspace, slot).forEach((buffer, start, end) => {
      unordered.add(buffer.subarray(start, end));
    });
  }
  if (type === ZSET) {
    ZsetValue.open(keyspace, slot).walk(0, false, (buffer, start, end, score) => {
      unordered.add(buffer.subarray(start, end), String(score));
      return true;
    });
  }
  if (type === HASH) {
    HashValue.open(keyspace, slot).forEach((fieldBuffer, fieldStart, fieldEnd, buffer, start, end) => {
      unordered.add(fieldBuffer.subarray(fieldStart, fieldEnd), buffer.subarray(start, end));
    });
  }
  return sha1(typeNames[type], ordered, unordered.digest);
}

/** A digest of everything in all databases, as 40 hexadecimal digits: zeros when there is nothing. */
export function digestOfAll(databases: Databases): string {
  const all = new Unordered();
  for (const keyspace of databases.all()) {
    const { store } = keyspace;
    // While the index is being resized, an entry may come up twice.
    const seen = new Set<string>();
    const visit = (slot: Slot) => {
      const key = store.keyOf(slot);
      if (seen.has(key)) return;
      seen.add(key);
      const expires = store.expiresAt(slot) === 0 ? '' : 'expires';
      all.add(String(keyspace.index), key, digestOfValue(keyspace, slot), expires);
    };
    let cursor = 0;
    do cursor = store.scan(cursor, visit);
    while (cursor !== 0);
  }
  return all.digest.toString('hex');
}
