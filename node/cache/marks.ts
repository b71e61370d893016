import type { Slot, Store } from '../store/index.ts';
import { Purges } from './purges.ts';
import { type TagBudget, TagIndex } from './tag-index.ts';

/** What an entry carries beside value, version and expiry; what is left out stays as it is. */
export interface Marks {
  /** Opaque 32 bits. */
  readonly clientFlags?: number;
  /** Unix milliseconds from which on the value is stale, 0 for never. */
  readonly softExpiresAt?: number;
  /** Text of one byte a character, each once. */
  readonly tags?: readonly string[];
}

/** The command that gives a key these marks. */
export function markCommand(key: string, { clientFlags, softExpiresAt, tags }: Marks): string[] {
  const parts = ['RS.MARK', key];
  if (clientFlags !== undefined) parts.push('FLAGS', String(clientFlags));
  if (softExpiresAt !== undefined) parts.push('SOFTPXAT', String(softExpiresAt));
  if (tags !== undefined) parts.push('TAGS', String(tags.length), ...tags);
  return parts;
}

/** What a database keeps of its entries' marks beside its store; goes where the store goes. */
export class EntryMarks {
  readonly tags: TagIndex;
  readonly purges = new Purges();
  /** Whether any entry may have marks: until then, nothing has to be cleared. */
  isUsed = false;

  constructor(budget: TagBudget) {
    this.tags = new TagIndex(budget);
  }

  /** What the entry carries; null for nothing. */
  of(store: Store, slot: Slot): Marks | null {
    const clientFlags = store.clientFlags(slot);
    const softExpiresAt = store.softExpiresAt(slot);
    const tags = store.hasTags(slot) ? this.tags.tagsOf(store.keyOf(slot)) : undefined;
    const isBare = clientFlags === 0 && softExpiresAt === 0 && tags === undefined;
    return isBare ? null : { clientFlags, softExpiresAt, tags };
  }

  /** All entries are gone. */
  clear(): void {
    this.tags.clear();
    this.purges.clear();
    this.isUsed = false;
  }
}
