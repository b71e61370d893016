import { errorCatalogue, RingsideError } from '../../lib/base/index.ts';
import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import { acceptFollower } from '../replication/accept-follower.ts';
import { type CommandContext, type CommandHandlers, NOT_AN_INTEGER, SYNTAX_ERROR } from './command.ts';

const WAIT_ON_REPLICA =
  'ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is configured to be writable (which is not the default) writes to replicas are just local and are not propagated.';
/** Shard epochs are the upper 20 bits of a version. */
const EPOCHS = 2 ** 20;

function wait({ client, node }: CommandContext, args: Args, reply: RespWriter) {
  if (node.shard.leader) return reply.error(WAIT_ON_REPLICA);
  const replicas = args.integer(1);
  if (replicas === null) return reply.error(NOT_AN_INTEGER);
  const timeoutMs = args.integer(2);
  if (timeoutMs === null) return reply.error('ERR timeout is not an integer or out of range');
  if (timeoutMs < 0) return reply.error('ERR timeout is negative');
  const reached = node.followers.countAt(client.writeOffset);
  if (reached >= replicas || !client.mayBlock) return reply.integer(reached);
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

function replicate({ client, node, databases }: CommandContext, args: Args, reply: RespWriter) {
  const shardEpoch = args.integer(2);
  const offset = args.integer(5);
  if (shardEpoch === null || offset === null) return reply.error(NOT_AN_INTEGER);
  const request = {
    shard: args.utf8(1),
    shardEpoch,
    id: args.utf8(3),
    replId: args.latin1(4),
    offset,
  };
  const greeting = acceptFollower(request, client, node, databases);
  if (greeting instanceof RingsideError) reply.error(greeting.toResp());
  else reply.simple(greeting);
}

/** Over a link, nothing answers what the follower says. */
function replConf({ client, node }: CommandContext, args: Args, reply: RespWriter) {
  if (args.count !== 3 || !args.equalsIgnoreCase(1, 'ACK')) return reply.error(SYNTAX_ERROR);
  const offset = args.integer(2);
  if (client.link && offset !== null) node.followers.acknowledged(client.link, offset);
}

function leaseAck({ client, node }: CommandContext, args: Args, reply: RespWriter) {
  const seq = args.integer(1);
  if (client.link && seq !== null) node.followers.leaseAnswered(client.link, seq);
  else reply.error(errorCatalogue.bad_request.resp.replace('…', 'this connection is no replication link'));
}

function role({ node, keyspace }: CommandContext, _args: Args, reply: RespWriter) {
  const { leader, complete } = node.shard;
  if (leader) {
    reply.arrayHeader(5);
    reply.bulkLatin1('slave');
    reply.bulkLatin1(leader.host);
    reply.integer(leader.port);
    reply.bulkLatin1(complete ? 'connected' : 'sync');
    reply.integer(keyspace.log.end);
    return;
  }
  const links = [...node.followers.links];
  reply.arrayHeader(3);
  reply.bulkLatin1('master');
  reply.integer(keyspace.log.end);
  reply.arrayHeader(links.length);
  for (const link of links) {
    const colon = link.address.lastIndexOf(':');
    reply.arrayHeader(3);
    reply.bulkLatin1(link.address.slice(0, colon));
    reply.bulkLatin1(link.address.slice(colon + 1));
    reply.bulkLatin1(String(Math.max(0, link.ackOffset)));
  }
}

/** Commands about followers and leaders. */
export const replicationCommands: CommandHandlers = {
  WAIT: wait,
  ROLE: role,
  REPLCONF: replConf,
  'RS.EPOCH': epoch,
  'RS.REPLICATE': replicate,
  'RS.LEASEACK': leaseAck,
};
