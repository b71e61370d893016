import { RingsideError } from '../../lib/base/index.ts';
import type { Databases } from '../databases.ts';
import { SnapshotWriter } from '../persistence/index.ts';
import type { Client } from '../server/client.ts';
import type { NodeServices } from '../services.ts';
import { REDIS_VERSION } from '../version.ts';
import { type FollowerIdentity, FollowerLink, type FullSync } from './follower-link.ts';
import type { ReplicationLog } from './replication-log.ts';

const NOT_CONNECTED = "NOMASTERLINK Can't SYNC while not connected with my master";
/** Characters of what ends a snapshot: as many as Redis has. */
const MARK_BYTES = 20;

/** What a follower says of itself with REPLCONF before it asks for the stream. */
export interface FollowerGreeting {
  listeningPort: number;
  /** The host it wants to be known by; empty for the one it comes from. */
  host: string;
  /** It finds the end of a snapshot by a mark. */
  knowsMarks: boolean;
  /** It wants to know the stream's name when it goes on. */
  knowsNames: boolean;
  /** A node of this shard, with its id; empty for a redis-server. */
  nodeId: string;
  shard: string;
  shardEpoch: number;
}

/** What a follower is until it says something else. */
export function newGreeting(): FollowerGreeting {
  return {
    listeningPort: 0,
    host: '',
    knowsMarks: false,
    knowsNames: false,
    nodeId: '',
    shard: '',
    shardEpoch: 0,
  };
}

/** The stream that a follower has, and how far. */
export interface Position {
  readonly replId: string;
  readonly offset: number;
}

/**
 * Makes the client's connection a replication link, which begins once the line returned is out (empty for none): with `CONTINUE` the
 * stream from the follower's position on, with `FULLRESYNC` a snapshot and the stream behind it. `position` is null for SYNC, which wants
 * the snapshot alone. Returns why not, otherwise.
 */
export function acceptFollower(
  position: Position | null,
  client: Client,
  node: NodeServices,
  databases: Databases,
): string | RingsideError | { readonly refusal: string } {
  const greeting = client.greeting ?? newGreeting();
  const refusal = refuse(greeting, node);
  if (refusal !== null) return refusal;
  const { leads, linkUp } = node.shard;
  if (!leads && !linkUp) return { refusal: NOT_CONNECTED };
  const connection = node.clients.get(client.id);
  if (!connection) return { refusal: 'ERR there is no connection to replicate over' };
  const { log } = databases.data;
  const isNode = greeting.nodeId !== '';
  const canContinue =
    position !== null &&
    log.canContinue(position.replId, position.offset) &&
    (log.position.saysVersions || !isNode || position.offset === log.end);
  if (canContinue && isNode && !log.position.saysVersions) {
    // Nothing of the stream is missing yet that would have had to say versions.
    log.position.announce();
    log.position.saysVersions = true;
  }
  log.active = true;
  count(position, canContinue, node);
  const full = canContinue ? null : beginFullSync(greeting, node, databases);
  const offset = canContinue ? position.offset : log.end;
  const follower = identify(greeting, client);
  const link = new FollowerLink({
    follower,
    source: {
      log,
      sendableEnd: () => sendableEnd(log, node),
      outputLimit: () => node.settings.outputLimits.replica,
    },
    transport: connection.becomeLink(() => node.followers.remove(link)),
    offset,
    full,
  });
  client.link = link;
  client.afterReply = () => node.followers.add(link);
  const fields = { follower: follower.id, offset, fullSync: !canContinue };
  node.log.info(fields, canContinue ? 'follower continues' : 'follower begins a full sync');
  if (position === null) return '';
  if (!canContinue) return `FULLRESYNC ${log.replId} ${offset}`;
  if (isNode) return `CONTINUE ${log.replId} ${log.end}`;
  return greeting.knowsNames ? `CONTINUE ${log.replId}` : 'CONTINUE';
}

/**
 * Under `appendfsync always`, nobody gets what is not on this node's disk: else a follower would be ahead of a leader that was killed and has
 * come back, and would need a full sync.
 */
function sendableEnd(log: ReplicationLog, { settings, aof }: NodeServices): number {
  return settings.appendFsync === 'always' ? Math.min(log.end, aof.settledOffset) : log.end;
}

/** Why this node is not one to follow for the follower of a fleet; null when it is. */
export function refuse(
  { nodeId, shard, shardEpoch }: FollowerGreeting,
  node: NodeServices,
): RingsideError | null {
  if (nodeId === '') return null;
  const own = node.shard;
  if (shard !== own.shard) {
    return new RingsideError('stale_ring', `this node serves shard ${own.shard}, not ${shard}`);
  }
  if (shardEpoch !== own.epoch) {
    if (shardEpoch > own.epoch) own.onBehind();
    return new RingsideError(
      'stale_ring',
      `shard ${shard} is at epoch ${own.epoch} here, at ${shardEpoch} at the follower`,
    );
  }
  if (own.leads || !own.clustered) return null;
  return new RingsideError('conflict', `this node does not lead shard ${shard}`);
}

function beginFullSync(
  { knowsMarks, nodeId }: FollowerGreeting,
  { random, clock, shard }: NodeServices,
  databases: Databases,
): FullSync {
  const { log } = databases.data;
  const { position } = log;
  // What comes now is for somebody who knows nothing of before; a leader says it anew in the stream, and who passes on another's says it now.
  if (shard.leads && nodeId !== '') position.announce();
  // Versions are of no interest to a redis-server.
  else if (shard.leads) position.database = -1;
  if (shard.leads && nodeId !== '') position.saysVersions = true;
  const snapshot = new SnapshotWriter(databases, {
    redisVersion: REDIS_VERSION,
    wallMs: clock.wallMs(),
    compresses: false,
  });
  return { snapshot, mark: knowsMarks ? random.hex(MARK_BYTES) : null };
}

function identify(greeting: FollowerGreeting, { address }: Client): FollowerIdentity {
  const { nodeId, listeningPort } = greeting;
  const host = greeting.host || address.slice(0, address.lastIndexOf(':'));
  return { id: nodeId || address, address, host, port: listeningPort, isNode: nodeId !== '' };
}

function count(position: Position | null, canContinue: boolean, { stats }: NodeServices): void {
  if (canContinue) stats.partialSyncsAccepted++;
  else stats.fullSyncs++;
  if (!canContinue && position !== null && position.replId !== '?') stats.partialSyncsRefused++;
}
