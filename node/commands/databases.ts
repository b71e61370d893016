import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import type { NodeServices } from '../services.ts';
import { type CommandContext, type CommandHandlers, NOT_AN_INTEGER } from './command.ts';

const OUT_OF_RANGE = 'ERR DB index is out of range';

function select({ client, databases }: CommandContext, args: Args, reply: RespWriter) {
  const index = args.integer(1);
  if (index === null) return reply.error(NOT_AN_INTEGER);
  if (index < 0 || index >= databases.count) return reply.error(OUT_OF_RANGE);
  client.database = index;
  reply.ok();
}

/** Clients stay in the databases they selected, and keys that they watch or wait for may be others now. */
function swap({ keyspace, databases, node }: CommandContext, args: Args, reply: RespWriter) {
  const a = args.integer(1);
  const b = args.integer(2);
  if (a === null) return reply.error('ERR invalid first DB index');
  if (b === null) return reply.error('ERR invalid second DB index');
  if (Math.min(a, b) < 0 || Math.max(a, b) >= databases.count) return reply.error(OUT_OF_RANGE);
  reply.ok();
  if (a === b) return;
  node.observers.watched.swapping(a, b);
  databases.swap(a, b);
  keyspace.data.dirty++;
  keyspace.logCommand(['SWAPDB', String(a), String(b)]);
  signalAwaited(node, a);
  signalAwaited(node, b);
}

/** Whoever waits for a key of the database may find it there now. */
function signalAwaited({ blocked }: NodeServices, database: number): void {
  for (const key of blocked.awaitedKeys(database)) blocked.signal(database, key);
}

/** SELECT and SWAPDB. */
export const databaseCommands: CommandHandlers = { SELECT: select, SWAPDB: swap };
