import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import { beginTransaction, endTransaction } from '../transactions/transaction.ts';
import type { CommandContext, CommandHandlers } from './command.ts';

function multi({ client }: CommandContext, _args: Args, reply: RespWriter) {
  if (client.transaction !== null) return reply.error('ERR MULTI calls can not be nested');
  beginTransaction(client);
  reply.ok();
}

function discard({ client, node }: CommandContext, _args: Args, reply: RespWriter) {
  if (client.transaction === null) return reply.error('ERR DISCARD without MULTI');
  endTransaction(client, node.observers.watched);
  reply.ok();
}

function watch({ client, node }: CommandContext, args: Args, reply: RespWriter) {
  if (client.transaction !== null) return reply.error('ERR WATCH inside MULTI is not allowed');
  reply.ok();
  if (client.hasStaleWatch) return;
  for (let i = 1; i < args.count; i++) node.observers.watched.watch(client, client.database, args.latin1(i));
}

function unwatch({ client, node }: CommandContext, _args: Args, reply: RespWriter) {
  node.observers.watched.unwatch(client);
  client.hasStaleWatch = false;
  reply.ok();
}

/** Commands of transactions. What EXEC does between MULTI and itself is the executor's. */
export const transactionCommands: CommandHandlers = {
  MULTI: multi,
  EXEC: (_context, _args, reply) => reply.error('ERR EXEC without MULTI'),
  DISCARD: discard,
  WATCH: watch,
  UNWATCH: unwatch,
};
