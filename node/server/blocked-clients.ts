import type { Clock } from '../../lib/base/index.ts';
import { RespWriter } from '../../lib/codec/resp/index.ts';
import type { Readiness } from '../data-set.ts';
import type { Blocked, KeyWait, ReplicaWait } from './blocked.ts';
import type { Client } from './client.ts';
import type { ClientRegistry } from './client-registry.ts';
import { Deadlines } from './deadlines.ts';

const FORCED = 'UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)';
const BY_COMMAND = 'UNBLOCKED client unblocked via CLIENT UNBLOCK';
/** The longest that a timer of the platform can be set to. */
const MAX_TIMER_MS = 0x7fffffff;

/** A key that has data for clients that wait for it. */
export interface ReadyKey {
  readonly database: number;
  /** Text of one byte a character. */
  readonly key: string;
}

/** What `BlockedClients` works with. */
export interface BlockedClientsParts {
  readonly clock: Clock;
  readonly clients: ClientRegistry;
  /** How many followers have come so far. */
  readonly followersAt: (offset: number) => number;
  /** Called with whoever is to hear of keys, or with null when nobody waits for any. */
  readonly listen: (readiness: Readiness | null) => void;
}

interface Deadline {
  readonly deadlineMs: number;
  heapIndex: number;
  readonly client: Client;
}

/**
 * The clients that wait: for data in a key, first come first served per key; for followers; for the end of a pause. Knows who they are and
 * when they give up; whoever runs commands serves them.
 */
export class BlockedClients implements Readiness {
  readonly #parts: BlockedClientsParts;
  readonly #clients = new Map<Client, Deadline>();
  /** Who waits for a key, in the order they came; by database and key. */
  readonly #queues: (Map<string, Set<Client>> | undefined)[] = [];
  #keyWaits = 0;
  readonly #replicaWaits = new Set<Client>();
  readonly #deadlines = new Deadlines<Deadline>();
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #ready: ReadyKey[] = [];

  constructor(parts: BlockedClientsParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#clients.size;
  }

  /** How many of them will give up by themselves. */
  get withTimeout(): number {
    return this.#deadlines.size;
  }

  /** Lets the client wait. */
  add(client: Client, blocked: Blocked): void {
    client.blocked = blocked;
    const deadline: Deadline = { deadlineMs: blocked.deadlineMs, heapIndex: -1, client };
    this.#clients.set(client, deadline);
    if (blocked.kind === 'keys') this.#enqueue(client, blocked);
    else if (blocked.kind === 'replicas') this.#replicaWaits.add(client);
    if (blocked.deadlineMs === Number.POSITIVE_INFINITY) return;
    this.#deadlines.add(deadline);
    this.#setTimer();
  }

  /** Ends the client's wait without a word. */
  remove(client: Client): void {
    const deadline = this.#clients.get(client);
    if (!deadline) return;
    this.#clients.delete(client);
    this.#deadlines.remove(deadline);
    const blocked = client.blocked!;
    client.blocked = null;
    if (blocked.kind === 'keys') this.#dequeue(client, blocked);
    else if (blocked.kind === 'replicas') this.#replicaWaits.delete(client);
  }

  #enqueue(client: Client, wait: KeyWait): void {
    if (this.#keyWaits++ === 0) this.#parts.listen(this);
    this.#queues[wait.database] ??= new Map();
    const queues = this.#queues[wait.database]!;
    for (const key of keysOf(wait)) {
      const queue = queues.get(key);
      if (queue) queue.add(client);
      else queues.set(key, new Set([client]));
    }
  }

  #dequeue(client: Client, wait: KeyWait): void {
    const queues = this.#queues[wait.database]!;
    for (const key of keysOf(wait)) {
      const queue = queues.get(key);
      if (queue?.delete(client) && queue.size === 0) queues.delete(key);
    }
    if (--this.#keyWaits === 0) this.#parts.listen(null);
  }

  signal(database: number, key: string): void {
    if (this.#queues[database]?.has(key)) this.#ready.push({ database, key });
  }

  /** All keys of the database that somebody waits for, for example because its content is another's now. */
  *awaitedKeys(database: number): Generator<string> {
    const queues = this.#queues[database];
    if (queues) yield* queues.keys();
  }

  get hasReady(): boolean {
    return this.#ready.length > 0;
  }

  /** The keys that became ready since the last call, each once, in that order. */
  takeReady(): ReadyKey[] {
    const ready = this.#ready;
    this.#ready = [];
    const seen = new Set<string>();
    return ready.filter(({ database, key }) => {
      const name = `${database}:${key}`;
      return !seen.has(name) && seen.add(name);
    });
  }

  /** Who waits for the key at this moment, the longest first. */
  waitingFor({ database, key }: ReadyKey): Client[] {
    return [...(this.#queues[database]?.get(key) ?? [])];
  }

  /** Followers have made progress. Not to be called in anybody's turn. */
  followersProgressed(): void {
    for (const client of [...this.#replicaWaits]) {
      const { offset, replicas } = client.blocked as ReplicaWait;
      if (this.#parts.followersAt(offset) >= replicas) this.#timedOut(client);
    }
  }

  /** Ends the wait as if its time had run out, or with an error; false when the client does not wait for keys or followers. */
  unblock(client: Client, how: 'timeout' | 'error'): boolean {
    const kind = client.blocked?.kind;
    if (kind !== 'keys' && kind !== 'replicas') return false;
    if (how === 'timeout') this.#timedOut(client);
    else this.#answer(client, (reply) => reply.error(BY_COMMAND));
    return true;
  }

  /** The node leads no more. Who waits for followers learns how many there were; who waits for data is sent away. */
  leadershipLost(client: Client): void {
    if (client.blocked?.kind === 'replicas') this.#timedOut(client);
    if (client.blocked?.kind !== 'keys') return;
    client.closing = true;
    this.#answer(client, (reply) => reply.error(FORCED));
  }

  #timedOut(client: Client): void {
    const blocked = client.blocked!;
    this.#answer(client, (reply) => {
      if (blocked.kind === 'replicas') reply.integer(this.#parts.followersAt(blocked.offset));
      else reply.nullArray();
    });
  }

  #answer(client: Client, write: (reply: RespWriter) => void): void {
    const reply = new RespWriter();
    reply.protocol = client.protocol;
    write(reply);
    const connection = this.#parts.clients.get(client.id);
    const bytes = client.blocked!.muted ? reply.take().subarray(0, 0) : reply.take();
    this.remove(client);
    connection?.answer(bytes, null);
  }

  #setTimer(): void {
    const first = this.#deadlines.first;
    if (!first || first.deadlineMs >= this.#timerAtMs) return;
    clearTimeout(this.#timer);
    this.#timerAtMs = first.deadlineMs;
    const inMs = Math.ceil(first.deadlineMs - this.#parts.clock.monotonicMs());
    this.#timer = setTimeout(() => this.#expire(), Math.min(Math.max(1, inMs), MAX_TIMER_MS));
    this.#timer.unref();
  }

  #expire(): void {
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#parts.clock.monotonicMs();
    for (;;) {
      const first = this.#deadlines.first;
      if (!first || first.deadlineMs > nowMs) break;
      this.#timedOut(first.client);
    }
    this.#setTimer();
  }
}

function* keysOf({ args, firstKey, lastKey }: KeyWait): Generator<string> {
  for (let i = firstKey; i <= lastKey; i++) yield args.latin1(i);
}
