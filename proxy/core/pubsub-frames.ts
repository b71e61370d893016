import { replyLineEnd, replyNumber } from '../../lib/codec/resp/index.ts';
import { Slab } from './slab.ts';

/** What one can listen to: channels by name or by pattern, and shard channels, which stand apart from both. */
export type TopicKind = 'channel' | 'pattern' | 'shardChannel';

/** What one can publish to. */
export type ChannelKind = Exclude<TopicKind, 'pattern'>;

/** What a frame on a subscription connection tells. */
export type FrameKind = TopicKind | 'confirmation' | 'refusal' | 'other';

const PUSH = 0x3e;
const ERROR = 0x2d;
const ARRAY = 0x2a;
const LETTER_P = 0x70;
const LETTER_S = 0x73;
/** Lengths of `message`, and of `pmessage` and `smessage`. */
const MESSAGE_LENGTH = 7;
const LONG_MESSAGE_LENGTH = 8;

/** Frames from this size on keep the memory in which they came; smaller ones would keep much more than themselves. */
const KEPT_BYTES = 32 * 1024;

const slab = new Slab();

/** Reads frames of a subscription connection in RESP3; after `read`, `name` is the channel or pattern it is about. */
export class PubSubFrame {
  /** One character a byte. */
  name = '';

  /** What the frame at `start` is. Only of a message the name is read. */
  read(buffer: Buffer, start: number): FrameKind {
    if (buffer[start] === ERROR) return 'refusal';
    if (buffer[start] !== PUSH) return 'other';
    const header = replyLineEnd(buffer, start);
    const length = replyNumber(buffer, header);
    const word = replyLineEnd(buffer, header);
    const kind = kindOf(buffer, word, length);
    if (kind !== 'confirmation') this.name = bulkText(buffer, word + length + 2);
    return kind;
  }
}

function kindOf(buffer: Buffer, word: number, length: number): TopicKind | 'confirmation' {
  if (length === MESSAGE_LENGTH) return 'channel';
  if (length !== LONG_MESSAGE_LENGTH) return 'confirmation';
  if (buffer[word] === LETTER_P) return 'pattern';
  return buffer[word] === LETTER_S ? 'shardChannel' : 'confirmation';
}

function bulkText(buffer: Buffer, at: number): string {
  const from = replyLineEnd(buffer, at);
  return buffer.latin1Slice(from, from + replyNumber(buffer, at));
}

/** The push `buffer[start, end)` in memory that may be kept, for clients of this protocol: in RESP2 it is an array. */
export function messageFor(protocol: 2 | 3, buffer: Buffer, start: number, end: number): Buffer {
  if (protocol === 3 && end - start >= KEPT_BYTES) return buffer.subarray(start, end);
  const at = slab.reserve(end - start);
  const copy = slab.bytes.subarray(at, at + end - start);
  buffer.copy(copy, 0, start, end);
  if (protocol === 2) copy[0] = ARRAY;
  return copy;
}
