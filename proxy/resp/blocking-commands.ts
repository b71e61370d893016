import { copyArgs, partsOf, type RequestParser } from '../../lib/codec/resp/index.ts';
import { lookupCommand } from '../../lib/commands/index.ts';
import { BlockedCommand } from '../core/blocked-command.ts';
import { noRing } from '../core/fan-out.ts';
import { CROSS_SLOT, routeOfKeys } from '../core/key-routes.ts';
import type { RespConnection } from './connection.ts';
import type { Handler } from './context.ts';

/** Waits for data on a connection of the client's own. `timeoutAt`: which argument says how long; negative: counted from the end. */
function blocking(timeoutAt: number): Handler {
  return (connection, args) => {
    const { router } = connection.context;
    if (router.routes.length === 0) return connection.reply(noRing());
    const spec = lookupCommand(args.buffer, args.start(0), args.end(0))!;
    if (routeOfKeys(router, spec, args) === null) return connection.replyError(CROSS_SLOT);
    const kept = copyArgs(args);
    const at = timeoutAt < 0 ? args.count + timeoutAt : timeoutAt;
    connection.barrier((done) => block(connection, kept, at, done));
  };
}

function block(connection: RespConnection, args: RequestParser, timeoutAt: number, done: () => void): void {
  const { router, privates } = connection.context;
  const { protocol, database } = connection;
  const spec = lookupCommand(args.buffer, args.start(0), args.end(0))!;
  const parts = partsOf(args);
  // A timeout that makes no sense is the node's to refuse.
  const timeoutMs = Math.max(0, Math.ceil((args.number(timeoutAt) ?? 0) * 1000));
  const shardNow = () => routeOfKeys(router, spec, args)?.name ?? null;
  const command = new BlockedCommand(router, privates.pool, {
    protocol,
    database,
    parts,
    timeoutAt,
    timeoutMs,
    shardNow,
  });
  connection.blocked = command;
  connection.waitsForEver = true;
  connection.onGone = () => command.giveUp();
  command.start((reply, route) => {
    connection.blocked = null;
    connection.waitsForEver = false;
    connection.onGone = null;
    connection.noteWritten(route);
    connection.reply(reply);
    done();
  });
}

/** Commands that may wait for data, by upper-case name. */
export const blockingHandlers: Readonly<Record<string, Handler>> = {
  BLPOP: blocking(-1),
  BRPOP: blocking(-1),
  BLMOVE: blocking(-1),
  BRPOPLPUSH: blocking(-1),
  BLMPOP: blocking(1),
  BZPOPMIN: blocking(-1),
  BZPOPMAX: blocking(-1),
  BZMPOP: blocking(1),
};
