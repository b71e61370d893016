import { matchesGlob } from '../../lib/base/index.ts';
import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import { helpReply, lookupCommand } from '../../lib/commands/index.ts';
import { Invalid } from '../settings/kind.ts';
import type { Setting, SettingTarget } from '../settings/setting.ts';
import { settingsByName } from '../settings/table.ts';
import { type CommandContext, type CommandHandlers, SYNTAX_ERROR } from './command.ts';

function targetOf({ node, databases }: CommandContext): SettingTarget {
  const { settings, access, observers, aof } = node;
  return { settings, data: databases.data, users: access.users, observers, aof };
}

function get(context: CommandContext, args: Args, reply: RespWriter) {
  const found = new Map<string, Setting>();
  for (let i = 2; i < args.count; i++) {
    const name = args.latin1(i);
    const pattern = name.toLowerCase();
    const named = settingsByName.get(pattern);
    if (named) found.set(name, named);
    else if (/[*?[\\]/.test(pattern)) addMatching(pattern, found);
  }
  const target = targetOf(context);
  reply.mapHeader(found.size);
  for (const [name, setting] of found) {
    reply.bulkLatin1(name);
    reply.bulk(Buffer.from(setting.read(target)));
  }
}

function addMatching(pattern: string, found: Map<string, Setting>) {
  for (const [name, setting] of settingsByName) {
    if (!setting.isHidden && matchesGlob(pattern, name)) found.set(name, setting);
  }
}

function failed(name: string, why: string): string {
  return `ERR CONFIG SET failed (possibly related to argument '${name}') - ${why}`;
}

/** The settings that the command names, in its order, or the text of an error. */
function namedSettings(args: Args): Setting[] | string {
  const found: Setting[] = [];
  for (let i = 2; i < args.count; i += 2) {
    const name = args.utf8(i);
    const setting = settingsByName.get(name.toLowerCase());
    if (!setting) return `ERR Unknown option or number of arguments for CONFIG SET - '${name}'`;
    if (setting.access !== 'open') return failed(name, `can't set ${setting.access} config`);
    if (found.includes(setting)) return failed(name, 'duplicate parameter');
    found.push(setting);
  }
  return found;
}

/** All or nothing: every value is checked before the first one changes. */
function set(context: CommandContext, args: Args, reply: RespWriter) {
  if (args.count % 2 !== 0) return reply.error(SYNTAX_ERROR);
  const named = namedSettings(args);
  if (typeof named === 'string') return reply.error(named);
  const target = targetOf(context);
  const changes: (() => void)[] = [];
  for (const [i, setting] of named.entries()) {
    const change = setting.prepare(args.utf8(3 + 2 * i), target);
    if (change instanceof Invalid) return reply.error(failed(setting.name, change.why));
    changes.push(change);
  }
  for (const change of changes) change();
  const { settings, saves, log } = context.node;
  if (settings.savePoints.length > 0 && saves.path === null && named.some(({ name }) => name === 'save'))
    log.warn({ setting: 'save' }, 'CONFIG SET: this node has no folder for files, and nothing is saved');
  reply.ok();
}

function resetStatistics({ node, databases }: CommandContext, _args: Args, reply: RespWriter) {
  node.stats.reset();
  node.saves.count = 0;
  node.aof.resetStatistics();
  node.watch.stats.reset();
  databases.data.resetStatistics();
  databases.copies.resetFigures();
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
