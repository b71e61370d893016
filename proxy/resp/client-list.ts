import { clientLine } from '../../lib/commands/index.ts';
import type { ListedClient } from '../workers/questions.ts';
import type { RespConnection } from './connection.ts';
import type { ModeFacts } from './mode.ts';

/** What CLIENT LIST and KILL need to know of a client. */
export function listed(connection: RespConnection): ListedClient {
  const nowMs = connection.context.router.env.clock.monotonicMs();
  const facts: ModeFacts = Object.assign({}, ...connection.modes.map((mode) => mode.facts?.()));
  const { channels = 0, patterns = 0, shardChannels = 0 } = facts;
  const isSubscribed = channels + patterns + shardChannels > 0;
  const flags = connection.modes.map((mode) => mode.facts?.().flags ?? '').join('');
  return {
    id: connection.id,
    address: connection.address,
    localAddress: connection.localAddress,
    name: connection.name,
    ageSeconds: Math.floor((nowMs - connection.connectedMs) / 1000),
    idleSeconds: Math.floor((nowMs - connection.lastActiveMs) / 1000),
    flags: (connection.blocked === null ? flags : `${flags}b`) || 'N',
    database: connection.database,
    channels,
    patterns,
    shardChannels,
    queuedCommands: facts.queuedCommands ?? -1,
    queuedBytes: facts.queuedBytes ?? 0,
    inputBytes: connection.parser.bufferedBytes,
    waitingReplies: connection.pending,
    outputBytes: connection.heldBytes,
    lastCommand: connection.lastCommand,
    user: connection.user.name,
    redirect: facts.redirect ?? -1,
    protocol: connection.protocol,
    type: isSubscribed ? 'pubsub' : 'normal',
    library: { name: connection.libName, version: connection.libVersion },
  };
}

/** As who asks is shown: the command that runs has not left the input yet. */
export function asking(client: ListedClient, commandBytes: number): ListedClient {
  return { ...client, inputBytes: client.inputBytes + commandBytes };
}

/** Its line, with what later releases of Redis add: the library. */
export function lineOf(client: ListedClient): string {
  const { name, version } = client.library;
  return `${clientLine(client)} lib-name=${name} lib-ver=${version}`;
}
