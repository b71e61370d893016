import { type Args, RequestParser } from '../../lib/codec/resp/index.ts';
import type { Request } from '../core/request.ts';

const MAX = 0x7fffffff;
const ANY_SIZE = { maxBulkBytes: MAX, maxArrayLength: MAX, maxInlineBytes: MAX, maxBufferedBytes: MAX };

/** The command that is in `request`; its last argument may have come in part, and then it is cut. */
export function sentArgs({ bytes, start, end }: Request): Args {
  const parser = new RequestParser(ANY_SIZE);
  parser.push(bytes.subarray(start, end));
  if (!parser.next()) parser.peek();
  return parser;
}
