import type { RequestParser } from '../../lib/codec/resp/index.ts';
import {
  arityFits,
  type CommandSpec,
  commandTable,
  helpReply,
  lookupSubcommand,
  unknownSubcommandText,
  wrongArityText,
} from '../../lib/commands/index.ts';
import type { RespConnection } from './connection.ts';
import type { Handler } from './context.ts';
import { invalidClientName, isClientName } from './hello-command.ts';

type Sub = (connection: RespConnection, args: RequestParser) => void;

const OK = Buffer.from('+OK\r\n');

const clientSubs: Readonly<Record<string, Sub>> = {
  ID: (connection) => {
    connection.writer.integer(connection.id);
    connection.replyWritten();
  },
  GETNAME: (connection) => {
    const { writer } = connection;
    if (connection.name === '') writer.nullBulk();
    else writer.bulkLatin1(connection.name);
    connection.replyWritten();
  },
  SETNAME: (connection, args) => {
    const name = args.latin1(2);
    if (!isClientName(name)) return connection.replyError(invalidClientName);
    connection.name = name;
    connection.reply(OK);
  },
  SETINFO: (connection, args) => {
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
  },
  INFO: (connection) => replyText(connection, `${describe(connection)}\n`),
  LIST: (connection, args) => {
    const chosen = chooseClients(connection, args);
    if (typeof chosen === 'string') connection.replyError(chosen);
    else replyText(connection, chosen.map((one) => `${describe(one)}\n`).join(''));
  },
  'NO-EVICT': answerOnOff,
  'NO-TOUCH': answerOnOff,
};

const configSubs: Readonly<Record<string, Sub>> = {
  GET: (connection, args) => {
    const { config } = connection.context.info;
    const patterns: RegExp[] = [];
    for (let i = 2; i < args.count; i++) patterns.push(globPattern(args.latin1(i)));
    const found = Object.entries(config).filter(([name]) => patterns.some((pattern) => pattern.test(name)));
    const { writer } = connection;
    writer.mapHeader(found.length);
    for (const [name, value] of found) {
      writer.bulkLatin1(name);
      writer.bulkUtf8(value);
    }
    connection.replyWritten();
  },
  SET: (connection, args) => {
    connection.replyError(`ERR Unknown option or number of arguments for CONFIG SET - '${args.latin1(2)}'`);
  },
};

/** A container's subcommands; one without a handler is unknown here. */
function container(word: string, subs: Readonly<Record<string, Sub>>): Handler {
  const spec = commandTable.get(word)!;
  return (connection, args) => {
    const sub = lookupSubcommand(spec, args.buffer, args.start(1), args.end(1));
    if (sub?.word === 'HELP') {
      helpReply(spec, connection.writer, (one) => isAnswered(subs, one));
      connection.replyWritten();
    } else if (sub === undefined || !isAnswered(subs, sub))
      connection.replyError(unknownSubcommandText(spec, args));
    else if (!arityFits(sub, args.count)) connection.replyError(wrongArityText(sub));
    else subs[sub.word](connection, args);
  };
}

function isAnswered(subs: Readonly<Record<string, Sub>>, spec: CommandSpec): boolean {
  return spec.word === 'HELP' || subs[spec.word] !== undefined;
}

/** CLIENT and its subcommands. */
export const runClient: Handler = container('CLIENT', clientSubs);

/** CONFIG and its subcommands: what libraries look up; nothing can be set. */
export const runConfig: Handler = container('CONFIG', configSubs);

/** The subcommands that exist here, as `container|name`. */
export const answeredSubcommands: ReadonlySet<string> = new Set([
  ...Object.keys(clientSubs).map((word) => `client|${word.toLowerCase()}`),
  ...Object.keys(configSubs).map((word) => `config|${word.toLowerCase()}`),
  'client|help',
  'config|help',
]);

function answerOnOff(connection: RespConnection, args: RequestParser): void {
  if (args.equalsIgnoreCase(2, 'ON') || args.equalsIgnoreCase(2, 'OFF')) connection.reply(OK);
  else connection.replyError('ERR syntax error');
}

function chooseClients(connection: RespConnection, args: RequestParser): RespConnection[] | string {
  const all = connection.context.connections;
  if (args.count === 2) return [...all.values()];
  if (args.equalsIgnoreCase(2, 'TYPE') && args.count === 4) {
    const type = args.latin1(3).toLowerCase();
    if (type === 'normal') return [...all.values()];
    if (['master', 'replica', 'slave', 'pubsub'].includes(type)) return [];
    return `ERR Unknown client type '${args.latin1(3)}'`;
  }
  if (!args.equalsIgnoreCase(2, 'ID') || args.count < 4) return 'ERR syntax error';
  const chosen: RespConnection[] = [];
  for (let i = 3; i < args.count; i++) {
    const id = args.integer(i);
    if (id === null || id < 1) return 'ERR Invalid client ID';
    const one = all.get(id);
    if (one) chosen.push(one);
  }
  return chosen;
}

function describe(one: RespConnection): string {
  const nowMs = one.context.router.env.clock.monotonicMs();
  const age = Math.floor((nowMs - one.connectedMs) / 1000);
  const idle = Math.floor((nowMs - one.lastActiveMs) / 1000);
  return [
    `id=${one.id} addr=${one.address} laddr=${one.localAddress} fd=0 name=${one.name} age=${age} idle=${idle}`,
    `flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 qbuf=${one.parser.bufferedBytes} qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0`,
    `obl=0 oll=${one.pending} omem=${one.heldBytes} tot-mem=${one.heldBytes} events=r cmd=${one.lastCommand}`,
    `user=default redir=-1 resp=${one.protocol} lib-name=${one.libName} lib-ver=${one.libVersion}`,
  ].join(' ');
}

function replyText(connection: RespConnection, text: string): void {
  connection.writer.verbatim('txt', text);
  connection.replyWritten();
}

/** Redis's glob over setting names: `*`, `?` and classes. */
function globPattern(glob: string): RegExp {
  const source = glob
    .replace(/[.+^${}()|\\]/g, '\\$&')
    .replace(/\*/g, '.*')
    .replace(/\?/g, '.');
  try {
    return new RegExp(`^${source}$`, 'i');
  } catch {
    return /^$(?!)/;
  }
}
