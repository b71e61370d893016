import { LineAnswer } from './answer.ts';
import type { MemcachedConnection } from './connection.ts';
import { type MemcachedParser, wordIs } from './protocol/index.ts';

const UNAUTHENTICATED = new LineAnswer('CLIENT_ERROR unauthenticated');
const BAD_TERMINATION = new LineAnswer('CLIENT_ERROR bad command line termination');
const BAD_TOKEN = new LineAnswer('CLIENT_ERROR bad authentication token format');
const FAILED = new LineAnswer('CLIENT_ERROR authentication failure');
const STORED = new LineAnswer('STORED');

/**
 * What a client may do before it has given the password: a `set` of any key whose value is `user password` (memcached's protocol.txt,
 * Authentication).
 */
export function authenticate(connection: MemcachedConnection, parser: MemcachedParser) {
  const { access, counters } = connection.context;
  const { blockBytes, blockStart, buffer, isTooLong } = parser;
  if (!wordIs(parser, 0, 'set') || blockBytes < 0 || isTooLong) return connection.say(UNAUTHENTICATED);
  if (!parser.endsWell) return connection.say(BAD_TERMINATION);
  const [user, password] = buffer
    .latin1Slice(blockStart, blockStart + blockBytes)
    .split(' ')
    .filter((word) => word !== '');
  if (password === undefined) return connection.say(BAD_TOKEN);
  counters.auth_cmds++;
  const found = access.users.get(user);
  connection.isAuthenticated = found?.accepts(password) === true;
  if (connection.isAuthenticated) connection.user = found!;
  else counters.auth_errors++;
  connection.say(connection.isAuthenticated ? STORED : FAILED);
}
