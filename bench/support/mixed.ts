import { type Chunk, fillWith } from './fill.ts';

const VALUE_BYTES = 100;
const ELEMENTS = 5;
const OK_BYTES = '+OK\r\n'.length;
const COUNT_BYTES = `:${ELEMENTS}\r\n`.length;

/** Makes entry `i`: strings, hashes, lists, sets and sorted sets by turns. */
const kinds: readonly ((i: number, key: string) => string[])[] = [
  (_, key) => ['SET', key, 'x'.repeat(VALUE_BYTES)],
  (i, key) => ['HSET', key, ...elements((j) => [`field${j}`, `value${i}${j}`])],
  (i, key) => ['RPUSH', key, ...elements((j) => [`element${i}${j}`])],
  (i, key) => ['SADD', key, ...elements((j) => [`member${i}${j}`])],
  (i, key) => ['ZADD', key, ...elements((j) => [`${(i * j) % 1000}`, `member${i}${j}`])],
];

function elements(partsOf: (j: number) => string[]): string[] {
  return Array.from({ length: ELEMENTS }, (_, j) => partsOf(j)).flat();
}

function chunkOf(from: number, to: number): Chunk {
  let text = '';
  let replyBytes = 0;
  for (let i = from; i < to; i++) {
    const parts = kinds[i % kinds.length](i, `key:${i}`);
    text += `*${parts.length}\r\n${parts.map((part) => `$${part.length}\r\n${part}\r\n`).join('')}`;
    replyBytes += i % kinds.length === 0 ? OK_BYTES : COUNT_BYTES;
  }
  return { bytes: Buffer.from(text, 'latin1'), replyBytes };
}

/** Writes so many entries of all types, collections of five elements, for keys that are not there. */
export async function fillMixed(port: number, entries: number): Promise<number> {
  return fillWith(port, 0, entries, chunkOf);
}
