import t from 'tap';
import type { AnsweredPart } from '../../proxy/core/gather.ts';
import { acquireRequest } from '../../proxy/core/request.ts';
import { ShardRoute } from '../../proxy/core/topology.ts';
import { ValueMerger } from '../../proxy/core/value-merger.ts';
import { fc } from '../support/fast-check.ts';

/* The values of a split MGET are put into the order of its keys, in WebAssembly. */

const merger = new ValueMerger();

const bulk = (bytes: Uint8Array) =>
  Buffer.concat([Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')]);
const element = fc.oneof(
  { weight: 6, arbitrary: fc.uint8Array({ maxLength: 200 }).map(bulk) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('$-1\r\n', '_\r\n', '$0\r\n\r\n').map((text) => Buffer.from(text)),
  },
);

/** Parts with these elements, each behind a header that is no part of them; where they begin. */
function partsOf(elements: readonly Buffer[], owners: readonly number[], count: number) {
  const starts: number[] = [];
  const parts: AnsweredPart[] = [];
  for (let part = 0; part < count; part++) {
    const own = elements.filter((_, i) => owners[i] === part);
    const header = Buffer.from(`ahead of it*${own.length}\r\n`);
    const reply = acquireRequest();
    reply.bytes = Buffer.concat([header, ...own, Buffer.from('behind')]);
    reply.start = 'ahead of it'.length;
    reply.end = reply.bytes.length - 'behind'.length;
    starts.push(header.length);
    parts.push({ route: new ShardRoute(`s${part}`, null), reply });
  }
  return { parts, starts };
}

t.test('elements come into the order of their keys', async (t) => {
  const keys = fc.array(fc.tuple(element, fc.nat(4)), { minLength: 4, maxLength: 150 });
  let merged = 0;
  const property = fc.property(keys, (some) => {
    const elements = some.map(([bytes]) => bytes);
    const owners = some.map(([, owner]) => owner);
    const { parts, starts } = partsOf(elements, owners, 5);
    const expected = Buffer.concat(elements);
    if (!merger.suits(some.length, parts.length, expected.length)) return true;
    merged++;
    const target = Buffer.alloc(expected.length + 9, 'x');
    t.ok(merger.merge(Uint16Array.from(owners), some.length, parts, starts, target, 4));
    t.same(target, Buffer.concat([Buffer.from('xxxx'), expected, Buffer.from('xxxxx')]));
    return true;
  });
  fc.assert(property, { numRuns: 400 });
  t.ok(merged > 100, `${merged} merges`);
});

t.test('what is no value, or not as many as there are keys, is left to others', async (t) => {
  const values = ['$1\r\na\r\n', '$1\r\nb\r\n', '$1\r\nc\r\n', '$1\r\nd\r\n'].map((text) =>
    Buffer.from(text),
  );
  const owners = [0, 1, 1, 0];
  const target = Buffer.alloc(1000);
  const tries = (elements: readonly Buffer[], keys = 4) => {
    const { parts, starts } = partsOf(elements, owners, 2);
    return merger.merge(Uint16Array.from(owners), keys, parts, starts, target, 0);
  };
  t.ok(tries(values));
  for (const odd of [':1\r\n', '*1\r\n$1\r\na\r\n', '+a\r\n', '-ERR a\r\n', '=5\r\ntxt:a\r\n'])
    t.notOk(tries(values.with(2, Buffer.from(odd))), odd);
  t.notOk(tries(values, 3), 'one more');
  t.notOk(tries(values.slice(0, 3)), 'one fewer');
});

t.test('long values are left to others', async (t) => {
  t.ok(merger.suits(100, 3, 100 * 200));
  t.notOk(merger.suits(3, 3, 100), 'few');
  t.notOk(merger.suits(100, 3, 100 * 300));
  t.notOk(merger.suits(10_000, 3, 100_000), 'more than there is room for');
  t.notOk(merger.suits(20_000, 3, 90_000));
});
