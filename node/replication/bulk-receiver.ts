import { StreamError } from './stream-applier.ts';

const LF = 0x0a;
const MAX_LINE_BYTES = 128;
const MARK_BYTES = 40;
const NOTHING = Buffer.alloc(0);

/** Takes the snapshot as it comes: pieces of the file, in order. */
export interface BulkSink {
  push(bytes: Buffer): void;
}

/**
 * The snapshot of a full sync on its way in: `$length` and so many bytes, or `$EOF:mark` and everything up to the mark of 40 characters,
 * behind which a leader says nothing until it hears from its follower. Empty lines before are signs of life.
 */
export class BulkReceiver {
  readonly #sink: BulkSink;
  #line = NOTHING;
  #hasHeader = false;
  /** Bytes still to come; Infinity while a mark is awaited. */
  #left = 0;
  #mark: Buffer | null = null;
  /** The last bytes that came, which may be the mark. */
  #held = NOTHING;
  #isDone = false;
  #total = 0;

  constructor(sink: BulkSink) {
    this.#sink = sink;
  }

  /** Whether all of it has come. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** Bytes that the leader said it would send; 0 while it has not, or when it did not know. */
  get totalBytes(): number {
    return this.#total;
  }

  /** Takes a chunk; returns what follows the snapshot, null while it is not whole. Throws StreamError. */
  push(chunk: Buffer): Buffer | null {
    const bytes = this.#hasHeader ? chunk : this.#readHeader(chunk);
    if (bytes === null) return null;
    return this.#mark === null ? this.#takeCounted(bytes) : this.#takeMarked(bytes, this.#mark);
  }

  #readHeader(chunk: Buffer): Buffer | null {
    let rest = Buffer.concat([this.#line, chunk]);
    for (;;) {
      const end = rest.indexOf(LF);
      if (end < 0) {
        if (rest.length > MAX_LINE_BYTES) throw new StreamError('the leader sent no snapshot');
        this.#line = rest;
        return null;
      }
      const line = rest.latin1Slice(0, end).trimEnd();
      rest = rest.subarray(end + 1);
      if (line === '') continue;
      this.#parse(line);
      return rest;
    }
  }

  #parse(line: string): void {
    const [, mark, length] = /^\$(?:EOF:(.{40})|(\d{1,15}))$/.exec(line) ?? [];
    if (mark === undefined && length === undefined)
      throw new StreamError(`the leader sent no snapshot: ${line}`);
    this.#hasHeader = true;
    if (mark !== undefined) this.#mark = Buffer.from(mark, 'latin1');
    else this.#left = this.#total = Number(length);
  }

  #takeCounted(bytes: Buffer): Buffer | null {
    const taken = Math.min(this.#left, bytes.length);
    this.#left -= taken;
    this.#sink.push(bytes.subarray(0, taken));
    if (this.#left > 0) return null;
    this.#isDone = true;
    return bytes.subarray(taken);
  }

  #takeMarked(bytes: Buffer, mark: Buffer): Buffer | null {
    const all = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    const passed = Math.max(0, all.length - MARK_BYTES);
    if (passed > 0) this.#sink.push(all.subarray(0, passed));
    this.#held = Buffer.from(all.subarray(passed));
    if (!this.#held.equals(mark)) return null;
    this.#isDone = true;
    return NOTHING;
  }
}
