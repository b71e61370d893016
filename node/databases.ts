import { Copies } from './cache/index.ts';
import type { DataSet } from './data-set.ts';
import { evictionRule, type MemoryPolicy, namespaceRule } from './eviction.ts';
import { Keyspace } from './keyspace.ts';
import { Leeway } from './leeway.ts';
import { DEFAULT_NAMESPACE } from './namespaces.ts';
import type { BytesByClass, Store } from './store/index.ts';

/** What databases are made of. */
export interface DatabasesOptions {
  readonly count: number;
  readonly data: DataSet;
  readonly newStore: () => Store;
  readonly maxCopyBytes?: number;
}

/** The numbered databases of a node, each made when it is first asked for. */
export class Databases {
  readonly count: number;
  readonly data: DataSet;
  readonly #newStore: () => Store;
  readonly #keyspaces: (Keyspace | undefined)[];
  /** Those that have been asked for, in the order of their numbers; replaced, never changed. Every write goes through them. */
  #made: readonly Keyspace[] = [];
  /** What goes where no namespace says otherwise. */
  #policy: MemoryPolicy = 'noeviction';
  #budgetBytes = 0;
  /** As stores were told last; NaN when one has not been. */
  #idleShare = NaN;
  /** What the process takes beside its data, as last measured; 0 where nobody measures. */
  overheadBytes = 0;
  /** How many entries may yet be evicted before `evictionsUntilMs`, beside those that make room for others; many where nobody counts turns. */
  evictionsLeft = 2 ** 30;
  evictionsUntilMs = 0;
  /** At the last look the budget was far from used up. */
  isRoomy = false;
  readonly leeway = new Leeway();
  /** Who else's memory counts against the budget of the node: clients' buffers. What is measured of the process has them in it. */
  others: { readonly budgetedBytes: number } = { budgetedBytes: 0 };
  /** Values of other shards, which are no keys of this node. */
  readonly copies: Copies;

  /** `maxCopyBytes`: what `copies` may take; none are kept unless it is given. */
  constructor({ count, data, newStore, maxCopyBytes = 0 }: DatabasesOptions) {
    this.count = count;
    this.data = data;
    this.copies = new Copies(maxCopyBytes);
    this.#newStore = newStore;
    this.#keyspaces = new Array(count).fill(undefined);
  }

  /** The database of this number, which must be below `count`. */
  at(index: number): Keyspace {
    return this.#keyspaces[index] ?? this.#make(index);
  }

  #make(index: number): Keyspace {
    const keyspace = new Keyspace(this.#newStore(), this.data, index);
    this.#keyspaces[index] = keyspace;
    this.#idleShare = NaN;
    this.#made = [...this.#made, keyspace].sort((a, b) => a.index - b.index);
    const { store } = keyspace;
    store.setEviction(DEFAULT_NAMESPACE, evictionRule(this.#policy), this.#budgetBytes);
    for (const [i, rule] of this.data.namespaces.rules.entries())
      if (rule !== null) store.setEviction(i, namespaceRule(rule.policy));
    return keyspace;
  }

  /** Says what is evicted of keys that are in no namespace, and what all may take (0: no limit). */
  setPolicy(policy: MemoryPolicy, budgetBytes = 0): void {
    if (policy === this.#policy && budgetBytes === this.#budgetBytes) return;
    this.#policy = policy;
    this.#budgetBytes = budgetBytes;
    for (const { store } of this.all())
      store.setEviction(DEFAULT_NAMESPACE, evictionRule(policy), budgetBytes);
  }

  /** The database of this number if it has been asked for. */
  peek(index: number): Keyspace | undefined {
    return this.#keyspaces[index];
  }

  /** Those that have been asked for, in the order of their numbers. */
  all(): readonly Keyspace[] {
    return this.#made;
  }

  /** Swaps the content of two databases. */
  swap(a: number, b: number): void {
    const first = this.at(a);
    const second = this.at(b);
    const { store, marks } = first;
    first.store = second.store;
    first.marks = second.marks;
    second.store = store;
    second.marks = marks;
    this.data.leases.voidAll(a);
    this.data.leases.voidAll(b);
  }

  /** Forgets all entries, for a data set that begins anew. */
  reset(): void {
    for (const keyspace of this.all()) keyspace.reset();
    this.copies.clear();
    this.data.cache.answers.clear();
  }

  /** Bytes that all entries take, with what is kept beside them. */
  get usedBytes(): number {
    let bytes = this.data.cache.tagBudget.usedBytes;
    for (const { store } of this.#made) bytes += store.usedBytes;
    return bytes;
  }

  /** What is to be held against the budget of the node: what entries and copies take, and the buffers of clients. */
  get chargedBytes(): number {
    let bytes = this.data.cache.tagBudget.usedBytes + this.others.budgetedBytes + this.copies.bytes;
    for (const { store } of this.#made) bytes += store.chargedBytes;
    return bytes;
  }

  /** What the memory of all stores is taken for. */
  get bytesByClass(): BytesByClass {
    const sum = { entries: 0, index: 0, objects: 0, idle: 0 };
    for (const { store } of this.all()) {
      const { entries, index, objects, idle } = store.bytesByClass;
      sum.entries += entries;
      sum.index += index;
      sum.objects += objects;
      sum.idle += idle;
    }
    return sum;
  }

  /** Whether one of the stores has addresses for little more. */
  get isFull(): boolean {
    for (const { store } of this.#made) if (store.isFull) return true;
    return false;
  }

  /** Gives memory back that stores do not use any more. To be called between commands: slots become invalid. */
  maintain(): void {
    for (const { store } of this.#made) store.maintain();
  }

  /** Entries take `used` of the budget, below 1, and will have to be evicted before long. */
  prepareEviction(used: number): void {
    for (const { store } of this.#made) store.prepareEviction(used);
  }

  /** How many bytes may lie idle in each store, as a share of what lives there. */
  set idleShare(share: number) {
    if (share === this.#idleShare) return;
    this.#idleShare = share;
    for (const { store } of this.#made) store.idleShare = share;
  }

  /** Number of entries in all databases. */
  get size(): number {
    let size = 0;
    for (const { store } of this.#made) size += store.size;
    return size;
  }
}
