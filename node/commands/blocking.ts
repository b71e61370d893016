import { type Args, copyArgs } from '../../lib/codec/resp/index.ts';
import type { Serve } from '../server/blocked.ts';
import type { CommandContext } from './command.ts';

/*
 * How a command waits for data in a key:
 *
 *   const timeoutMs = parseTimeout(args, args.count - 1);
 *   if (typeof timeoutMs === 'string') return reply.error(timeoutMs);
 *   … answer and return if a key has data …
 *   if (!mayBlock(context)) return reply.nullArray();        // within EXEC; BLMOVE and BRPOPLPUSH: nullBulk()
 *   block(context, args, firstKey, lastKey, timeoutMs, serve);
 *
 * `serve(context, args, i, reply)` is called later, on the client's behalf and in the order in which clients came, when argument `i` (a key)
 * may have got data: the command that did it, or the whole EXEC, is over by then. It looks the key up (none: false; another type: false),
 * does the work, writes the reply and returns true. An error reply counts as served. It must `logCommand` a plain command of equal effect
 * (LPOP for BLPOP). Whoever makes a list or sorted set non-empty calls `context.keyspace.signalReady(buffer, start, end)`; it costs nothing
 * while nobody waits. A wait that ends in vain answers a null array.
 */

export type { Serve } from '../server/blocked.ts';

const MAX_TIMEOUT_MS = 2 ** 63;

/** Whether the command may let its client wait; if not, it answers at once that there is nothing. */
export function mayBlock({ client }: CommandContext): boolean {
  return client.mayBlock;
}

/** A timeout in seconds, with a fraction, as milliseconds (0: no end); or the text of an error. */
export function parseTimeout(args: Args, i: number): number | string {
  const seconds = args.number(i);
  if (seconds === null) return 'ERR timeout is not a float or out of range';
  const ms = Math.ceil(seconds * 1000);
  // Redis lets what is too large for it overflow, and says so in these words.
  return ms < 0 || ms >= MAX_TIMEOUT_MS ? 'ERR timeout is negative' : ms;
}

/**
 * Lets the client wait until one of the keys (arguments `firstKey` to `lastKey`) can serve it, at most `timeoutMs` (0: without end). The
 * handler writes no reply. Only when `mayBlock`.
 */
export function block(
  context: CommandContext,
  args: Args,
  firstKey: number,
  lastKey: number,
  timeoutMs: number,
  serve: Serve,
): void {
  const { client, node } = context;
  node.blocked.add(client, {
    kind: 'keys',
    database: client.database,
    args: copyArgs(args),
    firstKey,
    lastKey,
    serve,
    deadlineMs: timeoutMs === 0 ? Number.POSITIVE_INFINITY : node.clock.monotonicMs() + timeoutMs,
    muted: false,
  });
}
