import { seededRandom } from '../../lib/base/index.ts';
import { DataSet } from '../../node/data-set.ts';
import { Databases } from '../../node/databases.ts';
import type { MemoryPolicy } from '../../node/eviction.ts';
import type { Keyspace } from '../../node/keyspace.ts';
import { makeRoom } from '../../node/memory-limit.ts';
import { ReplicationLog } from '../../node/replication/replication-log.ts';
import { MemoryStore } from '../../node/store/index.ts';
import type { CacheSimulator } from './cache-simulator.ts';

/** Keys of a trace are of this length. */
const KEY_BYTES = 16;
const LARGEST_VALUE_BYTES = 8 << 20;

/** A node's data set in this process, used look-aside: GET, and on a miss SET. */
export class NodeCache implements CacheSimulator {
  readonly #databases: Databases;
  readonly #keyspace: Keyspace;
  readonly #settings: { maxMemoryBytes: number; maxMemoryPolicy: MemoryPolicy };
  readonly #key = Buffer.alloc(KEY_BYTES, '0');
  readonly #value = Buffer.alloc(LARGEST_VALUE_BYTES);
  /** What entries are charged, by the size of their value. */
  readonly #charges = new Map<number, number>();
  #overheadBytes = 0;
  #isFull = false;

  constructor(policy: MemoryPolicy, maxBytes: number) {
    const random = seededRandom(1);
    this.#databases = new Databases({
      count: 1,
      data: new DataSet(new ReplicationLog({ backlogBytes: 1 << 16, replId: random.hex(20) })),
      newStore: () => new MemoryStore({ hashSeed: random.u32() }),
    });
    this.#settings = { maxMemoryBytes: maxBytes, maxMemoryPolicy: policy };
    this.#keyspace = this.#databases.at(0);
    makeRoom(this.#databases, this.#settings);
  }

  access(key: number, valueBytes: number, expiresAt = 0): boolean {
    const keyspace = this.#keyspace;
    this.#writeKey(key);
    if (keyspace.read(this.#key, 0, KEY_BYTES) !== 0) return true;
    if (!makeRoom(this.#databases, this.#settings)) {
      this.#isFull = true;
      return false;
    }
    const slot = keyspace.insert(this.#key, 0, KEY_BYTES);
    keyspace.setBytes(slot, this.#value, 0, valueBytes, expiresAt);
    if (!this.#charges.has(valueBytes)) this.#noteCharge(valueBytes);
    return false;
  }

  #noteCharge(valueBytes: number): void {
    const { store } = this.#keyspace;
    const bytes = store.bytesOf(store.find(this.#key, 0, KEY_BYTES));
    this.#charges.set(valueBytes, bytes);
    this.#overheadBytes = bytes - valueBytes;
  }

  #writeKey(key: number): void {
    let rest = key;
    for (let i = KEY_BYTES - 1; i >= 0; i--) {
      this.#key[i] = 0x30 + (rest % 10);
      rest = Math.floor(rest / 10);
    }
  }

  /** What an object of this size is charged. */
  bytesOf(valueBytes: number): number {
    return this.#charges.get(valueBytes) ?? valueBytes + this.#overheadBytes;
  }

  /** What the entries may take now: what they do take, once some had to go or were refused. */
  get capacityBytes(): number {
    return this.#keyspace.stats.evicted === 0 && !this.#isFull
      ? this.#settings.maxMemoryBytes
      : this.#keyspace.store.usedBytes;
  }
}
