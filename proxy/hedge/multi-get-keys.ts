import { replyLineEnd, replyNumber } from '../../lib/codec/resp/index.ts';
import { argumentRange } from '../core/frames.ts';

/** Commands whose arguments are keys and nothing else, and which every node with the same data answers alike. */
const NAMES: ReadonlySet<string> = new Set(['MGET', 'RS.MGET', 'RS.MCGET', 'RS.MCGETS']);

/** Goes through the keys of a multi-get by its frame. Reused: valid until the next `recognize`. */
export class MultiGetKeys {
  /** How many keys there are. */
  count = 0;
  /** Where the present key lies in the frame's buffer. */
  start = 0;
  end = 0;
  #bytes: Buffer = Buffer.alloc(0);
  #left = 0;

  /** Whether the command that begins at `start` (encoded, whole) is a multi-get; if so, `next` goes to its first key. */
  recognize(bytes: Buffer, start: number): boolean {
    const name = argumentRange(bytes, start, 0);
    if (!NAMES.has(bytes.latin1Slice(name.start, name.end).toUpperCase())) return false;
    this.#bytes = bytes;
    this.count = this.#left = replyNumber(bytes, start) - 1;
    this.end = name.end;
    return true;
  }

  /** Goes to the next key; false when there is none. */
  next(): boolean {
    if (this.#left === 0) return false;
    this.#left--;
    const at = this.end + 2;
    this.start = replyLineEnd(this.#bytes, at);
    this.end = this.start + replyNumber(this.#bytes, at);
    return true;
  }
}
