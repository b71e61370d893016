import type { Args } from '../../lib/codec/resp/index.ts';
import type { Client } from '../server/client.ts';
import type { ConnectedClient } from '../server/client-registry.ts';

const types = ['normal', 'master', 'replica', 'pubsub'] as const;
export type ClientType = (typeof types)[number];

/** One line of CLIENT LIST, with Redis's fields; what a node does not have is what an idle client of Redis shows. */
export function describeClient(
  { client, inputBytes, outputBytes }: Pick<ConnectedClient, 'client' | 'inputBytes' | 'outputBytes'>,
  nowMs: number,
): string {
  const { subscriptions, transaction, tracking } = client;
  const seconds = (sinceMs: number) => Math.floor((nowMs - sinceMs) / 1000);
  const queuedBytes = transaction?.bytes ?? 0;
  return [
    `id=${client.id} addr=${client.address} laddr=${client.localAddress} fd=-1 name=${client.name}`,
    `age=${seconds(client.connectedAtMs)} idle=${seconds(client.lastActiveMs)} flags=${flagsOf(client)}`,
    `db=${client.database} sub=${subscriptions?.channels.size ?? 0} psub=${subscriptions?.patterns.size ?? 0}`,
    `ssub=${subscriptions?.shardChannels.size ?? 0} multi=${transaction?.length ?? -1}`,
    `qbuf=${inputBytes - queuedBytes} qbuf-free=0 argv-mem=0 multi-mem=${queuedBytes} rbs=0 rbp=0`,
    `obl=${outputBytes} oll=0 omem=${outputBytes} tot-mem=${inputBytes + outputBytes} events=r`,
    `cmd=${client.lastCommand || 'NULL'} user=${client.user?.name ?? '(superuser)'}`,
    `redir=${tracking ? tracking.redirect : -1} resp=${client.protocol}`,
  ].join(' ');
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

/** The type that argument `i` names; null for none. Redis still knows the old name of a replica. */
export function parseType(args: Args, i: number): ClientType | null {
  const name = args.latin1(i).toLowerCase();
  return types.find((type) => type === (name === 'slave' ? 'replica' : name)) ?? null;
}

export function unknownType(args: Args, i: number): string {
  return `ERR Unknown client type '${args.utf8(i)}'`;
}
