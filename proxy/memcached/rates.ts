import { RingsideError } from '../../lib/base/index.ts';
import type { RateGuard } from '../health/index.ts';
import type { MemcachedConnection } from './connection.ts';
import { keyWordsOf } from './permission.ts';
import type { MemcachedParser } from './protocol/index.ts';

/** The line that refuses a command because its client, or the namespace of one of its keys, is over its rate; null when it may run. */
export function rateRefusal(
  rates: RateGuard,
  connection: MemcachedConnection,
  parser: MemcachedParser,
  nowMs: number,
): string | null {
  let text = rates.refuseClient(connection.identity, nowMs);
  const keys = text === null && rates.looksAtKeys ? keyWordsOf(parser) : null;
  if (keys !== null) {
    for (let i = keys.first; i <= keys.last && text === null; i++)
      text = rates.refuseKey(parser.buffer, parser.start(i), parser.end(i), keys.isWrite, nowMs);
  }
  return text === null ? null : new RingsideError('rate_limited', text).toMemcached();
}
