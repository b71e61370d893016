import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import { isPicked, parseClientFilter } from '../../lib/commands/index.ts';
import { typeOf } from './client-line.ts';
import type { CommandContext } from './command.ts';

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
  const filter = parseClientFilter(args, (name) => access.users.get(name) !== undefined);
  if (typeof filter === 'string') return reply.error(filter);
  const matching = [...clients.all()].filter(({ client }) => {
    const { id, address, localAddress, user } = client;
    const facts = { id, address, localAddress, type: typeOf(client), user: user?.name ?? null };
    return isPicked(filter, facts, context.client.id);
  });
  reply.integer(matching.length);
  for (const connected of matching) connected.kill();
}
