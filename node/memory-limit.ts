import { errorCatalogue } from '../lib/base/index.ts';
import type { Args } from '../lib/codec/resp/index.ts';
import type { CommandSpec } from '../lib/commands/index.ts';
import type { Databases } from './databases.ts';
import type { Keyspace } from './keyspace.ts';
import { namespaceRefusal } from './namespace-limit.ts';
import { DEFAULT_NAMESPACE } from './namespaces.ts';
import { dataBudget } from './process-overhead.ts';
import type { Settings } from './settings.ts';

const OOM = errorCatalogue.out_of_memory.resp;
/** Entries that may go before one command runs: about a millisecond. What is missing then goes before the next one. */
const MAX_EVICTIONS = 1000;
/** Shares of what lives that may lie idle: the most up to the first part of the budget, the least from the second part on. */
const MOST_IDLE = 1 / 4;
const LEAST_IDLE = 1 / 14;
const ROOMY = 0.7;
const NARROW = 0.9;

/**
 * Why a write must not run, for the memory it would take or the size of its values; null when it may. Evicts first, from the budgets of the
 * node and of the namespaces that it writes to.
 */
export function memoryRefusal(
  databases: Databases,
  settings: Settings,
  keyspace: Keyspace,
  spec: CommandSpec,
  args: Args,
): string | null {
  const hasRoom = makeRoom(databases, settings);
  if (spec.deniesOom && !hasRoom) return OOM;
  return namespaceRefusal(databases, keyspace, spec, args);
}

/** Evicts until all entries are within the node's budget, with what the process takes beside them; false when they are not and nothing may be evicted. */
export function makeRoom(
  databases: Databases,
  settings: Pick<Settings, 'maxMemoryBytes' | 'maxMemoryPolicy'>,
): boolean {
  const { maxMemoryBytes, maxMemoryPolicy } = settings;
  databases.setPolicy(maxMemoryPolicy, maxMemoryBytes);
  databases.maintain();
  const maxBytes = dataBudget(maxMemoryBytes, databases.overheadBytes);
  let { chargedBytes } = databases;
  databases.idleShare = idleShare(chargedBytes, maxBytes);
  for (let i = 0; i < MAX_EVICTIONS; i++) {
    const isOver = databases.isFull || (maxBytes > 0 && chargedBytes > maxBytes);
    if (!isOver) return true;
    if (!databases.copies.evictOldest() && !evictFromLargest(databases)) return false;
    chargedBytes = databases.chargedBytes;
  }
  return true;
}

/** Whether entries take more than the node's budget leaves them. */
export function isOverBudget(
  databases: Databases,
  { maxMemoryBytes }: Pick<Settings, 'maxMemoryBytes'>,
): boolean {
  return maxMemoryBytes > 0 && databases.chargedBytes > dataBudget(maxMemoryBytes, databases.overheadBytes);
}

/**
 * How many bytes may lie idle, as a share of what lives: a quarter while there is room, since winning them back takes time, and less and less
 * (down to a fourteenth) when the budget (0: none) is about to be used up.
 */
export function idleShare(chargedBytes: number, maxBytes: number): number {
  if (maxBytes === 0) return MOST_IDLE;
  const used = (chargedBytes / maxBytes - ROOMY) / (NARROW - ROOMY);
  return MOST_IDLE - (MOST_IDLE - LEAST_IDLE) * Math.min(1, Math.max(0, used));
}

/** Evicts from whichever namespace of whichever database takes most and has something to give. */
function evictFromLargest(databases: Databases): boolean {
  for (let below = Infinity; ; ) {
    let bytes = 0;
    let largest: Keyspace | null = null;
    let namespace = DEFAULT_NAMESPACE;
    for (const keyspace of databases.all()) {
      const { store } = keyspace;
      for (let i = 0; i < store.spaces && store.size > 0; i++) {
        const held = store.spaceBytes(i);
        if (held <= bytes || held >= below) continue;
        bytes = held;
        largest = keyspace;
        namespace = i;
      }
    }
    if (largest === null) return false;
    if (largest.evictOne(namespace)) return true;
    below = bytes;
  }
}
