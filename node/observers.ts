import type { DataSet, KeyspaceObserver } from './data-set.ts';
import type { Databases } from './databases.ts';
import { NOTIFY_KEYEVENT, NOTIFY_KEYSPACE } from './pubsub/event-classes.ts';
import { PubSub } from './pubsub/pubsub.ts';
import type { Client } from './server/client.ts';
import type { ClientRegistry } from './server/client-registry.ts';
import { Tracking } from './tracking/tracking.ts';
import { WatchedKeys } from './transactions/watched-keys.ts';

/**
 * Everybody who wants to hear what happens to keys: transactions that watch them, clients that keep copies of them, and listeners of
 * keyspace events. The keyspace calls it only while there is somebody.
 */
export class Observers implements KeyspaceObserver {
  readonly pubsub: PubSub;
  readonly watched: WatchedKeys;
  readonly tracking: Tracking;
  readonly #databases: Databases;
  readonly #data: DataSet;
  #eventClasses = 0;
  /** Whose command runs; null in between. */
  #actor: Client | null = null;

  constructor(databases: Databases, clients: ClientRegistry, maxTrackedKeys: () => number) {
    this.#databases = databases;
    this.#data = databases.data;
    this.pubsub = new PubSub(clients);
    this.watched = new WatchedKeys(databases, () => this.#listen());
    this.tracking = new Tracking(clients, maxTrackedKeys, () => this.#listen());
  }

  #listen(): void {
    const isWanted = this.watched.isActive || this.tracking.size > 0 || this.#data.notifyMask !== 0;
    this.#data.observer = isWanted ? this : null;
  }

  /** The mask of `notify-keyspace-events`. */
  get eventClasses(): number {
    return this.#eventClasses;
  }

  set eventClasses(mask: number) {
    this.#eventClasses = mask;
    // Without a kind of channel to go to, no event is wanted at all.
    this.#data.notifyMask = (mask & (NOTIFY_KEYSPACE | NOTIFY_KEYEVENT)) === 0 ? 0 : mask;
    this.#listen();
  }

  /** What the table of tracked keys cannot hold is told before the commands of a turn have their replies. */
  beginTurn(): void {
    if (this.tracking.size > 0) this.tracking.limit();
  }

  /** A command of this client begins. */
  begin(client: Client): void {
    this.#actor = client;
  }

  /** The command is over, and its reply is written. */
  settle(): void {
    const actor = this.#actor;
    if (actor === null) return;
    this.#actor = null;
    if (this.tracking.size > 0) this.tracking.settle(actor);
  }

  touched(database: number, key: string): void {
    if (this.watched.isActive) this.watched.touched(database, key);
    if (this.tracking.size === 0) return;
    // What a client finds expired has not been changed by it.
    const changer = this.#isExpired(database, key) ? null : this.#actor;
    this.tracking.touched(key, this.#actor, changer);
  }

  #isExpired(database: number, key: string): boolean {
    const keyspace = this.#databases.at(database);
    const bytes = Buffer.from(key, 'latin1');
    const slot = keyspace.store.find(bytes, 0, bytes.length);
    return slot !== 0 && keyspace.isExpired(slot);
  }

  flushed(database: number): void {
    if (this.watched.isActive) this.watched.flushed(database);
    if (this.tracking.size > 0) this.tracking.flushed(this.#actor);
  }

  event(database: number, _kind: number, event: string, key: string): void {
    const classes = this.#eventClasses;
    if ((classes & NOTIFY_KEYSPACE) !== 0) this.pubsub.publish(`__keyspace@${database}__:${key}`, event);
    if ((classes & NOTIFY_KEYEVENT) !== 0) this.pubsub.publish(`__keyevent@${database}__:${event}`, key);
  }

  /** The client is gone, or begins anew. */
  forget(client: Client): void {
    this.watched.unwatch(client);
    this.pubsub.leave(client);
    this.tracking.disable(client);
  }
}
