import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { BackoffPolicy } from '../../lib/net/index.ts';
import { errorText, isErrorReply } from './frames.ts';
import { PrivateConnection } from './private-connection.ts';
import { type FrameKind, PubSubFrame, type TopicKind } from './pubsub-frames.ts';
import type { Topic } from './pubsub-topic.ts';
import type { Router } from './router.ts';
import type { UpstreamNode } from './topology.ts';

const BACKOFF = { initialMs: 20, maxMs: 500, factor: 2 };
const PING = encodeCommand('PING');

const SUBSCRIBE: Readonly<Record<TopicKind, string>> = {
  channel: 'SUBSCRIBE',
  pattern: 'PSUBSCRIBE',
  shardChannel: 'SSUBSCRIBE',
};
const UNSUBSCRIBE: Readonly<Record<TopicKind, string>> = {
  channel: 'UNSUBSCRIBE',
  pattern: 'PUNSUBSCRIBE',
  shardChannel: 'SUNSUBSCRIBE',
};

/** Hears messages: the topic they are for, and the push as it came, `buffer[start, end)`. */
export type MessageListener = (
  kind: TopicKind,
  name: string,
  buffer: Buffer,
  start: number,
  end: number,
) => void;

/**
 * The one subscription connection of this thread to the leader of one shard, open while there is anything to listen to. It follows the
 * leader: what is listened to is subscribed again wherever the shard is led from, and whenever a connection was lost.
 *
 * The old connection ends before the new one begins: a follower passes on what its leader's clients publish, so that with both a message
 * could come twice. What is published in between is lost, as it would be for a client of Redis that reconnects.
 */
export class ShardFeed {
  readonly shard: string;
  readonly #router: Router;
  readonly #listener: MessageListener;
  readonly #topics = new Set<Topic>();
  readonly #backoff: BackoffPolicy;
  readonly #frame = new PubSubFrame();
  /** The leader as of the last attempt. */
  #node: UpstreamNode | null = null;
  #connection: PrivateConnection | null = null;
  #isOpening = false;
  #isClosed = false;
  #retryTimer: NodeJS.Timeout | undefined;
  /** What the next confirmations are about, in order; null: nobody wants to know. Those before `#awaitedAt` are done. */
  #awaited: (Topic | null)[] = [];
  #awaitedAt = 0;
  #isPinged = false;
  #wasEmpty = false;
  /** Why it is not connected, for errors. */
  lastFailure = '';

  constructor(shard: string, router: Router, listener: MessageListener) {
    this.shard = shard;
    this.#router = router;
    this.#listener = listener;
    this.#backoff = new BackoffPolicy(BACKOFF, router.env.random);
  }

  /** Begins to listen. */
  add(topic: Topic): void {
    this.#topics.add(topic);
    topic.feeds.set(this, false);
    if (this.#connection !== null) this.#subscribe(this.#connection, topic);
    else this.#open();
  }

  /** Ends listening. */
  remove(topic: Topic): void {
    this.#topics.delete(topic);
    topic.feeds.delete(this);
    if (this.#connection === null) return;
    this.#await(null);
    this.#connection.send(encodeCommand(UNSUBSCRIBE[topic.kind], latin1(topic.name)), ignore, 0);
  }

  /** The ring has changed: goes where the leader is. */
  follow(): void {
    const leader = this.#leader();
    if (leader === this.#node && (this.#connection !== null || this.#isOpening)) return;
    if (this.#connection !== null) this.#connection.abandon('the shard has another leader');
    this.#backoff.reset();
    this.#open();
  }

  /**
   * To be called every few seconds: ends a connection that has not answered since the last call, or that nobody has needed since then.
   * False: nobody needs this feed.
   */
  check(): boolean {
    const isEmpty = this.#topics.size === 0;
    if (isEmpty && this.#wasEmpty) {
      this.close();
      return false;
    }
    this.#wasEmpty = isEmpty;
    if (this.#connection === null) return true;
    if (this.#isPinged) this.#connection.abandon('no answer to PING');
    else this.#ping(this.#connection);
    return true;
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#retryTimer);
    this.#connection?.close();
    this.#connection = null;
  }

  #ping(connection: PrivateConnection): void {
    this.#isPinged = true;
    connection.send(PING, (buffer, start, end) => {
      this.#isPinged = false;
      // Errors are no pushes: it is that of a subscription sent before.
      if (isErrorReply(buffer, start)) this.#settled(errorText(buffer, start, end));
    });
  }

  #leader(): UpstreamNode | null {
    return this.#router.routes.find(({ name }) => name === this.shard)?.leader ?? null;
  }

  #open(): void {
    if (this.#isOpening || this.#isClosed || this.#topics.size === 0) return;
    clearTimeout(this.#retryTimer);
    const node = this.#leader();
    this.#node = node;
    // The next ring will bring one.
    if (node === null) {
      this.lastFailure = 'it has no leader';
      return;
    }
    this.#isOpening = true;
    PrivateConnection.open(node, { protocol: 3, database: 0, router: this.#router }).then(
      (connection) => this.#opened(connection),
      (error: Error) => this.#failed(error.message),
    );
  }

  #opened(connection: PrivateConnection): void {
    this.#isOpening = false;
    if (this.#isClosed || connection.node !== this.#leader()) {
      connection.close();
      this.#open();
      return;
    }
    this.#backoff.reset();
    this.#connection = connection;
    this.#awaited = [];
    this.#awaitedAt = 0;
    this.#isPinged = false;
    connection.onPush = (buffer, start, end) => this.#heard(buffer, start, end);
    connection.onClosed = (reason) => this.#lost(reason);
    for (const topic of this.#topics) this.#subscribe(connection, topic);
  }

  #lost(reason: string): void {
    this.#connection = null;
    for (const topic of this.#topics) topic.note(this, false);
    if (this.#topics.size === 0) return;
    const { shard } = this;
    this.#router.env.log.info({ shard, node: this.#node?.name, reason }, 'subscriptions were interrupted');
    this.#failed(reason);
  }

  #failed(reason: string): void {
    this.#isOpening = false;
    this.lastFailure = reason;
    if (this.#isClosed || this.#topics.size === 0) return;
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.#open(), this.#backoff.nextDelayMs());
  }

  /** One name a command: what is refused is then known. */
  #subscribe(connection: PrivateConnection, topic: Topic): void {
    this.#await(topic);
    connection.send(encodeCommand(SUBSCRIBE[topic.kind], latin1(topic.name)), ignore, 0);
  }

  #await(topic: Topic | null): void {
    if (this.#awaitedAt === this.#awaited.length) {
      this.#awaited.length = 0;
      this.#awaitedAt = 0;
    }
    this.#awaited.push(topic);
  }

  #heard(buffer: Buffer, start: number, end: number): void {
    const kind: FrameKind = this.#frame.read(buffer, start);
    if (kind === 'confirmation') this.#settled(null);
    else if (kind === 'refusal') this.#settled(errorText(buffer, start, end));
    else if (kind !== 'other') this.#listener(kind, this.#frame.name, buffer, start, end);
  }

  #settled(refusal: string | null): void {
    const topic = this.#awaited[this.#awaitedAt];
    if (this.#awaitedAt < this.#awaited.length) this.#awaitedAt++;
    if (!topic || !this.#topics.has(topic)) return;
    if (refusal === null) topic.note(this, true);
    else topic.refuse(refusal);
  }
}

function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

function ignore(): void {}
