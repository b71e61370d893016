import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import { lookupCommand } from '../../lib/commands/index.ts';
import { type CommandContext, type CommandHandlers, NOT_AN_INTEGER, SYNTAX_ERROR } from './command.ts';
import { longOf } from './lookup.ts';

const KEY_AND_KEYS = 'ERR When using MIGRATE KEYS option, the key argument must be set to the empty string';
const NOT_IN_EXEC = 'ERR MIGRATE waits for another server, which a transaction may not';
const DEFAULT_TIMEOUT_MS = 1000;
const MAX_TIMEOUT_MS = 0x7fffffff;

interface Options {
  copies: boolean;
  replaces: boolean;
  credentials: string[] | null;
  firstKey: number;
  lastKey: number;
}

/** What stands from argument 6 on, or the text of an error. */
function parseOptions(args: Args): Options | string {
  const options: Options = { copies: false, replaces: false, credentials: null, firstKey: 3, lastKey: 3 };
  for (let i = 6; i < args.count; i++) {
    const more = args.count - 1 - i;
    if (args.equalsIgnoreCase(i, 'COPY')) options.copies = true;
    else if (args.equalsIgnoreCase(i, 'REPLACE')) options.replaces = true;
    else if (args.equalsIgnoreCase(i, 'AUTH') && more >= 1) options.credentials = [args.utf8(++i)];
    else if (args.equalsIgnoreCase(i, 'AUTH2') && more >= 2) {
      options.credentials = [args.utf8(i + 1), args.utf8(i + 2)];
      i += 2;
    } else if (args.equalsIgnoreCase(i, 'KEYS')) {
      if (args.length(3) > 0) return KEY_AND_KEYS;
      return { ...options, firstKey: i + 1, lastKey: args.count - 1 };
    } else return SYNTAX_ERROR;
  }
  return options;
}

/** The keys that are there, in memory of their own. */
function presentKeys({ keyspace }: CommandContext, args: Args, { firstKey, lastKey }: Options): Buffer[] {
  const keys: Buffer[] = [];
  for (let i = firstKey; i <= lastKey; i++) {
    if (keyspace.read(args.buffer, args.start(i), args.end(i)) !== 0) keys.push(args.copy(i));
  }
  return keys;
}

/** MIGRATE host port key|"" database timeout [COPY] [REPLACE] [AUTH password | AUTH2 user password] [KEYS key …] */
function migrate(context: CommandContext, args: Args, reply: RespWriter) {
  const { client, keyspace, node } = context;
  const options = parseOptions(args);
  if (typeof options === 'string') return reply.error(options);
  const timeoutMs = longOf(args, 5);
  const database = longOf(args, 4);
  if (timeoutMs === null || database === null) return reply.error(NOT_AN_INTEGER);
  const keys = presentKeys(context, args, options);
  if (keys.length === 0) return reply.simple('NOKEY');
  if (!client.mayBlock) return reply.error(NOT_IN_EXEC);
  const spec = lookupCommand(args.buffer, args.start(0), args.end(0))!;
  const { copies, replaces, credentials } = options;
  const command = {
    ...{ keyspace, keys, copies, replaces, credentials, database },
    host: args.latin1(1),
    port: Number.parseInt(args.latin1(2), 10),
    timeoutMs: timeoutMs <= 0 ? DEFAULT_TIMEOUT_MS : Math.min(timeoutMs, MAX_TIMEOUT_MS),
    ackTimeoutMs: node.ackRules.timeoutOf(spec, args),
  };
  node.migrations.start(command, client, node);
}

/** Keys that go to another server. */
export const migrateCommands: CommandHandlers = { MIGRATE: migrate };
