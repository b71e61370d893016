import type { Args } from './args.ts';
import { type CommandPart, encodeCommand } from './encode.ts';
import { RequestParser } from './request-parser.ts';

const MAX = 0x7fffffff;
const UNLIMITED = { maxBulkBytes: MAX, maxArrayLength: MAX, maxInlineBytes: MAX, maxBufferedBytes: MAX };

/** The `Args` of a command that did not come over a connection: tests, scripts, internal calls. Throws RangeError without parts. */
export function argsOf(...parts: CommandPart[]): Args {
  if (parts.length === 0) throw new RangeError('a command has at least a name');
  const parser = new RequestParser(UNLIMITED);
  parser.push(encodeCommand(...parts));
  parser.next();
  return parser;
}
