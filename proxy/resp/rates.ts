import { RingsideError } from '../../lib/base/index.ts';
import type { RequestParser } from '../../lib/codec/resp/index.ts';
import { type CommandSpec, keysOf } from '../../lib/commands/index.ts';
import type { RateGuard } from '../health/index.ts';
import type { RespConnection } from './connection.ts';

/** The text that refuses a command because its client, or the namespace of one of its keys, is over its rate; null when it may run. */
export function rateRefusal(
  rates: RateGuard,
  connection: RespConnection,
  args: RequestParser,
  spec: CommandSpec,
): string | null {
  const nowMs = connection.lastActiveMs;
  let text = rates.refuseClient(connection.identity, nowMs);
  if (text === null && rates.looksAtKeys) {
    for (const { index } of keysOf(spec, args) ?? []) {
      text = rates.refuseKey(args.buffer, args.start(index), args.end(index), spec.isWrite, nowMs);
      if (text !== null) break;
    }
  }
  return text === null ? null : new RingsideError('rate_limited', text).toResp();
}
