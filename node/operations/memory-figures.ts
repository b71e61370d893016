import { memoryUsage } from 'node:process';
import type { Databases } from '../databases.ts';
import type { NodeServices } from '../services.ts';

/** Where the memory of the node goes, in bytes. */
export interface MemoryFigures {
  /** What keys and values take, with what it costs to keep them. */
  readonly usedBytes: number;
  /** What `maxmemory` limits: that, what lies idle as far as the store puts up with it, and `clientBytes`. */
  readonly chargedBytes: number;
  readonly peakBytes: number;
  /** Taken from the system for keys and values; what is above `usedBytes` lies idle. */
  readonly reservedBytes: number;
  /** Received and not executed, or answered and not sent. */
  readonly clientBytes: number;
  /** Waiting for followers. */
  readonly followerBytes: number;
  /** The replication stream that is kept for followers who come back. */
  readonly backlogBytes: number;
  readonly residentBytes: number;
  readonly heapUsedBytes: number;
  readonly heapReservedBytes: number;
  /** Outside the JavaScript heap: buffers, the store. */
  readonly externalBytes: number;
  readonly keys: number;
}

/** The figures of this moment. Reads what the operating system says of the process, which takes some tens of microseconds. */
export function memoryFigures({ stats, clients }: NodeServices, databases: Databases): MemoryFigures {
  const { rss, heapUsed, heapTotal, external } = memoryUsage();
  const { usedBytes, chargedBytes, size, data } = databases;
  stats.usedBytesPeak = Math.max(stats.usedBytesPeak, chargedBytes);
  const { followerBytes, budgetedBytes } = clients;
  let reservedBytes = 0;
  for (const { store } of databases.all()) reservedBytes += store.reservedBytes;
  return {
    usedBytes,
    chargedBytes,
    peakBytes: stats.usedBytesPeak,
    reservedBytes: Math.max(reservedBytes, usedBytes),
    clientBytes: budgetedBytes,
    followerBytes,
    backlogBytes: data.log.active ? data.log.end - data.log.start : 0,
    residentBytes: rss,
    heapUsedBytes: heapUsed,
    heapReservedBytes: heapTotal,
    externalBytes: external,
    keys: size,
  };
}
