import { noRing } from '../core/fan-out.ts';
import { errorLine, LineAnswer } from './answer.ts';
import type { Words } from './protocol/index.ts';

/** The longest key, as in memcached. */
export const MAX_KEY_BYTES = 250;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** A key, `buffer[start, end)`. */
export interface MemcachedKey {
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
}

/** Word `i`; null when it is too long for a key, or is not there. */
export function keyOf(words: Words, i: number): MemcachedKey | null {
  const start = words.start(i);
  const end = words.end(i);
  return end - start > MAX_KEY_BYTES ? null : { buffer: words.buffer, start, end };
}

/** The key that base64 stands for; null when it stands for none. */
export function decodeKey({ buffer, start, end }: MemcachedKey): MemcachedKey | null {
  const text = buffer.latin1Slice(start, end);
  if (text === '' || !BASE64.test(text)) return null;
  const decoded = Buffer.from(text, 'base64');
  return { buffer: decoded, start: 0, end: decoded.length };
}

/** While this proxy knows no ring. */
export function noRingAnswer(): LineAnswer {
  const reply = noRing();
  return new LineAnswer(errorLine(reply, 0, reply.length));
}
