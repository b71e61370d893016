import type { RequestParser } from '../../lib/codec/resp/index.ts';
import type { RespConnection } from './connection.ts';
import type { Handler } from './context.ts';
import { REDIS_VERSION } from './info-sections.ts';

const WRONG_PASSWORD = 'WRONGPASS invalid username-password pair or user is disabled.';
const NO_PASSWORD_SET =
  'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?';
const INVALID_NAME = 'ERR Client names cannot contain spaces, newlines or special characters.';
const MUST_AUTHENTICATE =
  'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time';

/** A client may call itself anything printable without spaces. */
export function isClientName(name: string): boolean {
  return /^[!-~]*$/.test(name);
}

/** Redis's text for a name that `isClientName` refuses. */
export const invalidClientName = INVALID_NAME;

interface Wishes {
  readonly protocol: 2 | 3 | null;
  /** One character a byte. */
  readonly credentials: { readonly user: string; readonly password: string } | null;
  readonly name: string | null;
}

/** HELLO: everything is checked before anything is changed. */
export const runHello: Handler = (connection, args) => {
  const wishes = readWishes(args);
  if (typeof wishes === 'string') {
    connection.replyError(wishes);
    return;
  }
  // Replies to earlier commands are still in the former protocol.
  connection.barrier((done) => {
    const refusal = grant(connection, wishes);
    if (refusal !== null) connection.replyError(refusal);
    else greet(connection);
    done();
  });
};

/** AUTH [user] password. */
export const runAuth: Handler = (connection, args) => {
  if (args.count > 3) {
    connection.replyError('ERR syntax error');
    return;
  }
  const isNamed = args.count === 3;
  if (!isNamed && connection.context.access.users.default.needsNoPassword) {
    connection.replyError(NO_PASSWORD_SET);
    return;
  }
  const user = isNamed ? args.latin1(1) : 'default';
  const refusal = logIn(connection, user, args.latin1(args.count - 1), 'auth');
  if (refusal === null) connection.reply(Buffer.from('+OK\r\n'));
  else connection.replyError(refusal);
};

/** Null when the client is logged in now, else the error. */
function logIn(connection: RespConnection, user: string, password: string, command: string): string | null {
  if (!connection.context.access.logIn(connection, user, password, command)) return WRONG_PASSWORD;
  connection.isAuthenticated = true;
  connection.parser.authenticated = true;
  return null;
}

function readWishes(args: RequestParser): Wishes | string {
  let protocol: 2 | 3 | null = null;
  let credentials: Wishes['credentials'] = null;
  let name: string | null = null;
  if (args.count > 1) {
    const asked = args.integer(1);
    if (asked === null) return 'ERR Protocol version is not an integer or out of range';
    if (asked !== 2 && asked !== 3) return 'NOPROTO unsupported protocol version';
    protocol = asked;
  }
  for (let i = 2; i < args.count; i++) {
    const left = args.count - 1 - i;
    if (args.equalsIgnoreCase(i, 'AUTH') && left >= 2) {
      credentials = { user: args.latin1(i + 1), password: args.latin1(i + 2) };
      i += 2;
    } else if (args.equalsIgnoreCase(i, 'SETNAME') && left >= 1) {
      name = args.latin1(++i);
      if (!isClientName(name)) return INVALID_NAME;
    } else return `ERR Syntax error in HELLO option '${args.latin1(i)}'`;
  }
  return { protocol, credentials, name };
}

function grant(connection: RespConnection, { protocol, credentials, name }: Wishes): string | null {
  if (credentials) {
    const refusal = logIn(connection, credentials.user, credentials.password, 'hello');
    if (refusal !== null) return refusal;
  }
  if (!connection.isAuthenticated) return MUST_AUTHENTICATE;
  if (name !== null) connection.name = name;
  if (protocol !== null) connection.protocol = protocol;
  return null;
}

function greet(connection: RespConnection): void {
  const { writer } = connection;
  writer.mapHeader(7);
  writer.bulkLatin1('server');
  writer.bulkLatin1('redis');
  writer.bulkLatin1('version');
  writer.bulkLatin1(REDIS_VERSION);
  writer.bulkLatin1('proto');
  writer.integer(connection.protocol);
  writer.bulkLatin1('id');
  writer.integer(connection.id);
  writer.bulkLatin1('mode');
  writer.bulkLatin1('standalone');
  writer.bulkLatin1('role');
  writer.bulkLatin1('master');
  writer.bulkLatin1('modules');
  writer.arrayHeader(0);
  connection.replyWritten();
}
