import type { Args } from './args.ts';
import { type CommandPart, encodeCommand } from './encode.ts';
import { RequestParser } from './request-parser.ts';

const MAX = 0x7fffffff;
const LINE_END = '\r\n';
const UNLIMITED = { maxBulkBytes: MAX, maxArrayLength: MAX, maxInlineBytes: MAX, maxBufferedBytes: MAX };

/** The `Args` of a command that did not come over a connection: tests, scripts, internal calls. Throws RangeError without parts. */
export function argsOf(...parts: CommandPart[]): Args {
  if (parts.length === 0) throw new RangeError('a command has at least a name');
  const parser = new RequestParser(UNLIMITED);
  parser.push(encodeCommand(...parts));
  parser.next();
  return parser;
}

/** The command in memory of its own: arguments that stay true for as long as somebody keeps them. */
export function copyArgs(args: Args): Args {
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
export function commandFrame(args: Args): Buffer {
  const { buffer, count } = args;
  let bytes = `*${count}`.length + LINE_END.length;
  for (let i = 0; i < count; i++) bytes += `$${args.length(i)}`.length + args.length(i) + 2 * LINE_END.length;
  const frame = Buffer.allocUnsafeSlow(bytes);
  let at = frame.latin1Write(`*${count}${LINE_END}`, 0);
  for (let i = 0; i < count; i++) {
    at += frame.latin1Write(`$${args.length(i)}${LINE_END}`, at);
    at += buffer.copy(frame, at, args.start(i), args.end(i));
    at += frame.latin1Write(LINE_END, at);
  }
  return frame;
}
