import type { Users } from '../../lib/acl/index.ts';
import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import { type ClientType, parseType, typeOf, unknownType } from './client-line.ts';
import { type CommandContext, SYNTAX_ERROR } from './command.ts';

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

/** CLIENT KILL: one by its address, or all that fit a filter. */
export function kill(context: CommandContext, args: Args, reply: RespWriter) {
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
