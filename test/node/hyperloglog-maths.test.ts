import t from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { countOfRegisters, REGISTERS } from '../../lib/codec/hyperloglog/index.ts';
import { Observation } from '../../node/commands/hyperloglog/hash.ts';
import { isSketch, Sketch } from '../../node/commands/hyperloglog/sketch.ts';
import { Found } from '../../node/values/index.ts';
import { fc } from '../support/fast-check.ts';

/* HyperLogLogs beside a plain array of registers, and their hash beside one of 64-bit numbers. */

const MULTIPLIER = 0xc6a4a7935bd1e995n;
const MASK = 2n ** 64n - 1n;

function obviousHash(bytes: Buffer): bigint {
  let hash = (0xadc83b19n ^ (BigInt(bytes.length) * MULTIPLIER)) & MASK;
  const whole = bytes.length & ~7;
  for (let at = 0; at < whole; at += 8) {
    let k = (bytes.readBigUInt64LE(at) * MULTIPLIER) & MASK;
    k = ((k ^ (k >> 47n)) * MULTIPLIER) & MASK;
    hash = ((hash ^ k) * MULTIPLIER) & MASK;
  }
  for (let at = whole; at < bytes.length; at++) hash ^= BigInt(bytes[at]) << BigInt(8 * (at - whole));
  if (whole < bytes.length) hash = (hash * MULTIPLIER) & MASK;
  hash = ((hash ^ (hash >> 47n)) * MULTIPLIER) & MASK;
  return hash ^ (hash >> 47n);
}

t.test('the register of an element and its value', async () => {
  const observation = new Observation();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (element) => {
      const bytes = Buffer.from(element);
      observation.of(bytes, 0, bytes.length);
      const hash = obviousHash(bytes);
      let rest = (hash >> 14n) | (1n << 50n);
      let value = 1;
      for (; (rest & 1n) === 0n; rest >>= 1n) value++;
      return observation.register === Number(hash & 16383n) && observation.value === value;
    }),
    { numRuns: 2000 },
  );
});

t.test('the sparse form and the dense one have the registers of a plain array', async (t) => {
  const random = seededRandom(7);
  const sketch = new Sketch();
  for (const [rounds, maxSparseBytes] of [
    [30, 3000],
    [1500, 1_000_000],
    [1500, 300],
  ]) {
    sketch.clear();
    const plain = new Uint8Array(REGISTERS);
    for (let i = 0; i < rounds; i++) {
      // Neighbours and equal values, so that runs are split and become one again.
      const register = random.int(3) === 0 ? random.int(REGISTERS) : random.int(200);
      const value = 1 + random.int(random.int(50) === 0 ? 50 : 4);
      const change = sketch.raise(register, value, maxSparseBytes);
      t.ok(change === (value > plain[register] ? 'changed' : 'same'), 'says whether it changed');
      plain[register] = Math.max(plain[register], value);
    }
    const values = new Uint8Array(REGISTERS);
    t.ok(sketch.mergeInto(values));
    t.ok(Buffer.compare(values, plain) === 0, `${rounds} rounds, dense: ${sketch.isDense}`);
    t.equal(sketch.count(), countOfRegisters(plain));
    const found = new Found();
    found.set(sketch.bytes, 0, sketch.length);
    t.ok(isSketch(found));
    t.ok(sketch.makeDense());
    t.equal(sketch.count(), countOfRegisters(plain), 'as a dense one');
  }
});

t.test('any bytes are a HyperLogLog, or none, or corrupted', async () => {
  const sketch = new Sketch();
  const found = new Found();
  const header = [0x48, 0x59, 0x4c, 0x4c, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80];
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(REGISTERS - 1), (runs, register) => {
      const bytes = Buffer.from([...header, ...runs]);
      found.set(bytes, 0, bytes.length);
      sketch.load(found);
      const isSound = sketch.mergeInto(new Uint8Array(REGISTERS));
      const counted = sketch.count();
      const change = sketch.raise(register, 3, 3000);
      return (counted === null) === !isSound && (!isSound || change !== 'corrupted');
    }),
    { numRuns: 3000 },
  );
});
