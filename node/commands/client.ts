import type { Users } from '../../lib/acl/index.ts';
import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import { helpReply, lookupCommand } from '../../lib/commands/index.ts';
import type { Client } from '../server/client.ts';
import type { ConnectedClient } from '../server/client-registry.ts';
import { type CommandContext, type CommandHandlers, SYNTAX_ERROR } from './command.ts';
import { BAD_CLIENT_NAME, GOOD_CLIENT_NAME } from './connection.ts';

const types = ['normal', 'master', 'replica', 'pubsub'] as const;
type ClientType = (typeof types)[number];

/** One line of CLIENT LIST, with Redis's fields; what a node does not have is what an idle client of Redis shows. */
export function describeClient(
  { client, inputBytes, outputBytes }: Pick<ConnectedClient, 'client' | 'inputBytes' | 'outputBytes'>,
  nowMs: number,
): string {
  const seconds = (sinceMs: number) => Math.floor((nowMs - sinceMs) / 1000);
  return [
    `id=${client.id} addr=${client.address} laddr=${client.localAddress} fd=-1 name=${client.name}`,
    `age=${seconds(client.connectedAtMs)} idle=${seconds(client.lastActiveMs)} flags=${flagsOf(client)}`,
    `db=${client.database} sub=0 psub=0 ssub=0 multi=-1 qbuf=${inputBytes} qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0`,
    `obl=${outputBytes} oll=0 omem=${outputBytes} tot-mem=${inputBytes + outputBytes} events=r`,
    `cmd=${client.lastCommand || 'NULL'} user=${client.user?.name ?? '(superuser)'} redir=-1 resp=${client.protocol}`,
  ].join(' ');
}

function flagsOf(client: Client): string {
  const flags = (client.link ? 'S' : '') + (client.blocked ? 'b' : '') + (client.noEvict ? 'e' : '');
  return flags || 'N';
}

function typeOf(client: Client): ClientType {
  return client.link ? 'replica' : 'normal';
}

/** The type that argument `i` names; null for none. Redis still knows the old name of a replica. */
function parseType(args: Args, i: number): ClientType | null {
  const name = args.latin1(i).toLowerCase();
  return types.find((type) => type === (name === 'slave' ? 'replica' : name)) ?? null;
}

function unknownType(args: Args, i: number): string {
  return `ERR Unknown client type '${args.utf8(i)}'`;
}

function info({ client, node }: CommandContext, _args: Args, reply: RespWriter) {
  const connected = node.clients.get(client.id) ?? { client, inputBytes: 0, outputBytes: 0 };
  reply.verbatim('txt', `${describeClient(connected, node.clock.monotonicMs())}\n`);
}

function list(context: CommandContext, args: Args, reply: RespWriter) {
  const { clients, clock } = context.node;
  let chosen = [...clients.all()];
  if (args.count === 4 && args.equalsIgnoreCase(2, 'TYPE')) {
    const type = parseType(args, 3);
    if (type === null) return reply.error(unknownType(args, 3));
    chosen = chosen.filter(({ client }) => typeOf(client) === type);
  } else if (args.count > 3 && args.equalsIgnoreCase(2, 'ID')) {
    const ids = new Set<number>();
    for (let i = 3; i < args.count; i++) {
      const id = args.integer(i);
      if (id === null) return reply.error('ERR Invalid client ID');
      ids.add(id);
    }
    chosen = chosen.filter(({ client }) => ids.has(client.id));
  } else if (args.count !== 2) {
    return reply.error(SYNTAX_ERROR);
  }
  const nowMs = clock.monotonicMs();
  reply.verbatim('txt', chosen.map((connected) => `${describeClient(connected, nowMs)}\n`).join(''));
}

interface KillFilter {
  id: number | null;
  address: string | null;
  localAddress: string | null;
  type: ClientType | null;
  user: string | null;
  skipMe: boolean;
}

/** The filter from argument 2 on, or the text of an error. */
function parseKill(args: Args, users: Users): KillFilter | string {
  const filter: KillFilter = {
    id: null,
    address: null,
    localAddress: null,
    type: null,
    user: null,
    skipMe: true,
  };
  for (let i = 2; i < args.count; i += 2) {
    if (i + 1 >= args.count) return SYNTAX_ERROR;
    const error = parseKillOption(args, i, filter, users);
    if (error !== null) return error;
  }
  return filter;
}

function parseKillOption(args: Args, i: number, filter: KillFilter, users: Users): string | null {
  const value = args.utf8(i + 1);
  if (args.equalsIgnoreCase(i, 'ID')) {
    const id = args.integer(i + 1);
    if (id === null || id < 1) return 'ERR client-id should be greater than 0';
    filter.id = id;
  } else if (args.equalsIgnoreCase(i, 'TYPE')) {
    filter.type = parseType(args, i + 1);
    if (filter.type === null) return unknownType(args, i + 1);
  } else if (args.equalsIgnoreCase(i, 'ADDR')) filter.address = value;
  else if (args.equalsIgnoreCase(i, 'LADDR')) filter.localAddress = value;
  else if (args.equalsIgnoreCase(i, 'USER')) {
    const user = users.get(args.latin1(i + 1));
    if (!user) return `ERR No such user '${value}'`;
    filter.user = user.name;
  } else if (args.equalsIgnoreCase(i, 'SKIPME') && /^(yes|no)$/i.test(value)) {
    filter.skipMe = value.toLowerCase() === 'yes';
  } else {
    return SYNTAX_ERROR;
  }
  return null;
}

function kill(context: CommandContext, args: Args, reply: RespWriter) {
  const { clients, access } = context.node;
  if (args.count === 3) {
    const address = args.utf8(2);
    const found = [...clients.all()].find(({ client }) => client.address === address);
    if (!found) return reply.error('ERR No such client');
    reply.ok();
    found.kill();
    return;
  }
  const filter = parseKill(args, access.users);
  if (typeof filter === 'string') return reply.error(filter);
  const matching = [...clients.all()].filter(
    ({ client }) =>
      (filter.id === null || client.id === filter.id) &&
      (filter.address === null || client.address === filter.address) &&
      (filter.localAddress === null || client.localAddress === filter.localAddress) &&
      (filter.type === null || typeOf(client) === filter.type) &&
      (filter.user === null || client.user?.name === filter.user) &&
      !(filter.skipMe && client === context.client),
  );
  reply.integer(matching.length);
  for (const connected of matching) connected.kill();
}

function setName({ client }: CommandContext, args: Args, reply: RespWriter) {
  const name = args.utf8(2);
  if (!GOOD_CLIENT_NAME.test(name)) return reply.error(BAD_CLIENT_NAME);
  client.name = name;
  reply.ok();
}

function getName({ client }: CommandContext, _args: Args, reply: RespWriter) {
  if (client.name === '') reply.nullBulk();
  else reply.bulkUtf8(client.name);
}

function setReply({ client }: CommandContext, args: Args, reply: RespWriter) {
  if (args.equalsIgnoreCase(2, 'ON')) {
    client.replyMode = 'on';
    reply.ok();
  } else if (args.equalsIgnoreCase(2, 'OFF')) {
    client.replyMode = 'off';
  } else if (args.equalsIgnoreCase(2, 'SKIP')) {
    if (client.replyMode === 'on') client.replyMode = 'skip-next';
  } else {
    reply.error(SYNTAX_ERROR);
  }
}

function noEvict({ client }: CommandContext, args: Args, reply: RespWriter) {
  const on = args.equalsIgnoreCase(2, 'ON');
  if (!on && !args.equalsIgnoreCase(2, 'OFF')) return reply.error(SYNTAX_ERROR);
  client.noEvict = on;
  reply.ok();
}

/** CLIENT and its subcommands. */
export const clientCommands: CommandHandlers = {
  'CLIENT|ID': ({ client }, _args, reply) => reply.integer(client.id),
  'CLIENT|INFO': info,
  'CLIENT|LIST': list,
  'CLIENT|KILL': kill,
  'CLIENT|GETNAME': getName,
  'CLIENT|SETNAME': setName,
  'CLIENT|REPLY': setReply,
  'CLIENT|NO-EVICT': noEvict,
  'CLIENT|UNPAUSE': (_context, _args, reply) => reply.ok(),
  'CLIENT|HELP': (_context, args, reply) =>
    helpReply(lookupCommand(args.buffer, args.start(0), args.end(0))!, reply, isSupported),
};

function isSupported({ name }: { name: string }): boolean {
  return name.toUpperCase() in clientCommands;
}
