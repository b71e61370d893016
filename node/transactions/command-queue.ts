import { type Args, commandFrame, RequestParser } from '../../lib/codec/resp/index.ts';

const FIRST_CHUNK_BYTES = 512;
const MOST_CHUNK_BYTES = 64 * 1024;
/** What a command costs beside its own bytes: its place in arrays. */
const COMMAND_BYTES = 16;
const MAX = 0x7fffffff;
const UNLIMITED = { maxBulkBytes: MAX, maxArrayLength: MAX, maxInlineBytes: MAX, maxBufferedBytes: MAX };

/** A stretch of memory with whole commands, one behind the other. */
interface Chunk {
  readonly buffer: Buffer;
  used: number;
}

/** Commands that are kept for later, many small ones to a piece of memory, so that what they take is what they are counted as. */
export class CommandQueue {
  #chunks: Chunk[] = [];
  /** Memory that is taken. */
  bytes = 0;

  /** Keeps a copy of the command. */
  add(args: Args): void {
    const frame = commandFrame(args);
    const last = this.#chunks.at(-1);
    const chunk =
      last !== undefined && last.buffer.length - last.used >= frame.length
        ? last
        : this.#extend(frame.length);
    frame.copy(chunk.buffer, chunk.used);
    chunk.used += frame.length;
    this.bytes += COMMAND_BYTES;
  }

  #extend(bytes: number): Chunk {
    const last = this.#chunks.at(-1);
    const planned = last ? Math.min(MOST_CHUNK_BYTES, 2 * last.buffer.length) : FIRST_CHUNK_BYTES;
    const chunk = { buffer: Buffer.allocUnsafeSlow(Math.max(planned, bytes)), used: 0 };
    this.#chunks.push(chunk);
    this.bytes += chunk.buffer.length;
    return chunk;
  }

  clear(): void {
    this.#chunks = [];
    this.bytes = 0;
  }

  /** The commands in their order; each is valid until the next one is asked for. */
  *commands(): Generator<Args> {
    for (const { buffer, used } of this.#chunks) {
      const parser = new RequestParser(UNLIMITED);
      parser.push(buffer.subarray(0, used));
      while (parser.next()) yield parser;
    }
  }
}
