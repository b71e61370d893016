import { type Args, RespWriter } from '../../lib/codec/resp/index.ts';
import { type CommandSpec, keysOf, type TrackingState } from '../../lib/commands/index.ts';
import { type Client, TRACKING } from '../server/client.ts';
import type { ClientRegistry } from '../server/client-registry.ts';

const CHANNEL = '__redis__:invalidate';

/** All keys at once, as FLUSHALL makes them invalid. */
const EVERYTHING = null;

/** Keys that changed and begin with one prefix, and who listens. A key's value is the client that changed it last. */
interface Prefix {
  readonly clients: Set<Client>;
  readonly changed: Map<string, Client | null>;
}

/**
 * Tells clients that keep copies of values when those go stale. By default it remembers who has read which key, at most
 * `maxKeys` of them: beyond that, keys are declared changed and forgotten. In broadcasting mode it remembers nothing, and tells of every key
 * that begins with a prefix. Keys are not told apart by database, as in Redis.
 * Protocol: https://redis.io/docs/latest/develop/reference/client-side-caching/
 */
export class Tracking {
  readonly #clients: ClientRegistry;
  /** Keys that the table may hold; 0: any number. */
  readonly #maxKeys: () => number;
  /** Called when the first client is tracked, and when none is any more. */
  readonly #onInterest: () => void;
  readonly #tracked = new Set<Client>();
  /** Ids of the clients that have read a key. */
  readonly #readers = new Map<string, Set<number>>();
  readonly #prefixes = new Map<string, Prefix>();
  /** What the client whose command runs is to be told once its reply is written. */
  #pending: (string | null)[] = [];
  #isFlushTold = false;
  #isBroadcastScheduled = false;
  /** Pairs of key and reader in the table. */
  items = 0;

  constructor(clients: ClientRegistry, maxKeys: () => number, onInterest: () => void) {
    this.#clients = clients;
    this.#maxKeys = maxKeys;
    this.#onInterest = onInterest;
  }

  /** How many clients are tracked. */
  get size(): number {
    return this.#tracked.size;
  }

  /** Keys in the table. */
  get keys(): number {
    return this.#readers.size;
  }

  /** Prefixes that somebody listens to. */
  get prefixes(): number {
    return this.#prefixes.size;
  }

  /** Begins, or goes on with other options; prefixes add up. */
  enable(client: Client, state: TrackingState): void {
    const former = client.tracking?.prefixes ?? [];
    for (const prefix of former) state.prefixes.add(prefix);
    client.tracking = state;
    client.modes |= TRACKING;
    this.#tracked.add(client);
    for (const prefix of state.prefixes) {
      const entry = this.#prefixes.get(prefix);
      if (entry) entry.clients.add(client);
      else this.#prefixes.set(prefix, { clients: new Set([client]), changed: new Map() });
    }
    this.#onInterest();
  }

  /** What the client has read stays in the table until it changes: to look it up would cost more. */
  disable(client: Client): void {
    const { tracking } = client;
    if (tracking === null) return;
    client.tracking = null;
    client.modes &= ~TRACKING;
    this.#tracked.delete(client);
    for (const prefix of tracking.prefixes) {
      const entry = this.#prefixes.get(prefix)!;
      entry.clients.delete(client);
      if (entry.clients.size === 0) this.#prefixes.delete(prefix);
    }
    if (this.#tracked.size === 0) this.#forgetAll();
    this.#onInterest();
  }

  #forgetAll(): void {
    this.#readers.clear();
    this.items = 0;
  }

  /** The client has executed a command that only reads. */
  remember(client: Client, spec: CommandSpec, args: Args): void {
    const { isBroadcast, optIn, optOut, isCachingGiven } = client.tracking!;
    if (isBroadcast || (optIn && !isCachingGiven) || (optOut && isCachingGiven)) return;
    for (const { index } of keysOf(spec, args) ?? []) {
      const key = args.latin1(index);
      let readers = this.#readers.get(key);
      if (readers === undefined) {
        readers = new Set();
        this.#readers.set(key, readers);
      }
      if (readers.has(client.id)) continue;
      readers.add(client.id);
      this.items++;
    }
  }

  /** Brings the table back to its limit; whoever has read what is dropped is told that it has changed. */
  limit(): void {
    const maxKeys = this.#maxKeys();
    if (maxKeys === 0 || this.#readers.size <= maxKeys) return;
    for (const key of this.#readers.keys()) {
      if (this.#readers.size <= maxKeys) return;
      this.#tellReaders(key, null);
    }
  }

  /** The key has changed by what `actor` does; null when it has outlived its time, or nobody's command did it. */
  touched(key: string, actor: Client | null, changer: Client | null): void {
    if (this.#prefixes.size > 0) this.#noteBroadcast(key, changer);
    this.#tellReaders(key, actor);
  }

  #tellReaders(key: string, actor: Client | null): void {
    const readers = this.#readers.get(key);
    if (readers === undefined) return;
    this.#readers.delete(key);
    this.items -= readers.size;
    for (const id of readers) {
      const client = this.#clients.get(id)?.client;
      const tracking = client?.tracking;
      if (!client || !tracking || tracking.isBroadcast) continue;
      if (client !== actor) this.#tell(client, key);
      else if (!tracking.noLoop) this.#pending.push(key);
    }
  }

  #noteBroadcast(key: string, changer: Client | null): void {
    for (const [prefix, { changed }] of this.#prefixes) {
      if (!key.startsWith(prefix)) continue;
      changed.set(key, changer);
      if (this.#isBroadcastScheduled) continue;
      this.#isBroadcastScheduled = true;
      setImmediate(() => this.#broadcast());
    }
  }

  /** Tells of all that has changed in a turn of the event loop, each listener of a prefix in one message. */
  #broadcast(): void {
    this.#isBroadcastScheduled = false;
    for (const { clients, changed } of this.#prefixes.values()) {
      if (changed.size === 0) continue;
      const all = [...changed.keys()];
      for (const client of clients) {
        const keys = client.tracking!.noLoop ? all.filter((key) => changed.get(key) !== client) : all;
        if (keys.length > 0) this.#send(client, keys);
      }
      changed.clear();
    }
  }

  /** All keys of a database are gone: whoever is tracked is to forget everything, once per command. */
  flushed(actor: Client | null): void {
    this.#forgetAll();
    if (this.#isFlushTold) return;
    this.#isFlushTold = actor !== null;
    for (const client of this.#tracked) {
      if (client === actor) this.#pending.push(EVERYTHING);
      else this.#tell(client, EVERYTHING);
    }
  }

  /** The command of `actor` is over and its reply written. */
  settle(actor: Client): void {
    this.#isFlushTold = false;
    if (this.#pending.length === 0) return;
    const pending = this.#pending;
    this.#pending = [];
    for (const key of pending) this.#tell(actor, key);
  }

  #tell(client: Client, key: string | null): void {
    this.#send(client, key === EVERYTHING ? EVERYTHING : [key]);
  }

  #send(client: Client, keys: readonly string[] | null): void {
    const { tracking } = client;
    if (tracking === null) return;
    const target = tracking.redirect === 0 ? client.id : tracking.redirect;
    const connection = this.#clients.get(target);
    if (connection === undefined) {
      tracking.isRedirectBroken = true;
      if (client.protocol === 3) this.#clients.get(client.id)?.push(brokenRedirect(tracking.redirect));
      return;
    }
    const { protocol, subscriptions } = connection.client;
    // A RESP2 connection takes messages only while it listens to channels, and not on its own behalf.
    if (protocol === 2 && (tracking.redirect === 0 || subscriptions === null)) return;
    connection.push(invalidation(protocol, keys));
  }
}

function invalidation(protocol: 2 | 3, keys: readonly string[] | null): Buffer {
  const writer = new RespWriter();
  writer.protocol = protocol;
  if (protocol === 3) {
    writer.pushHeader(2);
    writer.bulkLatin1('invalidate');
  } else {
    writer.arrayHeader(3);
    writer.bulkLatin1('message');
    writer.bulkLatin1(CHANNEL);
  }
  if (keys === EVERYTHING) writer.nullBulk();
  else {
    writer.arrayHeader(keys.length);
    for (const key of keys) writer.bulkLatin1(key);
  }
  return writer.take();
}

function brokenRedirect(id: number): Buffer {
  const writer = new RespWriter();
  writer.protocol = 3;
  writer.pushHeader(2);
  writer.bulkLatin1('tracking-redir-broken');
  writer.integer(id);
  return writer.take();
}
