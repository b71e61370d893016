import { RingsideError } from '../../lib/base/index.ts';
import type { Databases } from '../databases.ts';
import type { Client } from '../server/client.ts';
import type { NodeServices } from '../services.ts';
import { FollowerLink } from './follower-link.ts';

/** What a follower asks for with `RS.REPLICATE`. */
export interface FollowRequest {
  readonly shard: string;
  readonly shardEpoch: number;
  /** Node id of the follower. */
  readonly id: string;
  /** The stream it has, `?` for none, and how far. */
  readonly replId: string;
  readonly offset: number;
}

/**
 * Makes the client's connection a replication link, which begins once the greeting returned is out: `CONTINUE replId end`
 * with the stream from the follower's offset on, which stands at `end` now, or `FULLRESYNC replId offset` with the stream from `offset` on
 * and a snapshot as well. Returns why not, otherwise.
 */
export function acceptFollower(
  request: FollowRequest,
  client: Client,
  node: NodeServices,
  databases: Databases,
): string | RingsideError {
  const refusal = refuse(request, node);
  if (refusal) return refusal;
  // The stream may not be looked at inside a unit.
  if (client.isExecuting) return new RingsideError('conflict', 'RS.REPLICATE inside a transaction');
  const connection = node.clients.get(client.id);
  if (!connection) return new RingsideError('bad_request', 'there is no connection to replicate over');
  const { log } = databases.data;
  const canContinue = log.canContinue(request.replId, request.offset);
  log.active = true;
  count(request, canContinue, node);
  const offset = canContinue ? request.offset : log.end;
  const link = new FollowerLink({
    id: request.id,
    address: client.address,
    source: {
      log,
      databases,
      outputLimit: () => node.settings.outputLimits.replica,
    },
    transport: connection.becomeLink(() => node.followers.remove(link)),
    offset,
    fullSync: !canContinue,
  });
  client.link = link;
  client.afterReply = () => node.followers.add(link);
  const fields = { follower: request.id, offset, fullSync: !canContinue };
  node.log.info(fields, canContinue ? 'follower continues' : 'follower begins a full sync');
  return `${canContinue ? 'CONTINUE' : 'FULLRESYNC'} ${log.replId} ${log.end}`;
}

function refuse({ shard, shardEpoch }: FollowRequest, node: NodeServices): RingsideError | null {
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
  return own.leads ? null : new RingsideError('conflict', `this node does not lead shard ${shard}`);
}

function count({ replId }: FollowRequest, canContinue: boolean, { stats }: NodeServices): void {
  if (canContinue) stats.partialSyncsAccepted++;
  else stats.fullSyncs++;
  if (!canContinue && replId !== '?') stats.partialSyncsRefused++;
}
