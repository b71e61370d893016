import { RequestParser } from '../../lib/codec/resp/index.ts';
import { keysOf, lookupCommand } from '../../lib/commands/index.ts';

const MAX = 0x7fffffff;
const UNLIMITED = { maxBulkBytes: MAX, maxArrayLength: MAX, maxInlineBytes: MAX, maxBufferedBytes: MAX };
/** They mean keys that they do not name. */
const MEAN_ANY_KEY: ReadonlySet<string> = new Set(['flushall', 'flushdb', 'swapdb', 'rs.purge']);

/**
 * Tells `heard` of every key that the commands in `frame` (encoded, whole, one behind the other) may write. Returns true when one of them may mean any key.
 */
export function writtenIn(
  frame: Buffer,
  heard: (buffer: Buffer, start: number, end: number) => void,
): boolean {
  const parser = new RequestParser(UNLIMITED);
  parser.push(frame);
  let meansAny = false;
  while (parser.next()) {
    const spec = lookupCommand(parser.buffer, parser.start(0), parser.end(0));
    if (spec === undefined || !spec.isWrite) continue;
    if (MEAN_ANY_KEY.has(spec.name)) meansAny = true;
    for (const { index } of keysOf(spec, parser) ?? [])
      if (index < parser.count) heard(parser.buffer, parser.start(index), parser.end(index));
  }
  return meansAny;
}
