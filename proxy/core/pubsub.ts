import { matchesGlob } from '../../lib/base/index.ts';
import { errorReply, plainError } from './frames.ts';
import { type ChannelKind, messageFor, type TopicKind } from './pubsub-frames.ts';
import { type Confirmed, Topic } from './pubsub-topic.ts';
import type { Router } from './router.ts';
import { ShardFeed } from './shard-feed.ts';
import type { ShardRoute } from './topology.ts';

/** How often connections are looked at, in milliseconds. */
const CHECK_MS = 2000;
/** What nodes tell of keys: the events of a key come from its own shard. */
const KEY_EVENTS = /^__key(?:space|event)@/;

/**
 * Publish and subscribe over all shards, for the clients of one thread. A channel has a home: the shard that would own a key of its name;
 * who publishes goes there, and so does who listens. Patterns, and channels of keyspace events, are listened to on all shards.
 *
 * However many clients listen, a name is subscribed once per shard, over one connection per shard (`ShardFeed`).
 */
export class PubSub {
  readonly #router: Router;
  readonly #maxSubscriptions: number;
  readonly #feeds = new Map<string, ShardFeed>();
  readonly #topics: Readonly<Record<TopicKind, Map<string, Topic>>> = {
    channel: new Map(),
    pattern: new Map(),
    shardChannel: new Map(),
  };
  /** The ring by which `feeds` of the topics were chosen. */
  #ring: unknown = null;
  #checker: NodeJS.Timeout | undefined;
  /** Names held, each as often as clients hold it. */
  #subscriptions = 0;

  /** `maxSubscriptions`: names that the clients of this thread may listen to, each client's counted. */
  constructor(router: Router, maxSubscriptions: number) {
    this.#router = router;
    this.#maxSubscriptions = maxSubscriptions;
    router.changed.add(() => this.#ringChanged());
  }

  /** Whether so many more names may be held; else the error that says why not. */
  refusalOf(more: number): Buffer | null {
    if (this.#subscriptions + more <= this.#maxSubscriptions) return null;
    const setting = 'proxy.limits.maxSubscriptions';
    const { health, clock } = this.#router.env;
    health.limits.reached(setting, clock.monotonicMs());
    const text = `${this.#maxSubscriptions} subscriptions are in use (${setting})`;
    return errorReply('overloaded', text);
  }

  /** The topic of this name, which is subscribed until `release`. There must be a ring. */
  hold(kind: TopicKind, name: string): Topic {
    let topic = this.#topics[kind].get(name);
    if (topic === undefined) {
      topic = new Topic(kind, name);
      this.#topics[kind].set(name, topic);
      this.#place(topic);
    }
    topic.holds++;
    this.#subscriptions++;
    return topic;
  }

  release(topic: Topic): void {
    this.#subscriptions--;
    if (--topic.holds > 0) return;
    this.#topics[topic.kind].delete(topic.name);
    for (const feed of [...topic.feeds.keys()]) feed.remove(topic);
  }

  /**
   * Calls `done` once with null as soon as all shards concerned have confirmed all topics, or with an error reply when one is refused, or when that
   * takes longer than `operationTimeoutMs`. The function returned gives up: `done` is not called then.
   */
  whenConfirmed(topics: readonly Topic[], done: (failure: Buffer | null) => void): () => void {
    const waiting = new Set(topics.filter((topic) => !topic.isConfirmed));
    if (waiting.size === 0) {
      done(null);
      return ignore;
    }
    const confirmations = new Map<Topic, Confirmed>();
    const giveUp = () => {
      clearTimeout(timer);
      for (const [topic, confirmed] of confirmations) topic.forget(confirmed);
    };
    let isOver = false;
    const finish = (failure: Buffer | null) => {
      giveUp();
      if (!isOver) done(failure);
      isOver = true;
    };
    const { operationTimeoutMs } = this.#router.env.settings;
    const timer = setTimeout(() => finish(this.#tooLate([...waiting])), operationTimeoutMs);
    for (const topic of waiting) {
      const confirmed: Confirmed = (failure) => {
        waiting.delete(topic);
        if (failure !== null) finish(plainError(failure));
        else if (waiting.size === 0) finish(null);
      };
      confirmations.set(topic, confirmed);
      topic.await(confirmed);
    }
    return giveUp;
  }

  /** Whether anybody of this thread would get a message to this channel. */
  listens(kind: ChannelKind, name: string): boolean {
    if (this.#topics[kind].has(name)) return true;
    return kind === 'channel' && this.#matching(name).length > 0;
  }

  /**
   * How many clients a message of this channel reaches, where its shard says `counted`: the shard takes all clients of this thread for
   * one, once for the channel and once for each pattern. Those of other proxies, and of other threads, stay counted so.
   */
  receivers(kind: ChannelKind, name: string, shard: string, counted: number): number {
    const feed = this.#feeds.get(shard);
    const topics = kind === 'channel' ? this.#matching(name) : [];
    const exact = this.#topics[kind].get(name);
    if (exact !== undefined) topics.push(exact);
    return correct(counted, topics, feed);
  }

  /** As `receivers`, of those who listen to the channel by its very name. */
  subscribers(kind: ChannelKind, name: string, shard: string, counted: number): number {
    const topic = this.#topics[kind].get(name);
    return topic === undefined ? counted : correct(counted, [topic], this.#feeds.get(shard));
  }

  close(): void {
    clearInterval(this.#checker);
    for (const feed of this.#feeds.values()) feed.close();
    this.#feeds.clear();
  }

  #matching(channel: string): Topic[] {
    const found: Topic[] = [];
    for (const [pattern, topic] of this.#topics.pattern) {
      if (matchesGlob(pattern, channel)) found.push(topic);
    }
    return found;
  }

  /** Subscribes the topic where it belongs now, and nowhere else. */
  #place(topic: Topic): void {
    const wanted = new Set(this.#routesOf(topic).map(({ name }) => this.#feedOf(name)));
    for (const feed of [...topic.feeds.keys()]) if (!wanted.has(feed)) feed.remove(topic);
    for (const feed of wanted) if (!topic.feeds.has(feed)) feed.add(topic);
    topic.settle();
  }

  #routesOf({ kind, name }: Topic): readonly ShardRoute[] {
    if (kind === 'pattern' || (kind === 'channel' && KEY_EVENTS.test(name))) return this.#router.routes;
    const bytes = Buffer.from(name, 'latin1');
    return [this.#router.routeOf(bytes, 0, bytes.length)];
  }

  #feedOf(shard: string): ShardFeed {
    let feed = this.#feeds.get(shard);
    if (feed === undefined) {
      feed = new ShardFeed(shard, this.#router, (kind, name, buffer, start, end) =>
        this.#deliver(kind, name, buffer, start, end),
      );
      this.#feeds.set(shard, feed);
      this.#checker ??= setInterval(() => this.#check(), CHECK_MS).unref();
    }
    return feed;
  }

  /** One message, encoded once for each protocol version. */
  #deliver(kind: TopicKind, name: string, buffer: Buffer, start: number, end: number): void {
    const topic = this.#topics[kind].get(name);
    if (topic === undefined) return;
    let asArray: Buffer | null = null;
    let asPush: Buffer | null = null;
    for (const receiver of topic.receivers) {
      if (receiver.protocol === 3) {
        asPush ??= messageFor(3, buffer, start, end);
        receiver.push(asPush);
      } else {
        asArray ??= messageFor(2, buffer, start, end);
        receiver.push(asArray);
      }
    }
  }

  #ringChanged(): void {
    const { ring } = this.#router;
    if (ring !== this.#ring) {
      this.#ring = ring;
      for (const topics of Object.values(this.#topics))
        for (const topic of topics.values()) this.#place(topic);
    }
    for (const feed of this.#feeds.values()) feed.follow();
  }

  #check(): void {
    for (const [shard, feed] of this.#feeds) if (!feed.check()) this.#feeds.delete(shard);
    if (this.#feeds.size > 0) return;
    clearInterval(this.#checker);
    this.#checker = undefined;
  }

  #tooLate(waiting: readonly Topic[]): Buffer {
    const { operationTimeoutMs } = this.#router.env.settings;
    const late = waiting.flatMap((topic) => [...topic.feeds]).find(([, isConfirmed]) => !isConfirmed)?.[0];
    const why = late === undefined || late.lastFailure === '' ? '' : ` (${late.lastFailure})`;
    return errorReply(
      'shard_down',
      `shard ${late?.shard} has not confirmed the subscription within ${operationTimeoutMs} ms${why}`,
    );
  }
}

function correct(counted: number, topics: readonly Topic[], feed: ShardFeed | undefined): number {
  let own = 0;
  let clients = 0;
  for (const topic of topics) {
    if (feed !== undefined && topic.feeds.get(feed)) own++;
    clients += topic.receivers.size;
  }
  return Math.max(0, counted - own) + clients;
}

function ignore(): void {}
