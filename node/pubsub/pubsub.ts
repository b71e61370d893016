import { matchesGlob } from '../../lib/base/index.ts';
import { RespWriter } from '../../lib/codec/resp/index.ts';
import { type Client, SUBSCRIBED } from '../server/client.ts';
import type { ClientRegistry } from '../server/client-registry.ts';

/** What one can listen to: channels by name or by pattern, and shard channels, which stand apart from both. */
export type Topic = 'channels' | 'patterns' | 'shardChannels';

/** What a client listens to, in the order in which it began. Names are text of one byte a character. */
export type Subscriptions = Readonly<Record<Topic, Set<string>>>;

type Subscribers = Map<string, Set<Client>>;

/** Who listens to what, and messages to them. */
export class PubSub {
  readonly #clients: ClientRegistry;
  readonly #topics: Readonly<Record<Topic, Subscribers>> = {
    channels: new Map(),
    patterns: new Map(),
    shardChannels: new Map(),
  };

  constructor(clients: ClientRegistry) {
    this.#clients = clients;
  }

  /** How many channels or patterns have subscribers. */
  count(topic: Topic): number {
    return this.#topics[topic].size;
  }

  /** The names that have subscribers. */
  names(topic: Topic): IterableIterator<string> {
    return this.#topics[topic].keys();
  }

  /** How many listen to this name. */
  subscribers(topic: Topic, name: string): number {
    return this.#topics[topic].get(name)?.size ?? 0;
  }

  /** Without effect when the client listens already. */
  subscribe(client: Client, topic: Topic, name: string): void {
    client.subscriptions ??= { channels: new Set(), patterns: new Set(), shardChannels: new Set() };
    client.modes |= SUBSCRIBED;
    client.subscriptions[topic].add(name);
    const subscribers = this.#topics[topic].get(name);
    if (subscribers) subscribers.add(client);
    else this.#topics[topic].set(name, new Set([client]));
  }

  /** Without effect when the client does not listen. */
  unsubscribe(client: Client, topic: Topic, name: string): void {
    const { subscriptions } = client;
    if (!subscriptions?.[topic].delete(name)) return;
    const subscribers = this.#topics[topic].get(name)!;
    subscribers.delete(client);
    if (subscribers.size === 0) this.#topics[topic].delete(name);
    if (countOf(subscriptions) > 0) return;
    client.subscriptions = null;
    client.modes &= ~SUBSCRIBED;
  }

  /** The client listens to nothing any more. */
  leave(client: Client): void {
    const { subscriptions } = client;
    if (subscriptions === null) return;
    for (const topic of ['channels', 'patterns', 'shardChannels'] as const) {
      for (const name of [...subscriptions[topic]]) this.unsubscribe(client, topic, name);
    }
  }

  /** Sends a message to all who listen to the channel, by name or by pattern; returns how many times. */
  publish(channel: string, message: string): number {
    let receivers = this.#send(this.#topics.channels.get(channel), ['message', channel, message]);
    for (const [pattern, subscribers] of this.#topics.patterns) {
      if (!matchesGlob(pattern, channel)) continue;
      receivers += this.#send(subscribers, ['pmessage', pattern, channel, message]);
    }
    return receivers;
  }

  /** Sends a message to all who listen to the shard channel; returns how many. */
  publishToShard(channel: string, message: string): number {
    return this.#send(this.#topics.shardChannels.get(channel), ['smessage', channel, message]);
  }

  #send(subscribers: ReadonlySet<Client> | undefined, parts: readonly string[]): number {
    if (subscribers === undefined) return 0;
    // The same bytes for everybody who speaks the same protocol.
    const messages: [Buffer | null, Buffer | null] = [null, null];
    for (const client of subscribers) {
      const at = client.protocol - 2;
      messages[at] ??= pushOf(client.protocol, parts);
      if (client.isExecuting) client.deferred.push(messages[at]);
      else this.#clients.get(client.id)?.push(messages[at]);
    }
    return subscribers.size;
  }
}

/** How many subscriptions of every kind. */
export function countOf({ channels, patterns, shardChannels }: Subscriptions): number {
  return channels.size + patterns.size + shardChannels.size;
}

function pushOf(protocol: 2 | 3, parts: readonly string[]): Buffer {
  const writer = new RespWriter();
  writer.protocol = protocol;
  writer.pushHeader(parts.length);
  for (const part of parts) writer.bulkLatin1(part);
  return writer.take();
}
