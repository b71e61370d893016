import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import { giveCaching, parseTracking, writeTrackingInfo } from '../../lib/commands/index.ts';
import type { CommandContext, CommandHandlers } from './command.ts';

function tracking({ client, node }: CommandContext, args: Args, reply: RespWriter) {
  const wanted = parseTracking(args, client.tracking, (id) => node.clients.get(id) !== undefined);
  if (wanted === 'off') node.observers.tracking.disable(client);
  else if ('error' in wanted) return reply.error(wanted.error);
  else node.observers.tracking.enable(client, wanted.state);
  reply.ok();
}

function caching({ client }: CommandContext, args: Args, reply: RespWriter) {
  const problem = giveCaching(args, client.tracking);
  if (problem === null) reply.ok();
  else reply.error(problem);
}

/** CLIENT TRACKING and what belongs to it. */
export const trackingCommands: CommandHandlers = {
  'CLIENT|TRACKING': tracking,
  'CLIENT|CACHING': caching,
  'CLIENT|GETREDIR': ({ client }, _args, reply) => reply.integer(client.tracking?.redirect ?? -1),
  'CLIENT|TRACKINGINFO': ({ client }, _args, reply) => writeTrackingInfo(client.tracking, reply),
};
