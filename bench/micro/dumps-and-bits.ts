import { bench, run, summary } from 'mitata';
import { seededRandom } from '../../lib/base/index.ts';
import { Crc64, ListpackCursor, ListpackWriter, lzfCompress, lzfExpand } from '../../lib/codec/rdb/index.ts';
import { countBits, FieldBytes, findBit, readField } from '../../node/commands/bits.ts';

/* What DUMP, RESTORE and the commands on bits spend their time with; each beside the obvious way. */

const BYTES = 64 * 1024;
const random = seededRandom(1);
const noise = Buffer.from(Array.from({ length: BYTES }, () => random.int(256)));
const text = Buffer.from('{"id":12345,"name":"a name","tags":["one","two"]},'.repeat(BYTES / 50));
const zeros = Buffer.alloc(BYTES);
const target = Buffer.alloc(BYTES);
const packedText = Buffer.from(target.subarray(0, lzfCompress(text, 0, text.length, target, text.length)));

const MASK = 2n ** 64n - 1n;

/** One bit a step. */
function obviousCrc(bytes: Buffer): bigint {
  let crc = 0n;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = ((crc >> 1n) ^ ((crc & 1n) * 0x95ac9329ac4bc9b5n)) & MASK;
  }
  return crc;
}

function obviousCount(bytes: Buffer): number {
  let count = 0;
  for (const byte of bytes) for (let rest = byte; rest > 0; rest &= rest - 1) count++;
  return count;
}

summary(() => {
  bench('CRC-64 of 64 kB', () => new Crc64().update(noise, 0, BYTES)).baseline(true);
  bench('CRC-64 of 64 kB, bit by bit (1/64 of it)', () => obviousCrc(noise.subarray(0, BYTES / 64)));
});

summary(() => {
  bench('BITCOUNT of 64 kB', () => countBits(noise, 0, 0, BYTES * 8 - 1)).baseline(true);
  bench('BITCOUNT of 64 kB, bit by bit', () => obviousCount(noise));
  bench('BITPOS through 64 kB of zeros', () => findBit(zeros, 0, 0, BYTES * 8 - 1, 1));
});

const field = new FieldBytes();

summary(() => {
  bench('a field of 16 bits, read and set', () =>
    field.set(noise, 0, 1003, 16, readField(noise, 0, BYTES, 1003, 16, false)),
  ).baseline(true);
  bench('a field of 63 bits, read and set', () =>
    field.set(noise, 0, 1003, 63, readField(noise, 0, BYTES, 1003, 63, true)),
  );
});

summary(() => {
  bench('LZF of 64 kB of JSON, compressed', () => lzfCompress(text, 0, text.length, target, text.length));
  bench('LZF of 64 kB of noise, given up', () => lzfCompress(noise, 0, BYTES, target, BYTES - 4));
  bench('LZF of 64 kB of JSON, expanded', () => lzfExpand(packedText, 0, packedText.length, text.length));
});

const elements = Array.from({ length: 128 }, (_, i) =>
  Buffer.from(i % 2 === 0 ? `member:${i}` : String(i * 1000)),
);
const packed = new ListpackWriter();

function pack(): Buffer {
  packed.clear();
  for (const element of elements) packed.add(element, 0, element.length);
  return packed.finish();
}

summary(() => {
  const cursor = new ListpackCursor();
  bench('a listpack of 128, written', pack);
  bench('a listpack of 128, read', () => {
    const bytes = pack();
    cursor.open(bytes, 0, bytes.length);
    while (cursor.next());
  });
});

await run();
