import t from 'tap';
import { encodeCommand, ReplyFramer, RequestParser } from '../../lib/codec/resp/index.ts';
import { fc } from '../support/fast-check.ts';

const LIMITS = {
  maxBulkBytes: 1 << 20,
  maxArrayLength: 1000,
  maxInlineBytes: 65_536,
  maxBufferedBytes: 1 << 22,
};

/** Gives `bytes` in ranges of one large memory, whose other bytes would be read as something else. */
function feed(
  feeder: RequestParser | ReplyFramer,
  bytes: Buffer,
  sizes: readonly number[],
  owns: boolean,
): string[] {
  const frames: string[] = [];
  const memory = Buffer.alloc(bytes.length * 2 + 1000, '\r\n$9');
  let used = 3;
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const length = Math.min(sizes[i % sizes.length], bytes.length - at);
    bytes.copy(memory, used, at, at + length);
    feeder.push(memory, used, used + length);
    used += length;
    at += length;
    while (feeder.next()) frames.push(feeder.buffer.latin1Slice(feeder.frameStart, feeder.frameEnd));
    if (owns) {
      feeder.own();
      memory.fill('*', 0, used);
    }
  }
  t.equal(feeder.bufferedBytes, 0);
  return frames;
}

const words = fc.array(fc.uint8Array({ maxLength: 9000 }), { minLength: 1, maxLength: 5 });
const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 4000, max: 12_000 })), {
  minLength: 1,
  maxLength: 8,
});

for (const owns of [false, true]) {
  t.test(owns ? 'ranges that are used again' : 'ranges that stay', async (t) => {
    await fc.assert(
      fc.property(fc.array(words, { minLength: 1, maxLength: 12 }), sizes, (commands, cut) => {
        const encoded = commands.map((parts) => encodeCommand(...parts.map((part) => Buffer.from(part))));
        const expected = encoded.map((frame) => frame.latin1Slice());
        const bytes = Buffer.concat(encoded);
        t.strictSame(feed(new RequestParser(LIMITS), bytes, cut, owns), expected);
        t.strictSame(feed(new ReplyFramer(), bytes, cut, owns), expected);
      }),
      { numRuns: 150 },
    );
  });
}
