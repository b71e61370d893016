import type { RequestParser } from '../../lib/codec/resp/index.ts';
import type { CommandSpec } from '../../lib/commands/index.ts';
import type { PubSub } from '../core/pubsub.ts';
import type { TopicKind } from '../core/pubsub-frames.ts';
import type { Topic } from '../core/pubsub-topic.ts';
import type { RespConnection } from './connection.ts';
import type { ConnectionMode } from './mode.ts';

const ALLOWED_IN_RESP2: ReadonlySet<string> = new Set([
  'subscribe',
  'unsubscribe',
  'psubscribe',
  'punsubscribe',
  'ssubscribe',
  'sunsubscribe',
  'quit',
  'reset',
]);

/**
 * What one client listens to. In RESP2, where messages could not be told from replies, it may do little else meanwhile. A client gets messages from
 * the moment when it is told that it is subscribed.
 */
export class ClientSubscriptions implements ConnectionMode {
  readonly #connection: RespConnection;
  readonly #hub: PubSub;
  readonly #topics: Readonly<Record<TopicKind, Map<string, Topic>>> = {
    channel: new Map(),
    pattern: new Map(),
    shardChannel: new Map(),
  };
  /** Held for a SUBSCRIBE that is not confirmed yet. */
  #pending: readonly Topic[] = [];
  #giveUp: (() => void) | null = null;
  #isEntered = false;

  constructor(connection: RespConnection) {
    this.#connection = connection;
    this.#hub = connection.context.pubsub;
  }

  /** Subscriptions of every kind. */
  get count(): number {
    const { channel, pattern, shardChannel } = this.#topics;
    return channel.size + pattern.size + shardChannel.size;
  }

  /** How many a client is told it has: channels and patterns together, shard channels apart. */
  countFor(kind: TopicKind): number {
    const { channel, pattern, shardChannel } = this.#topics;
    return kind === 'shardChannel' ? shardChannel.size : channel.size + pattern.size;
  }

  /** The names of one kind, in the order in which they were subscribed. One character a byte. */
  names(kind: TopicKind): Iterable<string> {
    return this.#topics[kind].keys();
  }

  has(kind: TopicKind, name: string): boolean {
    return this.#topics[kind].has(name);
  }

  /** For users and rules: what the client must be allowed to hear. */
  *channels(): Iterable<{ readonly name: string; readonly isPattern: boolean }> {
    for (const name of this.names('channel')) yield { name, isPattern: false };
    for (const name of this.names('shardChannel')) yield { name, isPattern: false };
    for (const name of this.names('pattern')) yield { name, isPattern: true };
  }

  /** For CLIENT LIST. */
  facts(): { channels: number; patterns: number; shardChannels: number; flags: string } {
    const { channel, pattern, shardChannel } = this.#topics;
    return { channels: channel.size, patterns: pattern.size, shardChannels: shardChannel.size, flags: 'P' };
  }

  /**
   * Listens to these names: all of them, or none with the error that `done` gets. It is called once, unless the client is gone before. The caller
   * tells the client of each name by `begin`. Not before an earlier call is done.
   */
  prepare(kind: TopicKind, names: readonly string[], done: (failure: Buffer | null) => void): void {
    this.#enter();
    const wanted = [...new Set(names)].filter((name) => !this.#topics[kind].has(name));
    const refusal = this.#hub.refusalOf(wanted.length);
    if (refusal !== null) {
      this.#leaveIfEmpty();
      done(refusal);
      return;
    }
    this.#pending = wanted.map((name) => this.#hub.hold(kind, name));
    let isDone = false;
    const giveUp = this.#hub.whenConfirmed(this.#pending, (failure) => {
      isDone = true;
      this.#giveUp = null;
      if (failure !== null) this.#letGo();
      done(failure);
    });
    if (!isDone) this.#giveUp = giveUp;
  }

  /** The client hears messages to this name from now on, which is prepared. */
  begin(kind: TopicKind, name: string): void {
    const topic = this.#pending.find((one) => one.name === name);
    if (topic === undefined) return;
    this.#pending = this.#pending.filter((one) => one !== topic);
    this.#topics[kind].set(name, topic);
    topic.receivers.add(this.#connection);
  }

  /** The client listens to this no more; without effect if it did not. */
  end(kind: TopicKind, name: string): void {
    const topic = this.#topics[kind].get(name);
    if (topic === undefined) return;
    this.#drop(topic);
    this.#leaveIfEmpty();
  }

  take(connection: RespConnection, args: RequestParser, spec: CommandSpec): boolean {
    if (connection.protocol === 3 || this.count === 0 || ALLOWED_IN_RESP2.has(spec.name)) return false;
    if (spec.name === 'ping') return this.#pong(args);
    const code = spec.name === 'exec' ? 'EXECABORT Transaction discarded because of:' : 'ERR';
    connection.replyError(
      `${code} Can't execute '${spec.name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`,
    );
    return true;
  }

  closed(): void {
    this.#isEntered = false;
    this.#giveUp?.();
    this.#giveUp = null;
    this.#letGo();
    for (const topics of Object.values(this.#topics))
      for (const topic of [...topics.values()]) this.#drop(topic);
  }

  /** In the form of a message, as clients expect it there. False: PING with too much behind it. */
  #pong(args: RequestParser): boolean {
    if (args.count > 2) return false;
    const connection = this.#connection;
    const { writer } = connection;
    writer.arrayHeader(2);
    writer.bulkLatin1('pong');
    if (args.count === 2) writer.bulk(args.buffer, args.start(1), args.end(1));
    else writer.bulkLatin1('');
    connection.replyWritten();
    return true;
  }

  #drop(topic: Topic): void {
    this.#topics[topic.kind].delete(topic.name);
    topic.receivers.delete(this.#connection);
    this.#hub.release(topic);
  }

  #letGo(): void {
    const pending = this.#pending;
    this.#pending = [];
    for (const topic of pending) this.#hub.release(topic);
    this.#leaveIfEmpty();
  }

  #enter(): void {
    if (this.#isEntered) return;
    this.#isEntered = true;
    this.#connection.enter(this);
  }

  #leaveIfEmpty(): void {
    if (!this.#isEntered || this.count > 0 || this.#pending.length > 0) return;
    this.#isEntered = false;
    this.#connection.leave(this);
  }
}
