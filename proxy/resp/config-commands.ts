import { matchesGlob } from '../../lib/base/index.ts';
import type { RequestParser } from '../../lib/codec/resp/index.ts';
import { askThreads, OK, SYNTAX_ERROR } from './ask.ts';
import { openSettings, settingsShown } from './config-settings.ts';
import type { RespConnection } from './connection.ts';
import type { Handler } from './context.ts';

const get: Handler = (connection, args) => {
  const { settings, info } = connection.context;
  const shown = settingsShown(settings, info);
  const found = new Map<string, string>();
  for (let i = 2; i < args.count; i++) {
    const pattern = args.latin1(i).toLowerCase();
    for (const [name, value] of shown) if (matchesGlob(pattern, name)) found.set(name, value);
  }
  const { writer } = connection;
  writer.mapHeader(found.size);
  for (const [name, value] of found) {
    writer.bulkLatin1(name);
    writer.bulkUtf8(value);
  }
  connection.replyWritten();
};

function failed(name: string, why: string): string {
  return `ERR CONFIG SET failed (possibly related to argument '${name}') - ${why}`;
}

/** The changes that the command asks for, or the text of an error: all or nothing. */
function changesIn(connection: RespConnection, args: RequestParser): [string, string][] | string {
  const changes = new Map<string, string>();
  for (let i = 2; i < args.count; i += 2) {
    const name = args.utf8(i);
    const known = name.toLowerCase();
    const setting = openSettings.get(known);
    if (setting === undefined) {
      if (connection.context.info.config[known] !== undefined)
        return failed(name, "can't set immutable config");
      return `ERR Unknown option or number of arguments for CONFIG SET - '${name}'`;
    }
    if (changes.has(known)) return failed(name, 'duplicate parameter');
    const why = setting.check(args.utf8(i + 1));
    if (why !== null) return failed(name, why);
    changes.set(known, args.utf8(i + 1));
  }
  return [...changes];
}

const set: Handler = (connection, args) => {
  if (args.count % 2 !== 0) return connection.replyError(SYNTAX_ERROR);
  const changes = changesIn(connection, args);
  if (typeof changes === 'string') return connection.replyError(changes);
  askThreads(connection, 'settings', changes, () => connection.reply(OK));
};

/** CONFIG and its subcommands: what of Redis's settings a proxy has. */
export const configHandlers: Readonly<Record<string, Handler>> = {
  'CONFIG|GET': get,
  'CONFIG|SET': set,
  'CONFIG|RESETSTAT': (connection) =>
    askThreads(connection, 'resetStatistics', null, () => connection.reply(OK)),
  'CONFIG|REWRITE': (connection) => connection.replyError('ERR The server is running without a config file'),
};
