import { readFileSync } from 'node:fs';
import t from 'tap';
import {
  Crc64,
  IntsetCursor,
  isSealed,
  ListpackCursor,
  ListpackWriter,
  lzfCompress,
  lzfExpand,
  type PackedCursor,
  PayloadReader,
  RDB_HASH_ZIPLIST,
  RDB_HASH_ZIPMAP,
  RDB_LIST,
  RDB_LIST_QUICKLIST,
  RDB_LIST_ZIPLIST,
  RDB_SET,
  RDB_STRING,
  RDB_ZSET,
  RDB_ZSET_ZIPLIST,
  RdbFormatError,
  RdbReader,
  type RdbSink,
  RdbWriter,
  sealPayload,
  writeIntset,
} from '../../lib/codec/rdb/index.ts';
import { fc } from '../support/fast-check.ts';

const LIMITS = { maxStringBytes: 1 << 20 };
const latin1 = (text: string) => Buffer.from(text, 'latin1');

/** What redis-server 7.0.15 answers to DUMP, in hexadecimal digits. */
const dumps: Record<string, string> = JSON.parse(
  readFileSync(new URL('vectors/redis-7.0.15-dumps.json', import.meta.url), 'utf8'),
);

/** Writes down what it gets; takes everything for new. */
class Recorder implements RdbSink {
  readonly found: unknown[] = [];

  begin(kind: string): void {
    this.found.push(kind);
  }

  string(buffer: Buffer, start: number, end: number): void {
    this.found.push(buffer.latin1Slice(start, end));
  }

  element(buffer: Buffer, start: number, end: number): boolean {
    return this.found.push(buffer.latin1Slice(start, end)) > 0;
  }

  member(buffer: Buffer, start: number, end: number, score: number): boolean {
    return this.found.push([buffer.latin1Slice(start, end), score]) > 0;
  }

  field(a: Buffer, aStart: number, aEnd: number, b: Buffer, bStart: number, bEnd: number): boolean {
    return this.found.push([a.latin1Slice(aStart, aEnd), b.latin1Slice(bStart, bEnd)]) > 0;
  }
}

function decode(payload: Buffer): unknown[] {
  const record = new Recorder();
  new PayloadReader(LIMITS).read(payload, record);
  return record.found;
}

/** A sealed payload: the type, and what `write` puts behind it. */
function payloadOf(type: number, write: (writer: RdbWriter) => void): Buffer {
  const writer = new RdbWriter({ compresses: false });
  writer.byte(type);
  write(writer);
  return Buffer.from(sealPayload(writer));
}

const packedPayload = (type: number, packed: Buffer) =>
  payloadOf(type, (writer) => writer.string(packed, 0, packed.length));

function add(writer: RdbWriter, text: string): void {
  writer.string(latin1(text), 0, text.length);
}

t.test('the checksum is that of Jones', async (t) => {
  const target = Buffer.alloc(8);
  new Crc64().update(latin1('123456789'), 0, 9).writeTo(target, 0);
  t.equal(target.readBigUInt64LE(0), 0xe9c6d914c4b8d9can);
  const parts = new Crc64().update(latin1('12345'), 0, 5).update(latin1('6789'), 0, 4);
  t.ok(parts.equals(target, 0), 'in parts too');
});

t.test('reads what Redis 7.0 dumps', async (t) => {
  const wanted: Record<string, unknown[]> = {
    i8: ['string', '-5'],
    i16: ['string', '1000'],
    i32: ['string', '-70000'],
    raw: ['string', 'hello world'],
    empty: ['string', ''],
    lzf: ['string', 'ab'.repeat(50)],
    list: ['list', 'a', '1', '-5000', '70000', '9999999999', 'x'.repeat(70)],
    intset: ['set', '-3', '1', '2'],
    intset32: ['set', '1', '70000'],
    intset64: ['set', '1', '9999999999'],
    set: ['set', '7', 'a', 'b'],
    zset: ['zset', ['c', -Infinity], ['a', 1], ['b', 2.5]],
    zset2: ['zset', ['b', Infinity], ['y'.repeat(65), 1]],
    hash: ['hash', ['f', 'v'], ['1', '2']],
    hash2: ['hash', ['f', 'v'.repeat(65)]],
  };
  for (const [name, hex] of Object.entries(dumps)) {
    const payload = Buffer.from(hex, 'hex');
    t.ok(isSealed(payload), name);
    t.same(decode(payload), wanted[name], name);
    t.doesNotThrow(() => new PayloadReader(LIMITS).check(payload), name);
  }
});

/** The example of Redis's documentation of ziplists: "2" and "5", with "Hello World" behind them. */
const ziplist = Buffer.concat([
  Buffer.from([28, 0, 0, 0, 14, 0, 0, 0, 3, 0, 0x00, 0xf3, 0x02, 0xf6, 0x02, 0x0b]),
  latin1('Hello World'),
  Buffer.from([0xff]),
]);

/** A ziplist with an entry of every kind, each given as its bytes behind the size of the former one. */
function ziplistOf(...entries: number[][]): Buffer {
  const parts: number[] = [];
  let former = 0;
  let last = 10;
  for (const entry of entries) {
    const size = former < 254 ? [former] : [254, former & 255, former >> 8, 0, 0];
    last = 10 + parts.length;
    parts.push(...size, ...entry);
    former = size.length + entry.length;
  }
  const head = Buffer.alloc(10);
  head.writeUInt32LE(parts.length + 11, 0);
  head.writeUInt32LE(last, 4);
  head.writeUInt16LE(entries.length, 8);
  return Buffer.concat([head, Buffer.from(parts), Buffer.from([0xff])]);
}

t.test('reads what older releases dumped', async (t) => {
  t.same(decode(packedPayload(RDB_LIST_ZIPLIST, ziplist)), ['list', '2', '5', 'Hello World']);
  const long = Array.from({ length: 300 }, () => 0x61);
  const all = ziplistOf(
    [0x41, 0x2c, ...long],
    [0x80, 0, 0, 1, 0x2c, ...long],
    [0xfe, 0x80],
    [0xc0, 0, 0x80],
    [0xf0, 0, 0, 0x80],
    [0xd0, 0, 0, 0, 0x80],
    [0xe0, 0, 0, 0, 0, 0, 0, 0, 0x80],
    [0xf1],
    [0xfd],
  );
  const texts = ['a'.repeat(300), 'a'.repeat(300), '-128', '-32768', '-8388608', '-2147483648'];
  const rest = ['-9223372036854775808', '0', '12'];
  t.same(decode(packedPayload(RDB_LIST_ZIPLIST, all)), ['list', ...texts, ...rest]);
  const pairs = ziplistOf([0x01, 0x61], [0xf2], [0x01, 0x62], [0x03, 0x32, 0x2e, 0x35]);
  t.same(decode(packedPayload(RDB_HASH_ZIPLIST, pairs)), ['hash', ['a', '1'], ['b', '2.5']]);
  t.same(decode(packedPayload(RDB_ZSET_ZIPLIST, pairs)), ['zset', ['a', 1], ['b', 2.5]]);
  const zipmap = Buffer.from([2, 1, 0x61, 2, 0, 0x76, 0x31, 1, 0x62, 1, 2, 0x77, 0, 0, 0xff]);
  t.same(decode(packedPayload(RDB_HASH_ZIPMAP, zipmap)), ['hash', ['a', 'v1'], ['b', 'w']]);
  const quicklist = payloadOf(RDB_LIST_QUICKLIST, (writer) => {
    writer.count(2);
    for (let i = 0; i < 2; i++) writer.string(ziplist, 0, ziplist.length);
  });
  t.same(decode(quicklist), ['list', '2', '5', 'Hello World', '2', '5', 'Hello World']);
  const list = payloadOf(RDB_LIST, (writer) => {
    writer.count(2);
    add(writer, 'a');
    add(writer, '1');
  });
  t.same(decode(list), ['list', 'a', '1']);
  const scores = payloadOf(RDB_ZSET, (writer) => {
    writer.count(3);
    add(writer, 'a');
    for (const byte of [3, ...latin1('1.5')]) writer.byte(byte);
    add(writer, 'b');
    writer.byte(254);
    add(writer, 'c');
    writer.byte(255);
  });
  t.same(decode(scores), ['zset', ['a', 1.5], ['b', Infinity], ['c', -Infinity]]);
});

t.test('lengths and strings come back as they were written', async (t) => {
  for (const value of [0, 63, 64, 16383, 16384, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1]) {
    const writer = new RdbWriter({ compresses: false });
    writer.count(value);
    t.equal(new RdbReader(LIMITS, writer.buffer, 0, writer.length).length(), value);
  }
  const text = fc.oneof(
    fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
    fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map((value) => latin1(String(value))),
    fc
      .tuple(fc.string({ maxLength: 8 }), fc.nat(3000))
      .map(([part, count]) => Buffer.from(part.repeat(count))),
    fc.constantFrom('-0', '007', '+1', '-', '').map(latin1),
  );
  fc.assert(
    fc.property(text, fc.boolean(), (bytes, compresses) => {
      const writer = new RdbWriter({ compresses });
      writer.string(bytes, 0, bytes.length);
      const reader = new RdbReader(LIMITS, writer.buffer, 0, writer.length);
      reader.string();
      return reader.at === writer.length && bytes.equals(reader.bytes.subarray(reader.start, reader.end));
    }),
  );
});

t.test('LZF gives back what it was given, and never takes more than its room', async (t) => {
  const text = fc
    .array(fc.tuple(fc.uint8Array({ maxLength: 40 }), fc.nat(30)), { maxLength: 30 })
    .map((parts) => Buffer.concat(parts.flatMap(([bytes, count]) => Array(count).fill(Buffer.from(bytes)))));
  let compressed = 0;
  fc.assert(
    fc.property(text, fc.nat(2000), (bytes, room) => {
      const target = Buffer.alloc(room + 8, 0xaa);
      const length = lzfCompress(bytes, 0, bytes.length, target, room);
      if (length > room || target.subarray(room).some((byte) => byte !== 0xaa)) return false;
      if (length === 0) return true;
      compressed++;
      return lzfExpand(target, 0, length, bytes.length).equals(bytes);
    }),
    { numRuns: 500 },
  );
  t.ok(compressed > 20, `${compressed} compressed`);
  t.throws(() => lzfExpand(Buffer.from([0xe0, 0xff, 0]), 0, 3, 1 << 30), RdbFormatError);
});

/** All of them; a number must be its text. */
function elementsOf(cursor: PackedCursor, value: Buffer): string[] {
  const found: string[] = [];
  cursor.open(value, 0, value.length);
  while (cursor.next()) {
    const text = cursor.buffer.latin1Slice(cursor.start, cursor.end);
    if (!Number.isNaN(cursor.number) && Number(text) !== cursor.number) throw new Error(`${text} differs`);
    found.push(text);
  }
  return found;
}

t.test('listpacks and intsets of every size of element', async (t) => {
  const numbers = [0, 127, 128, 4095, -4096, 4096, -4097, 32767, -32768, 32768, 8388607, -8388609];
  const wide = ['2147483648', '-2147483649', '9223372036854775807', '-9223372036854775808'];
  const lengths = [0, 1, 63, 64, 4095, 4096, 16300, 16400, 100_000];
  const texts = [
    ...numbers.map(String),
    ...wide,
    ...lengths.map((length) => 'x'.repeat(length)),
    '007',
    '-0',
  ];
  const writer = new ListpackWriter();
  for (const text of texts) writer.add(latin1(text), 0, text.length);
  const packed = writer.finish();
  t.same(elementsOf(new ListpackCursor(), packed), texts);
  t.equal(writer.count, texts.length);
  t.equal(writer.length, packed.length);
  const sets: (number | bigint)[][] = [
    [5, -3],
    [70000, 1],
    [2n ** 62n, -4, 3],
  ];
  for (const members of sets) {
    const set = writeIntset(members);
    t.same(elementsOf(new IntsetCursor(), set), [...members].sort((a, b) => (a < b ? -1 : 1)).map(String));
  }
});

t.test('refuses what is too long, empty, doubled or cut off', async (t) => {
  const reader = new PayloadReader({ maxStringBytes: 10 });
  const refused = (payload: Buffer, message: RegExp) =>
    t.throws(() => reader.check(payload), { name: 'RdbFormatError', message });
  refused(
    payloadOf(RDB_STRING, (writer) => add(writer, 'x'.repeat(11))),
    /too long/,
  );
  refused(Buffer.from(dumps.lzf, 'hex'), /too long/);
  refused(
    payloadOf(RDB_STRING, (writer) => [0x80, 0xff, 0xff, 0xff, 0xff].map((byte) => writer.byte(byte))),
    /too long/,
  );
  refused(
    payloadOf(RDB_STRING, (writer) => writer.count(5)),
    /cut off/,
  );
  refused(
    payloadOf(RDB_STRING, (writer) => [0x81, ...Array(8).fill(255)].map((byte) => writer.byte(byte))),
    /too large/,
  );
  refused(
    payloadOf(RDB_SET, (writer) => writer.count(0)),
    /empty/,
  );
  refused(
    payloadOf(RDB_SET, (writer) => writer.count(2 ** 40)),
    /cut off/,
  );
  refused(
    payloadOf(RDB_ZSET_ZIPLIST, (writer) => add(writer, '')),
    /cut off/,
  );
  refused(
    payloadOf(99, () => {}),
    /unknown/,
  );
  const doubled = payloadOf(RDB_SET, (writer) => {
    writer.count(2);
    add(writer, 'a');
    add(writer, 'a');
  });
  refused(doubled, /twice/);
  const odd = new ListpackWriter();
  odd.add(latin1('a'), 0, 1);
  refused(packedPayload(16, odd.finish()), /too long|pair|cut/);
});

t.test('no flipped bit and no cut does more than an RdbFormatError', async (t) => {
  const reader = new PayloadReader(LIMITS);
  const samples = [
    ...Object.values(dumps).map((hex) => Buffer.from(hex, 'hex')),
    packedPayload(RDB_LIST_ZIPLIST, ziplist),
  ];
  let refused = 0;
  const attempt = (payload: Buffer) => {
    try {
      reader.check(payload);
    } catch (error) {
      if (!(error instanceof RdbFormatError)) throw error;
      refused++;
    }
  };
  for (const sample of samples) {
    for (let bit = 0; bit < (sample.length - 10) * 8; bit++) {
      const broken = Buffer.from(sample);
      broken[bit >> 3] ^= 1 << (bit & 7);
      if (isSealed(broken)) t.fail(`the checksum misses bit ${bit}`);
      attempt(broken);
    }
    for (let end = 10; end < sample.length; end++) attempt(sample.subarray(0, end));
  }
  fc.assert(
    fc.property(
      fc.constantFrom(...samples),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 }),
      (sample, flips) => {
        const broken = Buffer.from(sample);
        for (const [at, byte] of flips) broken[at % (sample.length - 10)] = byte;
        attempt(broken);
        return true;
      },
    ),
    { numRuns: process.env.RINGSIDE_LONG ? 200_000 : 5000 },
  );
  t.ok(refused > 1000, `${refused} refused`);
});
