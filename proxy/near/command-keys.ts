import { RequestParser } from '../../lib/codec/resp/index.ts';
import { type CommandSpec, keysOf, lookupCommand, lookupSubcommand } from '../../lib/commands/index.ts';

const MAX = 0x7fffffff;
const UNLIMITED = { maxBulkBytes: MAX, maxArrayLength: MAX, maxInlineBytes: MAX, maxBufferedBytes: MAX };

/** Hears of a key of a command, `buffer[start, end)`, and whether the command may write it. */
export type KeyListener = (buffer: Buffer, start: number, end: number, isWrite: boolean) => void;

/**
 * Tells `heard` of every key of the commands in `frame` (encoded, whole, one behind the other). Returns true when one of them may change keys that it
 * does not name, or names in a way that nobody can tell.
 */
export function keysInFrame(frame: Buffer, heard: KeyListener): boolean {
  const parser = new RequestParser(UNLIMITED);
  parser.push(frame);
  let concernsAll = false;
  while (parser.next()) if (keysOfCommand(parser, heard)) concernsAll = true;
  return concernsAll;
}

function keysOfCommand(args: RequestParser, heard: KeyListener): boolean {
  const spec = specOf(args);
  if (spec === undefined) return true;
  const keys = keysOf(spec, args);
  if (keys === null) return spec.isWrite;
  for (const { index } of keys)
    if (index < args.count) heard(args.buffer, args.start(index), args.end(index), spec.isWrite);
  return keys.length === 0 && spec.isWrite;
}

function specOf(args: RequestParser): CommandSpec | undefined {
  const spec = lookupCommand(args.buffer, args.start(0), args.end(0));
  if (spec === undefined || spec.subcommands.length === 0 || args.count < 2) return spec;
  return lookupSubcommand(spec, args.buffer, args.start(1), args.end(1)) ?? spec;
}
