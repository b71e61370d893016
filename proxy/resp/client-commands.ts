import type { RequestParser } from '../../lib/codec/resp/index.ts';
import { clientTypeOf, parseClientFilter, unknownClientType } from '../../lib/commands/index.ts';
import type { ListedClient, PauseOrder } from '../workers/questions.ts';
import { askThreads, NOT_AN_INTEGER, OK, SYNTAX_ERROR, subcommandSyntax } from './ask.ts';
import { asking, lineOf, listed } from './client-list.ts';
import type { RespConnection } from './connection.ts';
import type { Handler } from './context.ts';
import { invalidClientName, isClientName } from './hello-command.ts';

const getName: Handler = (connection) => {
  const { writer } = connection;
  if (connection.name === '') writer.nullBulk();
  else writer.bulkLatin1(connection.name);
  connection.replyWritten();
};

const setName: Handler = (connection, args) => {
  const name = args.latin1(2);
  if (!isClientName(name)) return connection.replyError(invalidClientName);
  connection.name = name;
  connection.reply(OK);
};

const setInfo: Handler = (connection, args) => {
  const value = args.latin1(3);
  const isName = args.equalsIgnoreCase(2, 'LIB-NAME');
  if (!isName && !args.equalsIgnoreCase(2, 'LIB-VER')) {
    return connection.replyError(`ERR Unrecognized option '${args.latin1(2)}'`);
  }
  if (!isClientName(value)) {
    return connection.replyError(
      `ERR ${isName ? 'lib-name' : 'lib-ver'} cannot contain spaces, newlines or special characters.`,
    );
  }
  if (isName) connection.libName = value;
  else connection.libVersion = value;
  connection.reply(OK);
};

function replyText(connection: RespConnection, text: string): void {
  connection.writer.verbatim('txt', text);
  connection.replyWritten();
}

/** Which clients CLIENT LIST is about, or the text of an error. */
function listFilter(args: RequestParser): ((client: ListedClient) => boolean) | string {
  if (args.count === 2) return () => true;
  if (args.count === 4 && args.equalsIgnoreCase(2, 'TYPE')) {
    const type = clientTypeOf(args, 3);
    return type === null ? unknownClientType(args, 3) : (client) => client.type === type;
  }
  if (args.count < 4 || !args.equalsIgnoreCase(2, 'ID')) return SYNTAX_ERROR;
  const ids = new Set<number>();
  for (let i = 3; i < args.count; i++) {
    const id = args.integer(i);
    if (id === null || id < 1) return 'ERR Invalid client ID';
    ids.add(id);
  }
  return ({ id }) => ids.has(id);
}

const list: Handler = (connection, args) => {
  const isShown = listFilter(args);
  if (typeof isShown === 'string') return connection.replyError(isShown);
  const { id } = connection;
  const commandBytes = args.frameEnd - args.frameStart;
  askThreads(connection, 'clients', null, (threads) => {
    const shown = threads
      .flat()
      .filter(isShown)
      .sort((a, b) => a.id - b.id)
      .map((client) => (client.id === id ? asking(client, commandBytes) : client));
    replyText(connection, shown.map((client) => `${lineOf(client)}\n`).join(''));
  });
};

const kill: Handler = (connection, args) => {
  const { access } = connection.context;
  const isOld = args.count === 3;
  const filter = isOld ? null : parseClientFilter(args, (name) => access.users.get(name) !== undefined);
  if (typeof filter === 'string') return connection.replyError(filter);
  const asked = { filter, address: isOld ? args.utf8(2) : '', me: connection.id };
  askThreads(connection, 'kill', asked, (killed) => {
    const count = killed.reduce((sum, one) => sum + one, 0);
    if (!isOld) {
      connection.writer.integer(count);
      connection.replyWritten();
    } else if (count > 0) connection.reply(OK);
    else connection.replyError('ERR No such client');
  });
};

/** What is said to be answered is answered from the next command on; SKIP is about that one alone. */
const setReply: Handler = (connection, args) => {
  if (args.equalsIgnoreCase(2, 'ON')) {
    connection.replyMode = 'on';
    connection.reply(OK);
  } else if (args.equalsIgnoreCase(2, 'OFF')) connection.replyMode = 'off';
  else if (args.equalsIgnoreCase(2, 'SKIP')) {
    if (connection.replyMode === 'on') connection.replyMode = 'skip';
  } else connection.replyError(SYNTAX_ERROR);
};

const onOff: Handler = (connection, args) => {
  if (args.equalsIgnoreCase(2, 'ON') || args.equalsIgnoreCase(2, 'OFF')) connection.reply(OK);
  else connection.replyError(SYNTAX_ERROR);
};

/** What CLIENT PAUSE asks for, or the text of an error. */
function pauseOrder(args: RequestParser): PauseOrder | string {
  if (args.count > 4) return subcommandSyntax(args);
  let mode: PauseOrder['mode'] = 'all';
  if (args.count === 4) {
    if (args.equalsIgnoreCase(3, 'WRITE')) mode = 'write';
    else if (!args.equalsIgnoreCase(3, 'ALL')) return 'ERR CLIENT PAUSE mode must be WRITE or ALL';
  }
  const ms = args.integer(2);
  if (ms === null) return 'ERR timeout is not an integer or out of range';
  return ms < 0 ? 'ERR timeout is negative' : { ms, mode };
}

const pause: Handler = (connection, args) => {
  const order = pauseOrder(args);
  if (typeof order === 'string') return connection.replyError(order);
  askThreads(connection, 'pause', order, () => connection.reply(OK));
};

const unpause: Handler = (connection) =>
  askThreads(connection, 'pause', { ms: 0, mode: 'all' }, () => connection.reply(OK));

const unblock: Handler = (connection, args) => {
  if (args.count > 4) return connection.replyError(subcommandSyntax(args));
  const isError = args.count === 4 && args.equalsIgnoreCase(3, 'ERROR');
  if (args.count === 4 && !isError && !args.equalsIgnoreCase(3, 'TIMEOUT'))
    return connection.replyError('ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR');
  const id = args.integer(2);
  if (id === null) return connection.replyError(NOT_AN_INTEGER);
  askThreads(connection, 'unblock', { id, isError }, (unblocked) => {
    connection.writer.integer(unblocked.includes(true) ? 1 : 0);
    connection.replyWritten();
  });
};

/** CLIENT and its subcommands, but those about tracking. */
export const clientHandlers: Readonly<Record<string, Handler>> = {
  'CLIENT|ID': (connection) => {
    connection.writer.integer(connection.id);
    connection.replyWritten();
  },
  'CLIENT|GETNAME': getName,
  'CLIENT|SETNAME': setName,
  'CLIENT|SETINFO': setInfo,
  'CLIENT|INFO': (connection, args) => {
    const client = asking(listed(connection), args.frameEnd - args.frameStart);
    replyText(connection, `${lineOf(client)}\n`);
  },
  'CLIENT|LIST': list,
  'CLIENT|KILL': kill,
  'CLIENT|REPLY': setReply,
  'CLIENT|NO-EVICT': onOff,
  'CLIENT|NO-TOUCH': onOff,
  'CLIENT|PAUSE': pause,
  'CLIENT|UNPAUSE': unpause,
  'CLIENT|UNBLOCK': unblock,
};
