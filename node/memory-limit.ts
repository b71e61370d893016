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
/** Entries that may go in `SLICE_MS`, beside those whose place a command's own take: some milliseconds, when the code is not compiled yet. */
const MAX_EVICTIONS_OF_SLICE = 400;
const SLICE_MS = 4;
/** Entries that take this much more than their budget (a copy of what is large needs few bytes of a command) are worth longer pauses. */
const FAR_OVER = 1.05;
const MAX_EVICTIONS_FAR_OVER = 2000;
/** What an entry takes at least, about. */
const SMALL_ENTRY_BYTES = 64;
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
  const { leeway } = databases;
  // Since it was granted another turn may have found less room.
  if (!databases.isRoomy || !leeway.covers(keyspace.store, settings.maxMemoryBytes)) {
    const hasRoom = makeRoom(databases, settings, args.end(args.count - 1) - args.start(0));
    if (spec.deniesOom && !hasRoom) return OOM;
    if (databases.isRoomy) leeway.grant(keyspace.store, settings.maxMemoryBytes);
  }
  return namespaceRefusal(databases, keyspace, spec, args);
}

/** What entries may take now. */
function budgetOf({ overheadBytes }: Databases, maxMemoryBytes: number): number {
  return dataBudget(maxMemoryBytes, overheadBytes);
}

/** To be called when a turn of the event loop begins: as many entries may go in it as the time since those of the last allows. */
export function beginEvictions(
  databases: Databases,
  { maxMemoryBytes }: Pick<Settings, 'maxMemoryBytes'>,
  nowMs: number,
): void {
  if (nowMs < databases.evictionsUntilMs) return;
  const isFarOver = databases.chargedBytes > FAR_OVER * budgetOf(databases, maxMemoryBytes);
  databases.evictionsUntilMs = nowMs + SLICE_MS;
  databases.evictionsLeft = isFarOver ? MAX_EVICTIONS_FAR_OVER : MAX_EVICTIONS_OF_SLICE;
}

/** Makes ready what evicting takes, while there is room. */
export function prepareEviction(
  databases: Databases,
  { maxMemoryBytes, maxMemoryPolicy }: Pick<Settings, 'maxMemoryBytes' | 'maxMemoryPolicy'>,
): void {
  if (maxMemoryBytes === 0 || maxMemoryPolicy === 'noeviction') return;
  const used = databases.chargedBytes / budgetOf(databases, maxMemoryBytes);
  if (used > ROOMY && used < 1) databases.prepareEviction(used);
}

/**
 * Evicts until all entries are within the node's budget, with what the process takes beside them; false when they are not and nothing may be
 * evicted. Where that would take too long, it stops before, once there is room for the `addedBytes` that come.
 */
export function makeRoom(
  databases: Databases,
  settings: Pick<Settings, 'maxMemoryBytes' | 'maxMemoryPolicy'>,
  addedBytes = 0,
): boolean {
  const { maxMemoryBytes, maxMemoryPolicy } = settings;
  databases.setPolicy(maxMemoryPolicy, maxMemoryBytes);
  databases.maintain();
  const maxBytes = budgetOf(databases, maxMemoryBytes);
  let { chargedBytes } = databases;
  databases.isRoomy = (maxBytes === 0 || chargedBytes < ROOMY * maxBytes) && !databases.isFull;
  if (databases.isRoomy) {
    databases.idleShare = MOST_IDLE;
    return true;
  }
  databases.idleShare = idleShare(chargedBytes, maxBytes);
  const wanted = Math.max(1, databases.evictionsLeft, addedBytes / SMALL_ENTRY_BYTES);
  const most = Math.min(MAX_EVICTIONS, wanted);
  for (let i = 0; i < most; i++) {
    const isOver = databases.isFull || (maxBytes > 0 && chargedBytes > maxBytes);
    if (!isOver) return true;
    if (!databases.copies.evictOldest() && !evictFromLargest(databases)) return false;
    databases.evictionsLeft--;
    chargedBytes = databases.chargedBytes;
  }
  return true;
}

/** Whether entries take more than the node's budget leaves them. */
export function isOverBudget(
  databases: Databases,
  { maxMemoryBytes }: Pick<Settings, 'maxMemoryBytes'>,
): boolean {
  return maxMemoryBytes > 0 && databases.chargedBytes > budgetOf(databases, maxMemoryBytes);
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
