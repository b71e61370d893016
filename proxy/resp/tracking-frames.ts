import { RespWriter, replyLineEnd, replyNumber } from '../../lib/codec/resp/index.ts';
import type { RespConnection } from './connection.ts';

const ARRAY = 0x2a;
const PUSH_HEAD = Buffer.from('>2\r\n$10\r\ninvalidate\r\n');
const MESSAGE_HEAD = Buffer.from('*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n');
const RESP2_NULL = Buffer.from('$-1\r\n');

/** In the place of keys: all of them. */
export const EVERYTHING = Buffer.from('_\r\n');

/** An invalidation of `keys[start, end)` (an array, or null for all, as RESP3 has it), for a client of this protocol, in memory of its own. */
export function invalidation(protocol: 2 | 3, keys: Buffer, start: number, end: number): Buffer {
  const rest = protocol === 3 || keys[start] === ARRAY ? keys.subarray(start, end) : RESP2_NULL;
  return Buffer.concat([protocol === 3 ? PUSH_HEAD : MESSAGE_HEAD, rest]);
}

/**
 * Sends an invalidation to whom it is redirected to. A RESP2 connection takes messages only while it listens to channels. False: it is not there (any
 * more).
 */
export function deliverTo(
  target: RespConnection | undefined,
  keys: Buffer,
  start: number,
  end: number,
): boolean {
  // One that said QUIT is gone, whatever its socket still waits for.
  if (target === undefined || target.endedMs > 0) return false;
  if (target.protocol === 3 || (target.subscriptions?.count ?? 0) > 0)
    target.push(invalidation(target.protocol, keys, start, end));
  return true;
}

/** The first of the keys, one character a byte; null: they are all. */
export function firstKey(keys: Buffer, start: number): string | null {
  if (keys[start] !== ARRAY) return null;
  const at = replyLineEnd(keys, start);
  const from = replyLineEnd(keys, at);
  return keys.latin1Slice(from, from + replyNumber(keys, at));
}

/** Keys of one character a byte, as the array of an invalidation. */
export function keysFrame(keys: readonly string[]): Buffer {
  const writer = new RespWriter();
  writer.arrayHeader(keys.length);
  for (const key of keys) writer.bulkLatin1(key);
  return writer.take();
}
