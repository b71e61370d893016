import { sizeInBytes } from '../../lib/base/index.ts';
import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import { helpReply, lookupCommand } from '../../lib/commands/index.ts';
import type { EvictionPolicy, Settings } from '../settings.ts';
import { type CommandContext, type CommandHandlers, SYNTAX_ERROR } from './command.ts';
import { matchesGlob } from './glob.ts';

const policies: readonly EvictionPolicy[] = ['allkeys-lru', 'noeviction'];

/** A setting that CONFIG SET may change. `parse` returns what to do, or what is wrong with the text. */
interface Changeable {
  readonly read: (settings: Settings) => string;
  readonly parse: (text: string) => ((settings: Settings) => void) | string;
}

const changeable: Readonly<Record<string, Changeable>> = {
  maxmemory: {
    read: (settings) => String(settings.maxMemoryBytes),
    parse: (text) => {
      const bytes = sizeInBytes(text);
      if (Number.isNaN(bytes)) return 'argument must be a memory value';
      return (settings) => {
        settings.maxMemoryBytes = bytes;
      };
    },
  },
  'maxmemory-policy': {
    read: (settings) => settings.maxMemoryPolicy,
    parse: (text) => {
      const policy = policies.find((candidate) => candidate === text.toLowerCase());
      if (!policy) return `argument(s) must be one of the following: ${policies.join(', ')}`;
      return (settings) => {
        settings.maxMemoryPolicy = policy;
      };
    },
  },
  requirepass: {
    read: (settings) => settings.requirePass,
    parse: (text) => (settings) => {
      settings.requirePass = text;
    },
  },
  timeout: {
    read: (settings) => String(Math.floor(settings.idleTimeoutMs / 1000)),
    parse: (text) => {
      if (!/^\d{1,9}$/.test(text)) return "argument couldn't be parsed into an integer";
      return (settings) => {
        settings.idleTimeoutMs = Number(text) * 1000;
      };
    },
  },
};

function get({ node: { settings } }: CommandContext, args: Args, reply: RespWriter) {
  const all = new Map(settings.fixed);
  for (const [name, { read }] of Object.entries(changeable)) all.set(name, read(settings));
  const found = new Set<string>();
  for (let i = 2; i < args.count; i++) {
    const pattern = args.latin1(i).toLowerCase();
    for (const name of all.keys()) if (matchesGlob(pattern, name)) found.add(name);
  }
  reply.mapHeader(found.size);
  for (const name of found) {
    reply.bulkLatin1(name);
    reply.bulkUtf8(all.get(name)!);
  }
}

function set({ node: { settings } }: CommandContext, args: Args, reply: RespWriter) {
  if (args.count % 2 !== 0) return reply.error(SYNTAX_ERROR);
  const changes: ((settings: Settings) => void)[] = [];
  const seen = new Set<string>();
  for (let i = 2; i < args.count; i += 2) {
    const name = args.latin1(i).toLowerCase();
    const change = parseChange(settings, name, args.utf8(i + 1), seen.has(name));
    if (typeof change === 'string') return reply.error(change);
    seen.add(name);
    changes.push(change);
  }
  for (const change of changes) change(settings);
  reply.ok();
}

function parseChange(
  settings: Settings,
  name: string,
  text: string,
  isDuplicate: boolean,
): ((settings: Settings) => void) | string {
  const failed = (why: string) => `ERR CONFIG SET failed (possibly related to argument '${name}') - ${why}`;
  if (settings.fixed.has(name)) {
    // Setting what is already so is no change; tools do it to be sure.
    if (settings.fixed.get(name) === text) return () => {};
    return failed("can't set immutable config");
  }
  if (!Object.hasOwn(changeable, name)) {
    return `ERR Unknown option or number of arguments for CONFIG SET - '${name}'`;
  }
  if (isDuplicate) return failed('duplicate parameter');
  const change = changeable[name].parse(text);
  return typeof change === 'string' ? failed(change) : change;
}

function resetStatistics({ node, keyspace }: CommandContext, _args: Args, reply: RespWriter) {
  node.stats.reset();
  Object.assign(keyspace.stats, { hits: 0, misses: 0, expired: 0, evicted: 0 });
  reply.ok();
}

/** CONFIG and its subcommands. */
export const configCommands: CommandHandlers = {
  'CONFIG|GET': get,
  'CONFIG|SET': set,
  'CONFIG|RESETSTAT': resetStatistics,
  'CONFIG|REWRITE': (_context, _args, reply) =>
    reply.error('ERR The server is running without a config file'),
  'CONFIG|HELP': (_context, args, reply) =>
    helpReply(lookupCommand(args.buffer, args.start(0), args.end(0))!, reply),
};
