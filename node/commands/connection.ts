import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import type { Client } from '../server/client.ts';
import { endTransaction } from '../transactions/transaction.ts';
import { REDIS_VERSION } from '../version.ts';
import { type CommandContext, type CommandHandlers, SYNTAX_ERROR } from './command.ts';

const WRONG_PASSWORD = 'WRONGPASS invalid username-password pair or user is disabled.';
const NO_PASSWORD_SET =
  'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?';
const HELLO_NEEDS_AUTH =
  'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time';
export const BAD_CLIENT_NAME = 'ERR Client names cannot contain spaces, newlines or special characters.';
export const GOOD_CLIENT_NAME = /^[!-~]*$/;

function ping({ client }: CommandContext, args: Args, reply: RespWriter) {
  if (args.count > 2) return reply.error("ERR wrong number of arguments for 'ping' command");
  if (client.subscriptions !== null && client.protocol === 2) {
    reply.arrayHeader(2);
    reply.bulkLatin1('pong');
    reply.bulkLatin1(args.count === 2 ? args.latin1(1) : '');
  } else if (args.count === 2) reply.bulk(args.buffer, args.start(1), args.end(1));
  else reply.simple('PONG');
}

function auth(context: CommandContext, args: Args, reply: RespWriter) {
  const { client, node } = context;
  if (args.count > 3) return reply.error(SYNTAX_ERROR);
  if (args.count === 2 && node.access.users.default.needsNoPassword) return reply.error(NO_PASSWORD_SET);
  const user = args.count === 3 ? args.latin1(1) : 'default';
  if (!node.access.logIn(client, user, args.latin1(args.count - 1), args.latin1(0))) {
    return reply.error(WRONG_PASSWORD);
  }
  reply.ok();
}

/** Does what the options from argument 2 on say, in their order; the text of an error ends that, as in Redis. */
function applyHelloOptions(context: CommandContext, args: Args): string | null {
  const { client, node } = context;
  for (let i = 2; i < args.count; i++) {
    const more = args.count - 1 - i;
    if (args.equalsIgnoreCase(i, 'AUTH') && more >= 2) {
      if (!node.access.logIn(client, args.latin1(i + 1), args.latin1(i + 2), args.latin1(0))) {
        return WRONG_PASSWORD;
      }
      i += 2;
    } else if (args.equalsIgnoreCase(i, 'SETNAME') && more >= 1) {
      const name = args.utf8(++i);
      if (!GOOD_CLIENT_NAME.test(name)) return BAD_CLIENT_NAME;
      client.name = name;
    } else {
      return `ERR Syntax error in HELLO option '${args.utf8(i)}'`;
    }
  }
  return null;
}

function hello(context: CommandContext, args: Args, reply: RespWriter) {
  const { client } = context;
  let protocol: number = client.protocol;
  if (args.count > 1) {
    const asked = args.bigint(1);
    if (asked === null) return reply.error('ERR Protocol version is not an integer or out of range');
    if (asked < 2n || asked > 3n) return reply.error('NOPROTO unsupported protocol version');
    protocol = Number(asked);
  }
  const error = applyHelloOptions(context, args);
  if (error !== null) return reply.error(error);
  if (!client.authenticated && context.node.access.users.requireLogin) return reply.error(HELLO_NEEDS_AUTH);
  client.protocol = protocol === 3 ? 3 : 2;
  reply.protocol = client.protocol;
  writeGreeting(context, reply);
}

function writeGreeting({ client, node }: CommandContext, reply: RespWriter) {
  reply.mapHeader(7);
  reply.bulkLatin1('server');
  reply.bulkLatin1('redis');
  reply.bulkLatin1('version');
  reply.bulkLatin1(REDIS_VERSION);
  reply.bulkLatin1('proto');
  reply.integer(client.protocol);
  reply.bulkLatin1('id');
  reply.integer(client.id);
  reply.bulkLatin1('mode');
  reply.bulkLatin1('standalone');
  reply.bulkLatin1('role');
  reply.bulkLatin1(node.shard.leader ? 'replica' : 'master');
  reply.bulkLatin1('modules');
  reply.arrayHeader(0);
}

function reset({ client, node }: CommandContext, _args: Args, reply: RespWriter) {
  endTransaction(client, node.observers.watched);
  node.observers.forget(client);
  client.reset(!node.access.users.requireLogin);
  client.user = node.access.users.default;
  node.watch.monitors.delete(client);
  reply.protocol = 2;
  reply.simple('RESET');
}

function quit({ client }: { client: Client }, _args: Args, reply: RespWriter) {
  client.closing = true;
  reply.ok();
}

/** Commands of a client about its own connection. */
export const connectionCommands: CommandHandlers = {
  PING: ping,
  ECHO: (_context, args, reply) => reply.bulk(args.buffer, args.start(1), args.end(1)),
  AUTH: auth,
  HELLO: hello,
  RESET: reset,
  QUIT: quit,
};
