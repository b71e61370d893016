import type { WideReplySink } from '../base/index.ts';
import type { SlowLogEntry } from './slow-log.ts';

/** Entries that SLOWLOG GET answers without a count. */
export const DEFAULT_SLOW_LOG_ENTRIES = 10;

/** Redis's text for a count that is none. */
export const BAD_SLOW_LOG_COUNT = 'ERR count should be greater than or equal to -1';

/** Answers SLOWLOG GET with these entries. */
export function writeSlowLog(entries: readonly SlowLogEntry[], sink: WideReplySink): void {
  sink.arrayHeader(entries.length);
  for (const { id, atS, durationUs, args, address, name } of entries) {
    sink.arrayHeader(6);
    sink.integer(id);
    sink.integer(atS);
    sink.integer(durationUs);
    sink.arrayHeader(args.length);
    for (const arg of args) sink.bulk(arg);
    sink.bulkLatin1(address);
    sink.bulkUtf8(name);
  }
}
