import { RequestParser } from '../../lib/codec/resp/index.ts';
import { lookupCommand, lookupSubcommand } from '../../lib/commands/index.ts';
import type { RespConnection } from './connection.ts';

const MAX = 0x7fffffff;
const ANY_SIZE = { maxBulkBytes: MAX, maxArrayLength: MAX, maxInlineBytes: MAX, maxBufferedBytes: MAX };

/**
 * Null, or why the client may not execute one of these commands any more: rules may have changed since they were queued. Redis then refuses that
 * command alone; here all of the transaction is.
 */
export function refusalInExec(connection: RespConnection, frame: Buffer): string | null {
  if (connection.user.isUnlimited) return null;
  const args = new RequestParser(ANY_SIZE);
  args.push(frame);
  while (args.next()) {
    let spec = lookupCommand(args.buffer, args.start(0), args.end(0));
    if (spec !== undefined && spec.subcommands.length > 0)
      spec = lookupSubcommand(spec, args.buffer, args.start(1), args.end(1));
    const refusal = spec && connection.context.access.refusalInExec(connection, spec, args);
    if (refusal) return refusal;
  }
  return null;
}
