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

/** Views of all arguments. */
export function partsOf(args: Args): Buffer[] {
  return Array.from({ length: args.count }, (_, i) => args.bytes(i));
}

/** The command in memory of its own: arguments that stay true for as long as somebody keeps them. */
export function copyArgs(args: Args): RequestParser {
  return parseCommand(commandFrame(args));
}

/** The arguments of one whole command as `commandFrame` makes it; they stay in the frame. */
export function parseCommand(frame: Buffer): RequestParser {
  const parser = new RequestParser(UNLIMITED);
  parser.push(frame);
  parser.next();
  return parser;
}

/** The command as it goes over the wire, in memory of its own. */
export function commandFrame({ buffer, frameStart, frameEnd }: Args): Buffer {
  const frame = Buffer.allocUnsafeSlow(frameEnd - frameStart);
  buffer.copy(frame, 0, frameStart, frameEnd);
  return frame;
}
