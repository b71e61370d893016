import { matchesGlob } from '../../lib/base/index.ts';
import type { RequestParser } from '../../lib/codec/resp/index.ts';
import { noRing } from '../core/fan-out.ts';
import { askThreads, OK, SYNTAX_ERROR } from './ask.ts';
import { getFromNode, nodeSettings, setOnNodes } from './config-of-nodes.ts';
import { openSettings, settingsShown } from './config-settings.ts';
import type { RespConnection } from './connection.ts';
import type { Handler } from './context.ts';

const get: Handler = (connection, args, nowMs) => {
  const { settings, info, router } = connection.context;
  const patterns: string[] = [];
  for (let i = 2; i < args.count; i++) patterns.push(args.latin1(i).toLowerCase());
  const isAsked = (name: string) => patterns.some((pattern) => matchesGlob(pattern, name));
  const own = new Map([...settingsShown(settings, info)].filter(([name]) => isAsked(name)));
  if (router.routes.length === 0 || ![...nodeSettings].some(isAsked)) {
    connection.reply(settingsReply(connection, own));
    return;
  }
  getFromNode(connection, patterns, nowMs, (found) => settingsReply(connection, new Map([...own, ...found])));
};

function settingsReply({ writer }: RespConnection, found: ReadonlyMap<string, string>): Buffer {
  writer.mapHeader(found.size);
  for (const [name, value] of found) {
    writer.bulkLatin1(name);
    writer.bulkUtf8(value);
  }
  return writer.take();
}

function failed(name: string, why: string): string {
  return `ERR CONFIG SET failed (possibly related to argument '${name}') - ${why}`;
}

/** What the command asks for: of this proxy, and of its nodes. */
interface Changes {
  readonly own: readonly (readonly [string, string])[];
  readonly ofNodes: readonly (readonly [string, string])[];
}

/** The changes that the command asks for, or the text of an error: all or nothing. */
function changesIn(connection: RespConnection, args: RequestParser): Changes | string {
  const changes = new Map<string, string>();
  for (let i = 2; i < args.count; i += 2) {
    const name = args.utf8(i);
    const known = name.toLowerCase();
    const setting = openSettings.get(known);
    const isOfNodes = setting === undefined && nodeSettings.has(known);
    if (setting === undefined && !isOfNodes) {
      if (connection.context.info.config[known] !== undefined)
        return failed(name, "can't set immutable config");
      return `ERR Unknown option or number of arguments for CONFIG SET - '${name}'`;
    }
    if (changes.has(known)) return failed(name, 'duplicate parameter');
    const why = setting?.check(args.utf8(i + 1)) ?? null;
    if (why !== null) return failed(name, why);
    changes.set(known, args.utf8(i + 1));
  }
  const all = [...changes];
  return {
    own: all.filter(([name]) => openSettings.has(name)),
    ofNodes: all.filter(([name]) => !openSettings.has(name)),
  };
}

const set: Handler = (connection, args, nowMs) => {
  if (args.count % 2 !== 0) return connection.replyError(SYNTAX_ERROR);
  const changes = changesIn(connection, args);
  if (typeof changes === 'string') return connection.replyError(changes);
  const { own, ofNodes } = changes;
  const { group, router } = connection.context;
  if (ofNodes.length === 0) {
    askThreads(connection, 'settings', own, () => connection.reply(OK));
  } else if (router.routes.length === 0) {
    connection.reply(noRing());
  } else {
    setOnNodes(connection, ofNodes, nowMs, () => group.ask('settings', own, () => {}));
  }
};

/** CONFIG and its subcommands: what of Redis's settings a proxy has. */
export const configHandlers: Readonly<Record<string, Handler>> = {
  'CONFIG|GET': get,
  'CONFIG|SET': set,
  'CONFIG|RESETSTAT': (connection) =>
    askThreads(connection, 'resetStatistics', null, () => connection.reply(OK)),
  'CONFIG|REWRITE': (connection) => connection.replyError('ERR The server is running without a config file'),
};
