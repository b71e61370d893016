import { replyLineEnd, replyNumber } from '../../lib/codec/resp/index.ts';

/** The text of the bulk string at `at`. */
export function bulkTextAt(bytes: Buffer, at: number): string {
  const from = replyLineEnd(bytes, at);
  return bytes.latin1Slice(from, from + Math.max(0, replyNumber(bytes, at)));
}

/** The text of a reply that is a bulk string. */
export function bulkText({ bytes, start }: { readonly bytes: Buffer; readonly start: number }): string {
  return bulkTextAt(bytes, start);
}
