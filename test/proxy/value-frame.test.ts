import t from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { encodeCommand, ReplyFramer } from '../../lib/codec/resp/index.ts';
import { bulkIn, encodeWithValue, lengthOf, valueIn } from '../../proxy/core/value-frame.ts';
import { hasVersion, versionIn } from '../../proxy/http/entity-tags.ts';
import { PieceCollector } from '../../proxy/http/pieces.ts';

const random = seededRandom(7);

/** Pieces of these bytes, cut at random. */
function cut(bytes: Buffer, longest: number): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = 1 + random.int(longest);
    pieces.push(bytes.subarray(at, at + length));
    at += length;
  }
  return pieces;
}

t.test('a command with a value is the same in pieces', (t) => {
  for (const size of [0, 1, 100, 16_383, 16_384, 200_000]) {
    const value = Buffer.alloc(size, 'v');
    for (const behind of [[], ['PX', 5], ['TAGS', 1, Buffer.from([0xff])]]) {
      const { bytes, rest } = encodeWithValue(['SET', 'k'], cut(value, 70_000), behind);
      const whole = Buffer.concat([bytes, ...(rest ?? [])]);
      t.ok(whole.equals(encodeCommand('SET', 'k', value, ...behind)), `${size} bytes`);
      t.equal(rest === null, size < 16_384);
    }
  }
  t.end();
});

t.test('a value is found in a reply, wherever it was cut', (t) => {
  const value = Buffer.from('a value\r\nwith lines');
  const reply = Buffer.from(`*2\r\n:1\r\n$${value.length}\r\n${value}\r\n`);
  const at = reply.indexOf('$');
  const header = reply.indexOf('\n', at) + 1;
  for (let split = header; split <= reply.length; split++) {
    const behind = reply.subarray(split);
    for (const rest of [[behind], cut(behind, 3)]) {
      const found = valueIn(reply.subarray(0, split), at, rest)!;
      t.ok(Buffer.concat(found).equals(value), `split at ${split}`);
      t.equal(lengthOf(found), value.length);
    }
  }
  t.same(Buffer.concat(valueIn(reply, at, null)!), value);
  t.same(bulkIn(reply, at), value);
  t.same([valueIn(Buffer.from('$-1\r\n'), 0, null), bulkIn(Buffer.from('$-1\r\n'), 0)], [null, null]);
  t.same(valueIn(Buffer.from('$0\r\n\r\n'), 0, null), []);
  t.end();
});

t.test('a long string at the end of an array can be taken in pieces', (t) => {
  const long = 'x'.repeat(100_000);
  const taken = (reply: string, isKnown: boolean) => {
    const framer = new ReplyFramer();
    const bytes = Buffer.from(`${reply}:7\r\n`);
    framer.push(bytes.subarray(0, 1000));
    t.equal(framer.next(), false);
    const { missingBytes } = framer;
    t.equal(missingBytes, isKnown ? reply.length - 1000 : 0);
    if (!isKnown) return;
    framer.detach();
    t.equal(framer.frameEnd - framer.frameStart, 1000);
    framer.push(bytes.subarray(1000 + missingBytes));
    t.equal(framer.next(), true, 'what follows is a frame of its own');
    t.equal(framer.buffer.toString('latin1', framer.frameStart, framer.frameEnd), ':7\r\n');
  };
  taken(`$100000\r\n${long}\r\n`, true);
  taken(`*2\r\n:1\r\n$100000\r\n${long}\r\n`, true);
  taken(`*2\r\n:1\r\n*1\r\n$100000\r\n${long}\r\n`, true);
  taken(`*2\r\n$100000\r\n${long}\r\n:1\r\n`, false);
  taken(`*2\r\n*1\r\n$100000\r\n${long}\r\n:1\r\n`, false);
  taken(`>2\r\n$10\r\ninvalidate\r\n*1\r\n$100000\r\n${long}\r\n`, false);
  t.end();
});

t.test('a body is held in little more than its bytes, however it comes', (t) => {
  for (const [size, longest] of [
    [0, 1],
    [1, 1],
    [5000, 1],
    [300_000, 3],
    [1_000_000, 65_536],
    [200_000, 200_000],
  ]) {
    const body = Buffer.from(Array.from({ length: size }, (_, i) => i & 0xff));
    for (const declared of [0, size]) {
      const collector = new PieceCollector(declared);
      for (const chunk of cut(body, longest)) collector.add(chunk);
      const pieces = collector.finish();
      t.ok(Buffer.concat(pieces).equals(body));
      t.equal(collector.bytes, size);
      const held = pieces.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
      const limit = declared === 0 ? 2 * size + 65_536 : size;
      t.ok(
        pieces[0]?.buffer === body.buffer || held <= limit,
        `${held} bytes for ${size}, declared ${declared}`,
      );
    }
  }
  const body = Buffer.from('whole');
  const collector = new PieceCollector(body.length);
  collector.add(body);
  t.equal(collector.finish()[0], body, 'what comes whole is not copied');
  t.end();
});

t.test('ETags', (t) => {
  t.equal(versionIn('"7"'), '7');
  for (const never of [
    '"07"',
    '"0"',
    '"x"',
    'W/"7"',
    '""',
    '"18446744073709551616"',
    '"99999999999999999999999"',
  ])
    t.equal(versionIn(never), null, never);
  t.throws(() => versionIn('"1", "2"'), { code: 'bad_request' });
  for (const [tags, strong, weak] of [
    ['*', true, true],
    ['"7"', true, true],
    ['W/"7"', false, true],
    ['"1", W/"7"', false, true],
    ['"1",  "7" ,"3"', true, true],
    ['"77"', false, false],
  ] as const)
    t.same([hasVersion(tags, '7', false), hasVersion(tags, '7', true)], [strong, weak], tags);
  t.end();
});
