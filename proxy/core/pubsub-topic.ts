import type { TopicKind } from './pubsub-frames.ts';
import type { ShardFeed } from './shard-feed.ts';

/** Whoever gets messages. */
export interface Receiver {
  readonly protocol: 2 | 3;
  /** `bytes` are shared with other receivers. */
  push(bytes: Buffer): void;
}

/** Hears once that a topic is confirmed, or why it never will be. */
export type Confirmed = (failure: string | null) => void;

/** One channel or pattern that somebody listens to, or is about to. */
export class Topic {
  readonly kind: TopicKind;
  /** One character a byte. */
  readonly name: string;
  /** How many hold it: it stays subscribed for as long as anybody does. */
  holds = 0;
  readonly receivers = new Set<Receiver>();
  /** The shards it is subscribed at, and whether each has confirmed it. */
  readonly feeds = new Map<ShardFeed, boolean>();
  #waiting: Confirmed[] = [];

  constructor(kind: TopicKind, name: string) {
    this.kind = kind;
    this.name = name;
  }

  /** Whether every shard has confirmed it, and there is one. */
  get isConfirmed(): boolean {
    for (const isConfirmed of this.feeds.values()) if (!isConfirmed) return false;
    return this.feeds.size > 0;
  }

  /** Calls `confirmed` once; not before this returns. */
  await(confirmed: Confirmed): void {
    this.#waiting.push(confirmed);
  }

  /** Whoever called `await` with this waits no more. */
  forget(confirmed: Confirmed): void {
    this.#waiting = this.#waiting.filter((one) => one !== confirmed);
  }

  /** A shard has confirmed it, or has lost its subscriptions. */
  note(feed: ShardFeed, isConfirmed: boolean): void {
    if (!this.feeds.has(feed)) return;
    this.feeds.set(feed, isConfirmed);
    if (isConfirmed) this.settle();
  }

  /** Tells those who wait, if it is confirmed. To be called when `feeds` has changed. */
  settle(): void {
    if (this.#waiting.length > 0 && this.isConfirmed) this.#tell(null);
  }

  /** A node does not allow it. */
  refuse(failure: string): void {
    this.#tell(failure);
  }

  #tell(failure: string | null): void {
    for (const confirmed of this.#waiting.splice(0)) confirmed(failure);
  }
}
