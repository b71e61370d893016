import t from 'tap';
import { countBits, FieldBytes, findBit, readField } from '../../node/commands/bits.ts';
import { fc } from '../support/fast-check.ts';

/* Bits of byte ranges, against strings of zeros and ones. */

/** Bytes somewhere in a larger buffer, so that every alignment comes up. */
const place = fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 80 }), fc.nat(9)).map(([bytes, start]) => {
  const buffer = Buffer.alloc(start + bytes.length + 16, 0xa5);
  buffer.set(bytes, start);
  return { buffer, start, length: bytes.length, text: textOf(Buffer.from(bytes)) };
});
const range = fc.tuple(fc.nat(), fc.nat());

function textOf(bytes: Buffer): string {
  return [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
}

/** Two bits of the text, in order. */
function between([a, b]: [number, number], text: string): [number, number] {
  const [first, last] = [a % text.length, b % text.length].sort((x, y) => x - y);
  return [first, last];
}

t.test('bits are counted and found', async (t) => {
  fc.assert(
    fc.property(place, range, ({ buffer, start, text }, ends) => {
      const [first, last] = between(ends, text);
      const part = text.slice(first, last + 1);
      const expected = (bit: string) => (part.includes(bit) ? first + part.indexOf(bit) : -1);
      return (
        countBits(buffer, start, first, last) === part.replaceAll('0', '').length &&
        findBit(buffer, start, first, last, 1) === expected('1') &&
        findBit(buffer, start, first, last, 0) === expected('0')
      );
    }),
    { numRuns: 2000 },
  );
  const zeros = Buffer.alloc(5000);
  zeros[4999] = 1;
  t.equal(findBit(zeros, 0, 0, 39_999, 1), 39_999);
  t.equal(findBit(zeros, 0, 0, 39_998, 1), -1);
  t.equal(countBits(Buffer.alloc(5000, 0xff), 1, 3, 39_990), 39_988);
});

t.test('fields are read and set', async (t) => {
  const changed = new FieldBytes();
  fc.assert(
    fc.property(
      place,
      fc.integer({ min: 1, max: 64 }),
      fc.nat(),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      ({ buffer, start, length, text }, width, at, value) => {
        const offset = at % (text.length + 20);
        const bits = text.padEnd(text.length + 200, '0').slice(offset, offset + width);
        const read = (signed: boolean) => readField(buffer, start, start + length, offset, width, signed);
        const isRead =
          read(false) === BigInt(`0b${bits}`) && read(true) === BigInt.asIntN(width, BigInt(`0b${bits}`));
        if (offset + width > text.length) return isRead;
        changed.set(buffer, start, offset, width, value);
        changed.bytes.copy(buffer, start + changed.at, 0, changed.length);
        const wanted = BigInt.asUintN(width, value).toString(2).padStart(width, '0');
        const after = text.slice(0, offset) + wanted + text.slice(offset + width);
        return isRead && textOf(buffer.subarray(start, start + length)) === after;
      },
    ),
    { numRuns: 3000 },
  );
  t.pass();
});
