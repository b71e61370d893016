import { bitFieldCommands } from './bitfield.ts';
import { bitmapCommands } from './bitmaps.ts';
import { cacheCommands } from './cache.ts';
import { clientCommands } from './client.ts';
import type { CommandHandlers } from './command.ts';
import { configCommands } from './config.ts';
import { connectionCommands } from './connection.ts';
import { copyCommands } from './copies.ts';
import { databaseCommands } from './databases.ts';
import { debugCommands } from './debug/index.ts';
import { dumpCommands } from './dump.ts';
import { expiryCommands } from './expiry.ts';
import { geoCommands } from './geo/index.ts';
import { hashCommands } from './hashes/index.ts';
import { hyperloglogCommands } from './hyperloglog/index.ts';
import { keyCommands } from './keys.ts';
import { lcsCommands } from './lcs.ts';
import { listCommands } from './lists/index.ts';
import { memcachedReads } from './memcached-reads.ts';
import { memcachedWrites } from './memcached-writes.ts';
import { migrateCommands } from './migrate.ts';
import { numberCommands } from './numbers.ts';
import { objectCommands } from './object.ts';
import { operationsCommands } from './operations/index.ts';
import { persistenceCommands } from './persistence.ts';
import { pubsubCommands } from './pubsub.ts';
import { purgeCommands } from './purge.ts';
import { replicationCommands } from './replication.ts';
import { serverCommands } from './server.ts';
import { setCommands } from './sets/index.ts';
import { sortCommands } from './sort.ts';
import { sortedSetCommands } from './sorted-sets/index.ts';
import { stringRangeCommands } from './string-ranges.ts';
import { stringCommands } from './strings.ts';
import { transactionCommands } from './transactions.ts';
import { transferCommands } from './transfers.ts';

/** All commands this node answers, by upper-case name (`CLIENT|ID` for a subcommand). */
export const handlers: CommandHandlers = Object.freeze({
  ...stringCommands,
  ...stringRangeCommands,
  ...numberCommands,
  ...lcsCommands,
  ...bitmapCommands,
  ...bitFieldCommands,
  ...listCommands,
  ...hashCommands,
  ...setCommands,
  ...sortedSetCommands,
  ...geoCommands,
  ...hyperloglogCommands,
  ...keyCommands,
  ...transferCommands,
  ...objectCommands,
  ...dumpCommands,
  ...migrateCommands,
  ...sortCommands,
  ...debugCommands,
  ...expiryCommands,
  ...connectionCommands,
  ...clientCommands,
  ...databaseCommands,
  ...transactionCommands,
  ...pubsubCommands,
  ...configCommands,
  ...serverCommands,
  ...operationsCommands,
  ...persistenceCommands,
  ...cacheCommands,
  ...copyCommands,
  ...purgeCommands,
  ...memcachedReads,
  ...memcachedWrites,
  ...replicationCommands,
});
