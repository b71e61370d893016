import type { RequestParser } from '../../lib/codec/resp/index.ts';
import { lookupCommand } from '../../lib/commands/index.ts';
import { noRing } from '../core/fan-out.ts';
import { CROSS_SLOT, routeOfKeys } from '../core/key-routes.ts';
import { PinnedSession } from '../core/pinned-session.ts';
import type { RespConnection } from './connection.ts';
import type { Handler } from './context.ts';
import { Transaction } from './transaction.ts';

const OK = Buffer.from('+OK\r\n');

const runMulti: Handler = (connection) => {
  connection.transaction = new Transaction(connection);
  connection.enter(connection.transaction, 'first');
  connection.reply(OK);
};

/** WATCH: on a connection of the client's own, which decides the shard of the transaction. */
const runWatch: Handler = (connection, args) => {
  const { router, privates } = connection.context;
  if (router.routes.length === 0) return connection.reply(noRing());
  const spec = lookupCommand(args.buffer, args.start(0), args.end(0))!;
  const route = routeOfKeys(router, spec, args);
  if (route === null || (connection.watching !== null && connection.watching.shard !== route.name))
    return connection.replyError(CROSS_SLOT);
  connection.watching ??= new PinnedSession(router, privates.pool, route.name);
  sendWatch(connection, connection.watching, args);
};

/** Later commands must see what is there after the WATCH, not before. */
function sendWatch(connection: RespConnection, session: PinnedSession, args: RequestParser): void {
  const frame = Buffer.from(args.buffer.subarray(args.frameStart, args.frameEnd));
  connection.barrier((done) => {
    void session.watch(frame, connection).then((reply) => {
      connection.reply(reply);
      done();
    });
  });
}

const runUnwatch: Handler = (connection) => {
  connection.endWatch()?.unwatch();
  connection.reply(OK);
};

/** MULTI, EXEC, DISCARD, WATCH and UNWATCH of a client that is in no transaction, by upper-case name. */
export const transactionHandlers: Readonly<Record<string, Handler>> = {
  MULTI: runMulti,
  EXEC: (connection) => connection.replyError('ERR EXEC without MULTI'),
  DISCARD: (connection) => connection.replyError('ERR DISCARD without MULTI'),
  WATCH: runWatch,
  UNWATCH: runUnwatch,
};
