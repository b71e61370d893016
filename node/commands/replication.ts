import { errorCatalogue, RingsideError } from '../../lib/base/index.ts';
import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import {
  acceptFollower,
  type FollowerGreeting,
  newGreeting,
  type Position,
  refuse,
} from '../replication/accept-follower.ts';
import { RELAY } from '../replication/handshake.ts';
import { type CommandContext, type CommandHandlers, NOT_AN_INTEGER, SYNTAX_ERROR } from './command.ts';

const WAIT_ON_REPLICA =
  'ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is configured to be writable (which is not the default) writes to replicas are just local and are not propagated.';
/** Shard epochs are the upper 20 bits of a version. */
const EPOCHS = 2 ** 20;
const MAX_PORT = 65535;
/** What a follower may say that makes no difference here. */
const IGNORED_OPTIONS = new Set(['GETACK', 'RDB-ONLY', 'RDB-FILTER-ONLY']);

function wait({ client, node }: CommandContext, args: Args, reply: RespWriter) {
  if (node.shard.leader) return reply.error(WAIT_ON_REPLICA);
  const replicas = args.integer(1);
  if (replicas === null) return reply.error(NOT_AN_INTEGER);
  const timeoutMs = args.integer(2);
  if (timeoutMs === null) return reply.error('ERR timeout is not an integer or out of range');
  if (timeoutMs < 0) return reply.error('ERR timeout is negative');
  const reached = node.followers.countAt(client.writeOffset);
  if (reached >= replicas || !client.mayBlock) return reply.integer(reached);
  node.followers.askForAcknowledgement();
  node.blocked.add(client, {
    kind: 'replicas',
    replicas,
    offset: client.writeOffset,
    deadlineMs: timeoutMs === 0 ? Number.POSITIVE_INFINITY : node.clock.monotonicMs() + timeoutMs,
    muted: false,
  });
}

function epoch({ client }: CommandContext, args: Args, reply: RespWriter) {
  const shardEpoch = args.integer(2);
  if (shardEpoch === null || shardEpoch < 0 || shardEpoch >= EPOCHS) return reply.error(NOT_AN_INTEGER);
  client.shard = args.utf8(1);
  client.shardEpoch = shardEpoch;
  reply.ok();
}

/** REPLCONF: over a link, what a follower says, which nothing answers; before, what it is. */
function replConf(context: CommandContext, args: Args, reply: RespWriter) {
  const { client, node } = context;
  if (args.count === 3 && args.equalsIgnoreCase(1, 'ACK')) {
    const offset = args.integer(2);
    if (client.link && offset !== null) node.followers.acknowledged(client.link, offset);
    return;
  }
  client.greeting ??= newGreeting();
  if (args.count === 5 && args.equalsIgnoreCase(1, 'RINGSIDE'))
    return greetNode(client.greeting, context, args, reply);
  if (args.count % 2 === 0) return reply.error(SYNTAX_ERROR);
  for (let i = 1; i < args.count; i += 2) {
    const problem = takeOption(client.greeting, args, i);
    if (problem !== null) return reply.error(problem);
  }
  reply.ok();
}

/** Options about what is not done here are taken, and change nothing, as from any follower of Redis. */
function takeOption(greeting: FollowerGreeting, args: Args, i: number): string | null {
  if (args.equalsIgnoreCase(i, 'LISTENING-PORT')) {
    const port = args.integer(i + 1);
    if (port === null) return NOT_AN_INTEGER;
    greeting.listeningPort = port;
  } else if (args.equalsIgnoreCase(i, 'IP-ADDRESS')) {
    greeting.host = args.utf8(i + 1);
  } else if (args.equalsIgnoreCase(i, 'CAPA')) {
    if (args.equalsIgnoreCase(i + 1, 'EOF')) greeting.knowsMarks = true;
    if (args.equalsIgnoreCase(i + 1, 'PSYNC2')) greeting.knowsNames = true;
  } else if (!IGNORED_OPTIONS.has(args.upper(i))) {
    return unknownOption(args, i);
  }
  return null;
}

/** REPLCONF ringside shard epoch id: a node of this shard wants to follow. */
function greetNode(
  greeting: FollowerGreeting,
  { node, keyspace }: CommandContext,
  args: Args,
  reply: RespWriter,
) {
  const { position } = keyspace.log;
  const shardEpoch = args.integer(3);
  if (shardEpoch === null) return reply.error(NOT_AN_INTEGER);
  const { leads, clustered } = node.shard;
  // What is passed on of a redis-server is a redis-server's stream for the next one too.
  if (!leads && !clustered && !position.saysVersions) return reply.error(unknownOption(args, 1));
  Object.assign(greeting, { shard: args.utf8(2), shardEpoch, nodeId: args.utf8(4) });
  const refusal = refuse(greeting, node);
  if (refusal !== null) reply.error(refusal.toResp());
  else if (leads) reply.ok();
  else reply.simple(RELAY);
}

function unknownOption(args: Args, i: number): string {
  return `ERR Unrecognized REPLCONF option: ${args.utf8(i)}`;
}

/** PSYNC replid offset: the offset is that of the first byte wanted, and bytes are counted from 1. */
function psync(context: CommandContext, args: Args, reply: RespWriter) {
  const first = args.integer(2);
  if (first === null) return reply.error(NOT_AN_INTEGER);
  follow(context, { replId: args.latin1(1), offset: first - 1 }, reply);
}

function sync(context: CommandContext, _args: Args, reply: RespWriter) {
  follow(context, null, reply);
}

function follow({ client, node, databases }: CommandContext, position: Position | null, reply: RespWriter) {
  if (client.link) return;
  // The stream may not be looked at inside a unit.
  if (client.isExecuting) return reply.error('ERR Command not allowed inside a transaction');
  const accepted = acceptFollower(position, client, node, databases);
  if (accepted instanceof RingsideError) reply.error(accepted.toResp());
  else if (typeof accepted !== 'string') reply.error(accepted.refusal);
  else if (accepted !== '') reply.simple(accepted);
}

/** REPLICAOF host port | NO ONE */
function replicaOf({ client, node }: CommandContext, args: Args, reply: RespWriter) {
  if (node.shard.clustered) return reply.error('ERR REPLICAOF not allowed in cluster mode.');
  if (client.link) return reply.error('ERR Command is not valid when client is a replica.');
  if (args.equalsIgnoreCase(1, 'NO') && args.equalsIgnoreCase(2, 'ONE')) {
    node.shard.replicaOf(null);
    return reply.ok();
  }
  const port = args.integer(2);
  if (port === null || port < 0 || port > MAX_PORT) return reply.error('ERR Invalid master port');
  if (node.shard.replicaOf({ host: args.utf8(1), port })) reply.ok();
  else reply.simple('OK Already connected to specified master');
}

function grant({ client, node }: CommandContext, args: Args, reply: RespWriter) {
  const seq = args.integer(1);
  if (client.link && seq !== null) node.followers.leaseAnswered(client.link, seq);
  else reply.error(errorCatalogue.bad_request.resp.replace('…', 'this connection is no replication link'));
}

function role({ node, keyspace }: CommandContext, _args: Args, reply: RespWriter) {
  const { leader, link, linkUp } = node.shard;
  if (leader) {
    reply.arrayHeader(5);
    reply.bulkLatin1('slave');
    reply.bulkLatin1(leader.host);
    reply.integer(leader.port);
    reply.bulkLatin1(link?.state ?? 'connect');
    reply.integer(linkUp ? keyspace.log.end : -1);
    return;
  }
  const links = [...node.followers.links].filter((link) => link.isStreaming);
  reply.arrayHeader(3);
  reply.bulkLatin1('master');
  reply.integer(keyspace.log.end);
  reply.arrayHeader(links.length);
  for (const { follower, ackOffset } of links) {
    reply.arrayHeader(3);
    reply.bulkLatin1(follower.host);
    reply.bulkLatin1(String(follower.port));
    reply.bulkLatin1(String(Math.max(0, ackOffset)));
  }
}

/** Commands about followers and leaders. */
export const replicationCommands: CommandHandlers = {
  WAIT: wait,
  ROLE: role,
  REPLCONF: replConf,
  'RS.EPOCH': epoch,
  PSYNC: psync,
  SYNC: sync,
  REPLICAOF: replicaOf,
  SLAVEOF: replicaOf,
  'RS.GRANT': grant,
};
