import type { CommandSpec } from '../../lib/commands/index.ts';
import { errorReply } from '../core/frames.ts';
import { CROSS_SLOT, routeOfKeys } from '../core/key-routes.ts';
import type { ShardRoute } from '../core/topology.ts';
import type { RespConnection } from './connection.ts';
import type { Handler } from './context.ts';
import { onAllShards } from './fan-out-commands.ts';
import { forwardTo } from './forward.ts';

/** Answers the error and returns true when one of the shards has another engine than Ringside's nodes. */
function refuses(connection: RespConnection, { word }: CommandSpec, routes: readonly ShardRoute[]): boolean {
  const other = routes.find(({ engine }) => engine !== 'ringside');
  if (other === undefined) return false;
  connection.reply(errorReply('not_implemented', `${word}: not supported by engine ${other.engine}`));
  return true;
}

/** A command of Ringside's own on keys of one shard. */
export function onRingsideKeys(spec: CommandSpec): Handler {
  const { firstKey, lastKey, isWrite } = spec;
  const keyIndex = firstKey === lastKey ? firstKey : 0;
  return (connection, args, nowMs) => {
    const route = routeOfKeys(connection.context.router, spec, args);
    if (route === null) connection.replyError(CROSS_SLOT);
    else if (!refuses(connection, spec, [route]))
      forwardTo(connection, args, route, keyIndex, isWrite, nowMs);
  };
}

/** A command of Ringside's own that concerns all shards. */
export function onRingsideShards(spec: CommandSpec): Handler {
  const everywhere = onAllShards(spec);
  return (connection, args, nowMs) => {
    if (!refuses(connection, spec, connection.context.router.routes)) everywhere(connection, args, nowMs);
  };
}
