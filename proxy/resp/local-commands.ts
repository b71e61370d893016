import type { RequestParser } from '../../lib/codec/resp/index.ts';
import { type CommandSpec, commandReply } from '../../lib/commands/index.ts';
import type { RespConnection } from './connection.ts';
import type { Handler } from './context.ts';
import { runAuth, runHello } from './hello-command.ts';
import { runInfo } from './info-command.ts';
import { runSelect } from './select-command.ts';
import { runWait } from './wait-command.ts';

const OK = Buffer.from('+OK\r\n');
const PONG = Buffer.from('+PONG\r\n');
const RESET = Buffer.from('+RESET\r\n');

function bulk(connection: RespConnection, args: RequestParser, i: number): void {
  connection.writer.bulk(args.buffer, args.start(i), args.end(i));
  connection.replyWritten();
}

const runPing: Handler = (connection, args) => {
  if (args.count === 1) connection.reply(PONG);
  else if (args.count === 2) bulk(connection, args, 1);
  else connection.replyError("ERR wrong number of arguments for 'ping' command");
};

const runTime: Handler = (connection) => {
  const wallMs = connection.context.router.env.clock.wallMs();
  const { writer } = connection;
  writer.arrayHeader(2);
  writer.bulkLatin1(String(Math.floor(wallMs / 1000)));
  writer.bulkLatin1(String((wallMs % 1000) * 1000));
  connection.replyWritten();
};

/** The proxy looks like a leader without followers: what lies behind it is its own business. */
const runRole: Handler = (connection) => {
  const { writer } = connection;
  writer.arrayHeader(3);
  writer.bulkLatin1('master');
  writer.integer(0);
  writer.arrayHeader(0);
  connection.replyWritten();
};

const runReset: Handler = (connection) => {
  connection.barrier((done) => {
    connection.reset();
    const { users } = connection.context.access;
    connection.user = users.default;
    connection.replyMode = 'on';
    connection.isAuthenticated = !users.requireLogin;
    connection.parser.authenticated = connection.isAuthenticated;
    connection.reply(RESET);
    done();
  });
};

/** Its links are closed now, not only when the client has closed its side. */
const runQuit: Handler = (connection) => {
  connection.barrier((done) => {
    connection.tracking?.end();
    connection.reply(OK);
    connection.end();
    done();
  });
};

/** `COMMAND` lists exactly what `isSupported` says; set once the plans are made. */
let isSupported: (spec: CommandSpec) => boolean = () => true;

/** Whether this proxy has the command or subcommand. */
export function isAnsweredHere(spec: CommandSpec): boolean {
  return isSupported(spec);
}

/** Tells COMMAND which commands this proxy has. */
export function tellSupported(names: ReadonlySet<string>): void {
  isSupported = ({ name }) => names.has(name) || name.startsWith('command|');
}

const runCommand: Handler = (connection, args) => {
  commandReply(args, connection.writer, isSupported);
  connection.replyWritten();
};

/** Commands answered by the proxy itself, by upper-case name. */
export const localHandlers: Readonly<Record<string, Handler>> = {
  PING: runPing,
  ECHO: (connection, args) => bulk(connection, args, 1),
  SELECT: runSelect,
  TIME: runTime,
  ROLE: runRole,
  RESET: runReset,
  QUIT: runQuit,
  AUTH: runAuth,
  HELLO: runHello,
  INFO: runInfo,
  COMMAND: runCommand,
  WAIT: runWait,
};
