import { viewOf } from '../../base/index.ts';
import { NO_BYTES } from './byte-feed.ts';

const CR = 0x0d;
const LF = 0x0a;
const STAR = 0x2a;
const DOLLAR = 0x24;
const ZERO = 0x30;
/** Commands that are scanned together. */
const MOST_FRAMES = 16;
/** Arguments that such a command has at most, and bytes of one of them: those of a client that has not authenticated yet are no more. */
const MOST_ARGS = 5;
const MOST_BYTES = 16384;
/** Longer chunks are not looked at, since one is held on to until the next. */
const MOST_INPUT_BYTES = 1 << 20;
/** Offsets of a frame. */
const STRIDE = 2 * MOST_ARGS;

/** What a frame that is scanned ahead may be at most: never more than what this file is made for. */
export class FrameLimits {
  readonly mostArgs: number;
  readonly mostBytes: number;
  readonly mostFrameBytes: number;

  constructor(maxArrayLength: number, maxBulkBytes: number, maxFrameBytes: number) {
    this.mostArgs = Math.min(maxArrayLength, MOST_ARGS);
    this.mostBytes = Math.min(maxBulkBytes, MOST_BYTES);
    this.mostFrameBytes = maxFrameBytes;
  }
}

/**
 * Short commands that have come together, scanned before the first of them is executed: so the memory that their keys (their first
 * arguments, as a rule) lead to can be read in one go, where the waits overlap that add up from one command to the next.
 *
 * One for all connections of a thread: it belongs to the parser that scanned last.
 */
export class FramesAhead {
  /** Whose frames these are. */
  owner: object | null = null;
  /** Where the keys are. */
  buffer: Buffer = NO_BYTES;
  /** Of `buffer`. */
  view: DataView = viewOf(NO_BYTES);
  count = 0;
  /** The frame that is the current command; -1 before the first. */
  current = -1;
  readonly keyStarts = new Int32Array(MOST_FRAMES);
  readonly keyEnds = new Int32Array(MOST_FRAMES);
  /** Of the keys, by whoever looks them up; one more to write to. */
  readonly hashes = new Int32Array(MOST_FRAMES + 1);
  /** Whose hashes they are. */
  hashedBy: object | null = null;
  readonly #lengths = new Int32Array(MOST_FRAMES);
  readonly #args = new Int32Array(MOST_FRAMES);
  readonly #offsets = new Int32Array(MOST_FRAMES * STRIDE);

  /** Forgets everything. */
  clear(): void {
    this.count = 0;
    this.current = -1;
    this.hashedBy = null;
    this.owner = null;
  }

  /** Whether there is a frame of this owner behind the current one. */
  hasNextOf(owner: object): boolean {
    return this.owner === owner && this.current + 1 < this.count;
  }

  /** Makes the next frame the current one, writes where its arguments are, counted from its start, and returns how many there are. */
  take(offsets: Int32Array): number {
    this.current++;
    const args = this.#args[this.current];
    const from = this.current * STRIDE;
    for (let i = 0; i < 2 * args; i++) offsets[i] = this.#offsets[from + i];
    return args;
  }

  /** Bytes of the current frame. */
  get length(): number {
    return this.#lengths[this.current];
  }

  /**
   * Scans `buffer[from, to)` up to the first command that is not whole, has no key, is not short, is beyond the limits, or is not well-formed. Never
   * throws.
   */
  scan(buffer: Buffer, from: number, to: number, limits: FrameLimits): void {
    this.clear();
    if (buffer.length > MOST_INPUT_BYTES) return;
    if (this.buffer !== buffer) {
      this.buffer = buffer;
      this.view = viewOf(buffer);
    }
    const { mostArgs, mostBytes, mostFrameBytes } = limits;
    let at = from;
    // `*2`, CR, LF
    while (this.count < MOST_FRAMES && at + 4 < to && buffer[at] === STAR) {
      const args = buffer[at + 1] - ZERO;
      if (args < 2 || args > mostArgs || buffer[at + 2] !== CR || buffer[at + 3] !== LF) return;
      const end = this.#scanArgs(buffer, at, Math.min(to, at + mostFrameBytes), args, mostBytes);
      if (end < 0) return;
      at = end;
    }
  }

  /** Returns where the frame at `from` ends; -1 when it is not one of those. */
  #scanArgs(buffer: Buffer, from: number, to: number, args: number, mostBytes: number): number {
    const offsets = this.#offsets;
    const first = this.count * STRIDE;
    let at = from + 4;
    for (let i = 0; i < args; i++) {
      if (at + 5 >= to || buffer[at] !== DOLLAR) return -1;
      let length = buffer[++at] - ZERO;
      if (length >>> 0 > 9 || (length === 0 && buffer[at + 1] !== CR)) return -1;
      for (at++; at < to && buffer[at] !== CR; at++) {
        const digit = buffer[at] - ZERO;
        if (digit >>> 0 > 9 || length > mostBytes) return -1;
        length = length * 10 + digit;
      }
      const start = at + 2;
      const end = start + length;
      if (length > mostBytes || end + 2 > to) return -1;
      if (buffer[at + 1] !== LF || buffer[end] !== CR || buffer[end + 1] !== LF) return -1;
      offsets[first + 2 * i] = start - from;
      offsets[first + 2 * i + 1] = end - from;
      at = end + 2;
    }
    this.keyStarts[this.count] = from + offsets[first + 2];
    this.keyEnds[this.count] = from + offsets[first + 3];
    this.#args[this.count] = args;
    this.#lengths[this.count] = at - from;
    this.count++;
    return at;
  }
}
