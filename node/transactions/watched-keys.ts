import type { Databases } from '../databases.ts';
import type { Keyspace } from '../keyspace.ts';
import type { Client } from '../server/client.ts';

/** One client's interest in one key. */
interface WatchedKey {
  readonly client: Client;
  readonly database: number;
  /** Text of one byte a character. */
  readonly key: string;
  /** The key had outlived its time when it was watched: that it goes is no change. */
  wasExpired: boolean;
}

/** Which clients watch which keys (WATCH). A change marks the client, and its next EXEC does nothing. */
export class WatchedKeys {
  readonly #databases: Databases;
  /** Called when the first key is watched, and when none is any more. */
  readonly #onInterest: () => void;
  readonly #byKey: (Map<string, Set<WatchedKey>> | undefined)[] = [];
  readonly #byClient = new Map<Client, WatchedKey[]>();

  constructor(databases: Databases, onInterest: () => void) {
    this.#databases = databases;
    this.#onInterest = onInterest;
  }

  /** Whether any key is watched. */
  get isActive(): boolean {
    return this.#byClient.size > 0;
  }

  /** Keys that this client watches. */
  countOf(client: Client): number {
    return this.#byClient.get(client)?.length ?? 0;
  }

  /** The client watches the key from now on; once is enough. */
  watch(client: Client, database: number, key: string): void {
    let own = this.#byClient.get(client);
    if (own === undefined) {
      own = [];
      this.#byClient.set(client, own);
      this.#onInterest();
    }
    this.#byKey[database] ??= new Map();
    const keys = this.#byKey[database]!;
    const watchers = keys.get(key) ?? new Set();
    for (const other of watchers) if (other.client === client) return;
    keys.set(key, watchers);
    const watched = { client, database, key, wasExpired: this.#isExpired(database, key) };
    watchers.add(watched);
    own.push(watched);
  }

  /** The client watches nothing any more. Its mark stays. */
  unwatch(client: Client): void {
    const own = this.#byClient.get(client);
    if (own === undefined) return;
    this.#byClient.delete(client);
    for (const watched of own) {
      const keys = this.#byKey[watched.database]!;
      const watchers = keys.get(watched.key)!;
      watchers.delete(watched);
      if (watchers.size === 0) keys.delete(watched.key);
    }
    this.#onInterest();
  }

  /** Whether a key that the client watches has expired since, though nobody has removed it yet. */
  hasExpired(client: Client): boolean {
    const own = this.#byClient.get(client);
    if (own === undefined) return false;
    return own.some(({ database, key, wasExpired }) => !wasExpired && this.#isExpired(database, key));
  }

  /** The key has changed, or goes at this moment. */
  touched(database: number, key: string): void {
    const watchers = this.#byKey[database]?.get(key);
    if (watchers === undefined) return;
    const isExpired = this.#isExpired(database, key);
    for (const watched of [...watchers]) {
      if (watched.wasExpired && isExpired) watched.wasExpired = false;
      else this.#mark(watched.client);
    }
  }

  /** All keys of the database go at this moment. */
  flushed(database: number): void {
    for (const [key, watchers] of [...(this.#byKey[database] ?? [])]) {
      if (!exists(this.#databases.at(database), key)) continue;
      for (const watched of [...watchers]) {
        if (watched.wasExpired) watched.wasExpired = false;
        else this.#mark(watched.client);
      }
    }
  }

  /** The contents of two databases are about to change places. */
  swapping(a: number, b: number): void {
    this.#replacing(a, b);
    this.#replacing(b, a);
  }

  /** A key counts as changed when it is in either database; not when it only was, or only will be, an expired one. */
  #replacing(old: number, next: number): void {
    for (const [key, watchers] of [...(this.#byKey[old] ?? [])]) {
      const isThere = exists(this.#databases.at(old), key);
      const willBe = exists(this.#databases.at(next), key);
      if (!isThere && !willBe) continue;
      const willBeExpired = willBe && this.#isExpired(next, key);
      for (const watched of [...watchers]) {
        if (watched.wasExpired && !willBe) watched.wasExpired = false;
        else if (watched.wasExpired && willBeExpired) continue;
        else if (!watched.wasExpired && !isThere && willBeExpired) watched.wasExpired = true;
        else this.#mark(watched.client);
      }
    }
  }

  #mark(client: Client): void {
    client.hasStaleWatch = true;
    this.unwatch(client);
  }

  #isExpired(database: number, key: string): boolean {
    const keyspace = this.#databases.at(database);
    const slot = slotOf(keyspace, key);
    return slot !== 0 && keyspace.isExpired(slot);
  }
}

function slotOf({ store }: Keyspace, key: string): number {
  const bytes = Buffer.from(key, 'latin1');
  return store.find(bytes, 0, bytes.length);
}

function exists(keyspace: Keyspace, key: string): boolean {
  return slotOf(keyspace, key) !== 0;
}
