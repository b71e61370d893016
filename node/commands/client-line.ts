import { type ClientType, clientLine } from '../../lib/commands/index.ts';
import type { Client } from '../server/client.ts';
import type { ConnectedClient } from '../server/client-registry.ts';

/** One line of CLIENT LIST. */
export function describeClient(
  { client, inputBytes, outputBytes }: Pick<ConnectedClient, 'client' | 'inputBytes' | 'outputBytes'>,
  nowMs: number,
): string {
  const { subscriptions, transaction, tracking } = client;
  const seconds = (sinceMs: number) => Math.floor((nowMs - sinceMs) / 1000);
  const queuedBytes = transaction?.bytes ?? 0;
  return clientLine({
    id: client.id,
    address: client.address,
    localAddress: client.localAddress,
    name: client.name,
    ageSeconds: seconds(client.connectedAtMs),
    idleSeconds: seconds(client.lastActiveMs),
    flags: flagsOf(client),
    database: client.database,
    channels: subscriptions?.channels.size ?? 0,
    patterns: subscriptions?.patterns.size ?? 0,
    shardChannels: subscriptions?.shardChannels.size ?? 0,
    queuedCommands: transaction?.length ?? -1,
    queuedBytes,
    inputBytes: inputBytes - queuedBytes,
    waitingReplies: 0,
    outputBytes,
    lastCommand: client.lastCommand,
    user: client.user?.name ?? null,
    redirect: tracking ? tracking.redirect : -1,
    protocol: client.protocol,
  });
}

/** Letters in the order in which Redis writes them. */
function flagsOf(client: Client): string {
  const { tracking } = client;
  const letters: [string, boolean | undefined][] = [
    ['S', client.link !== null],
    ['P', client.subscriptions !== null],
    ['x', client.transaction !== null],
    ['b', client.blocked !== null],
    ['t', tracking !== null],
    ['R', tracking?.isRedirectBroken],
    ['B', tracking?.isBroadcast],
    ['d', client.hasStaleWatch],
    ['c', client.closing],
    ['e', client.noEvict],
  ];
  const flags = letters.filter(([, isSet]) => isSet).map(([letter]) => letter);
  return flags.length === 0 ? 'N' : flags.join('');
}

/** What kind of client it is. */
export function typeOf(client: Client): ClientType {
  if (client.link) return 'replica';
  return client.subscriptions === null ? 'normal' : 'pubsub';
}
