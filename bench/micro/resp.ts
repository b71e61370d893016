/**
 * Micro-benchmarks of the RESP codec, each beside a naive version of the same work.
 *
 *     npx node bench/micro/resp.ts
 */
import { bench, do_not_optimize, group, run, summary } from 'mitata';
import { encodeCommand, ReplyFramer, RequestParser, RespWriter } from '../../lib/codec/resp/index.ts';
import { commandTable, lookupCommand } from '../../lib/commands/index.ts';

const COMMANDS = 512;
const CHUNK_BYTES = 65536;
const MAX = 0x7fffffff;
const LIMITS = { maxBulkBytes: MAX, maxArrayLength: MAX, maxInlineBytes: 65536, maxBufferedBytes: MAX };

/** What one would write first: strings, a split of lines, an array per command. */
function naiveParse(text: string): string[][] {
  const commands: string[][] = [];
  let at = 0;
  while (at < text.length) {
    let lineEnd = text.indexOf('\r\n', at);
    const count = Number(text.slice(at + 1, lineEnd));
    at = lineEnd + 2;
    const args: string[] = [];
    for (let i = 0; i < count; i++) {
      lineEnd = text.indexOf('\r\n', at);
      const length = Number(text.slice(at + 1, lineEnd));
      args.push(text.slice(lineEnd + 2, lineEnd + 2 + length));
      at = lineEnd + 2 + length + 2;
    }
    commands.push(args);
  }
  return commands;
}

/** The bytes cut as a socket would hand them over. */
function chunksOf(bytes: Buffer, chunkBytes: number): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += chunkBytes) chunks.push(bytes.subarray(at, at + chunkBytes));
  return chunks;
}

function requests(part: (i: number) => Buffer): Buffer {
  return Buffer.concat(Array.from({ length: COMMANDS }, (_, i) => part(i)));
}

const key = (i: number) => `key:${String(i).padStart(12, '0')}`;
const gets = requests((i) => encodeCommand('GET', key(i)));
const sets = requests((i) => encodeCommand('SET', key(i), 'xxx'));
const sets1k = requests((i) => encodeCommand('SET', key(i), 'x'.repeat(1000)));

function parseAll(parser: RequestParser, chunks: readonly Buffer[]): number {
  let commands = 0;
  for (const chunk of chunks) {
    parser.push(chunk);
    while (parser.next()) {
      commands += lookupCommand(parser.buffer, parser.start(0), parser.end(0))!.arity;
    }
  }
  return commands;
}

for (const [name, bytes] of [
  ['GET', gets],
  ['SET 3 B', sets],
  ['SET 1000 B', sets1k],
] as const) {
  group(`parse ${COMMANDS} x ${name}, look the command up`, () => {
    summary(() => {
      const whole = chunksOf(bytes, CHUNK_BYTES);
      const cut = chunksOf(bytes, 1460);
      const parser = new RequestParser(LIMITS);
      bench('RequestParser, 64 KiB chunks', () => do_not_optimize(parseAll(parser, whole)));
      bench('RequestParser, 1460 B chunks', () => do_not_optimize(parseAll(parser, cut)));
      bench('naive', () => {
        let commands = 0;
        for (const args of naiveParse(bytes.latin1Slice()))
          commands += commandTable.get(args[0].toUpperCase())!.arity;
        return do_not_optimize(commands);
      });
    });
  });
}

const replies = requests((i) => Buffer.from(i % 4 === 0 ? '+OK\r\n' : '$3\r\nxxx\r\n'));
group(`frame ${COMMANDS} replies`, () => {
  summary(() => {
    const framer = new ReplyFramer();
    bench('ReplyFramer', () => {
      framer.push(replies);
      let bytes = 0;
      while (framer.next()) bytes += framer.frameEnd - framer.frameStart;
      return do_not_optimize(bytes);
    });
    bench('naive', () => {
      const text = replies.latin1Slice();
      let bytes = 0;
      for (let at = 0; at < text.length; ) {
        let end = text.indexOf('\r\n', at) + 2;
        if (text[at] === '$') end += Number(text.slice(at + 1, end - 2)) + 2;
        bytes += end - at;
        at = end;
      }
      return do_not_optimize(bytes);
    });
  });
});

for (const size of [3, 16, 32, 100, 1000]) {
  const value = Buffer.alloc(size, 'x');
  group(`write 16 replies of ${size} B`, () => {
    summary(() => {
      const writer = new RespWriter();
      bench('RespWriter', () => {
        for (let i = 0; i < 16; i++) writer.bulk(value, 0, value.length);
        const bytes = writer.take().length;
        writer.rewind();
        return do_not_optimize(bytes);
      });
      bench('naive', () => {
        const parts: Buffer[] = [];
        for (let i = 0; i < 16; i++)
          parts.push(Buffer.from(`$${value.length}\r\n`), value, Buffer.from('\r\n'));
        return do_not_optimize(Buffer.concat(parts).length);
      });
    });
  });
}

await run();
