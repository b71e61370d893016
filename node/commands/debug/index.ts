import { matchesGlob } from '../../../lib/base/index.ts';
import type { Args, RespWriter } from '../../../lib/codec/resp/index.ts';
import { LIST, type Slot } from '../../store/index.ts';
import { ListValue } from '../../values/index.ts';
import { dumpEntry } from '../../values/serialize.ts';
import {
  type CommandContext,
  type CommandHandler,
  type CommandHandlers,
  NOT_AN_INTEGER,
} from '../command.ts';
import { encodingOf, referencesOf } from '../object.ts';
import { NO_SUCH_KEY } from '../transfers.ts';
import { digestOfAll, digestOfValue } from './digest.ts';
import { replySample } from './protocol.ts';
import { loadAof, reload } from './reload.ts';

const NOT_ALLOWED =
  'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a local connection, ' +
  'otherwise you need to set this option in the configuration file, and then restart the server.';
const NO_DIGEST = '0'.repeat(40);
/** An address of this host, before its port. */
const LOCAL = /^(?:127\.\d+\.\d+\.\d+|\[?::1\]?|\[?::ffff:127\.\d+\.\d+\.\d+\]?):/;
const MEMORY = /^\d+(?:b|kb?|mb?|gb?)?$/i;

/** A subcommand: how many arguments it takes behind its name, what it says of itself, and what it does. */
interface Subcommand {
  readonly least: number;
  readonly most: number;
  readonly help: readonly [usage: string, summary: string];
  readonly run: CommandHandler;
}

function key({ keyspace }: CommandContext, args: Args, i: number): Slot {
  return keyspace.find(args.buffer, args.start(i), args.end(i));
}

/** Stops the whole process, as it says. */
function sleep(_context: CommandContext, args: Args, reply: RespWriter) {
  const seconds = args.number(2) ?? 0;
  const cell = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  Atomics.wait(cell, 0, 0, Math.max(0, seconds * 1000));
  reply.ok();
}

function object(context: CommandContext, args: Args, reply: RespWriter) {
  const { keyspace } = context;
  const slot = key(context, args, 2);
  if (slot === 0) return reply.error(NO_SUCH_KEY);
  const { store } = keyspace;
  const fields = [
    `Value at:0x${(slot >>> 0).toString(16)}`,
    `refcount:${referencesOf(keyspace, slot)}`,
    `encoding:${encodingOf(keyspace, slot)}`,
    `serializedlength:${dumpEntry(keyspace, slot, { compresses: true }).length}`,
    'lru:0',
    `lru_seconds_idle:${store.idleSeconds(slot)}`,
  ];
  if (store.typeOf(slot) === LIST) fields.push(`list_elements:${ListValue.open(keyspace, slot).size}`);
  reply.simple(fields.join(' '));
}

function digestValues(context: CommandContext, args: Args, reply: RespWriter) {
  reply.arrayHeader(args.count - 2);
  for (let i = 2; i < args.count; i++) {
    const slot = key(context, args, i);
    reply.simple(slot === 0 ? NO_DIGEST : digestOfValue(context.keyspace, slot).toString('hex'));
  }
}

function populate({ keyspace, node }: CommandContext, args: Args, reply: RespWriter) {
  const count = args.integer(2);
  const size = args.count > 4 ? args.integer(4) : 0;
  if (count === null || count < 0 || size === null || size < 0) return reply.error(NOT_AN_INTEGER);
  if (!node.shard.leads) return reply.error("READONLY You can't write against a read only replica.");
  const prefix = args.count > 3 ? args.latin1(3) : 'key';
  for (let i = 0; i < count; i++) {
    const name = Buffer.from(`${prefix}:${i}`, 'latin1');
    if (keyspace.find(name, 0, name.length) !== 0) continue;
    const text = `value:${i}`;
    const value = Buffer.alloc(size || text.length);
    value.latin1Write(text, 0);
    keyspace.setBytes(keyspace.insert(name, 0, name.length), value, 0, value.length, 0);
  }
  reply.ok();
}

function tableStats({ databases }: CommandContext, args: Args, reply: RespWriter) {
  const index = args.integer(2);
  if (index === null) return reply.error(NOT_AN_INTEGER);
  if (index < 0 || index >= databases.count) return reply.error('ERR Out of range database');
  const { size, expiringCount } = databases.at(index).store;
  const main = `Hash table 0 stats (main hash table):\n number of elements: ${size}\n`;
  const expires = `Hash table 0 stats (main hash table):\n number of elements: ${expiringCount}\n`;
  reply.verbatim('txt', `[Dictionary HT]\n${main}[Expires HT]\n${expires}`);
}

function packedThreshold(_context: CommandContext, args: Args, reply: RespWriter) {
  // No element of a list is kept in another way for its size: every threshold gives the same.
  if (MEMORY.test(args.latin1(2))) reply.ok();
  else reply.error('ERR argument must be a memory value bigger than 1 and smaller than 4gb');
}

function setActiveExpire({ keyspace }: CommandContext, args: Args, reply: RespWriter) {
  keyspace.data.expiresActively = args.latin1(2) !== '0';
  reply.ok();
}

const subcommands: Readonly<Record<string, Subcommand>> = {
  DIGEST: {
    least: 0,
    most: 0,
    help: ['DIGEST', 'Returns a digest of all databases.'],
    run: ({ databases }, _args, reply) => reply.simple(digestOfAll(databases)),
  },
  'DIGEST-VALUE': {
    least: 1,
    most: Number.POSITIVE_INFINITY,
    help: ['DIGEST-VALUE <key> [<key> ...]', 'Returns digests of the values of keys.'],
    run: digestValues,
  },
  ERROR: {
    least: 1,
    most: 1,
    help: ['ERROR <string>', 'Replies with this error.'],
    run: (_context, args, reply) => reply.error(args.utf8(2)),
  },
  HTSTATS: {
    least: 1,
    most: 1,
    help: ['HTSTATS <dbid>', 'Tells of the index of a database.'],
    run: tableStats,
  },
  LOG: {
    least: 1,
    most: 1,
    help: ['LOG <message>', 'Writes a line to the log.'],
    run: ({ node }, args, reply) => {
      node.log.warn({ message: args.utf8(2) }, 'DEBUG LOG');
      reply.ok();
    },
  },
  OBJECT: {
    least: 1,
    most: 1,
    help: ['OBJECT <key>', 'Tells how a value is kept.'],
    run: object,
  },
  'PAUSE-CRON': {
    least: 1,
    most: 1,
    help: ['PAUSE-CRON <0|1>', 'Whether the work on the data set that nobody asks for rests.'],
    run: ({ keyspace }, args, reply) => {
      keyspace.data.expiresActively = args.latin1(2) === '0';
      reply.ok();
    },
  },
  POPULATE: {
    least: 1,
    most: 3,
    help: ['POPULATE <count> [<prefix>] [<size>]', 'Sets many keys.'],
    run: populate,
  },
  PROTOCOL: {
    least: 1,
    most: 1,
    help: ['PROTOCOL <type>', 'Replies with a value of a type of the protocol.'],
    run: (_context, args, reply) => replySample(args.upper(2), reply),
  },
  'QUICKLIST-PACKED-THRESHOLD': {
    least: 1,
    most: 1,
    help: ['QUICKLIST-PACKED-THRESHOLD <size>', 'Accepted; lists keep elements of all sizes alike.'],
    run: packedThreshold,
  },
  LOADAOF: {
    least: 0,
    most: 0,
    help: ['LOADAOF', 'Forgets everything and loads the append-only file.'],
    run: loadAof,
  },
  RELOAD: {
    least: 0,
    most: 3,
    help: ['RELOAD [MERGE] [NOFLUSH] [NOSAVE]', 'Writes the snapshot and loads it again.'],
    run: reload,
  },
  'SET-ACTIVE-EXPIRE': {
    least: 1,
    most: 1,
    help: ['SET-ACTIVE-EXPIRE <0|1>', 'Whether what has expired goes before anybody asks for it.'],
    run: setActiveExpire,
  },
  SLEEP: {
    least: 1,
    most: 1,
    help: ['SLEEP <seconds>', 'Stops the node for so long.'],
    run: sleep,
  },
  'STRINGMATCH-LEN': {
    least: 2,
    most: 2,
    help: ['STRINGMATCH-LEN <pattern> <string>', 'Whether a string matches a pattern, 1 or 0.'],
    run: (_context, args, reply) => reply.integer(matchesGlob(args.latin1(2), args.latin1(3)) ? 1 : 0),
  },
};

function help(reply: RespWriter) {
  const lines = Object.values(subcommands).flatMap(({ help: [usage, summary] }) => [usage, `    ${summary}`]);
  reply.arrayHeader(lines.length + 1);
  reply.simple('DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:');
  for (const line of lines) reply.simple(line);
}

function isAllowed({ node, client }: CommandContext): boolean {
  const setting = node.settings.fixed.get('enable-debug-command');
  return setting === 'yes' || (setting === 'local' && LOCAL.test(client.address));
}

function debug(context: CommandContext, args: Args, reply: RespWriter) {
  if (!isAllowed(context)) return reply.error(NOT_ALLOWED);
  const name = args.upper(1);
  if (name === 'HELP' && args.count === 2) return help(reply);
  const subcommand = Object.hasOwn(subcommands, name) ? subcommands[name] : undefined;
  const given = args.count - 2;
  if (subcommand === undefined || given < subcommand.least || given > subcommand.most) {
    const text = `'${args.utf8(1).slice(0, 128)}'`;
    return reply.error(`ERR unknown subcommand or wrong number of arguments for ${text}. Try DEBUG HELP.`);
  }
  subcommand.run(context, args, reply);
}

/** What tests and people in trouble want from a node; only where the setting `enable-debug-command` says so. */
export const debugCommands: CommandHandlers = { DEBUG: debug };
