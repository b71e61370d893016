import type { RingDocument } from '../../lib/ring/index.ts';

/** What a node is to its shard. A learner follows like a follower, but is not listed: it neither renews leases nor counts for `ack: replica`. */
export type Role = 'leader' | 'follower' | 'learner' | 'outsider';

/** What a node is, and at which shard epoch. */
export interface Position {
  readonly role: Role;
  /** Epoch of the shard in the document; 0 without one. */
  readonly epoch: number;
  /** Whom to follow; null unless follower or learner. */
  readonly leader: { readonly id: string; readonly address: string } | null;
  /** Ids of the followers the document lists. */
  readonly listedFollowers: readonly string[];
  readonly leaseMs: number;
  /** Why an outsider is one, for people. */
  readonly reason: string;
}

/** Who asks. */
export interface Identity {
  readonly id: string;
  readonly runId: string;
  readonly shard: string;
}

/**
 * Decides what a node is from the document it holds and the highest shard epoch it was sealed at. A pure function.
 *
 * - Leader only if the document names it with this process's run id: a restarted process is empty.
 * - A node sealed above the document's epoch follows nobody and leads nothing until a document of that epoch comes.
 */
export function decidePosition(me: Identity, document: RingDocument | null, sealedEpoch: number): Position {
  if (!document) return outsider('no ring document yet');
  const shard = document.shards.find((candidate) => candidate.name === me.shard);
  if (!shard) return outsider(`shard ${me.shard} is not in the ring`);
  const epoch = Number(shard.epoch);
  const facts = { epoch, listedFollowers: shard.followers, leaseMs: document.leaseMs };
  const stand = (role: Role, reason: string, leader: Position['leader'] = null): Position => ({
    role,
    reason,
    leader,
    ...facts,
  });
  if (sealedEpoch > epoch)
    return stand('outsider', `sealed at shard epoch ${sealedEpoch}, the document has ${epoch}`);
  if (shard.leader === null) return stand('outsider', 'the shard has no leader');
  const own = document.nodes.find((node) => node.id === me.id);
  const isThisProcess = own?.runId === me.runId;
  if (shard.leader === me.id) {
    return isThisProcess
      ? stand('leader', '')
      : stand('outsider', 'the document names an earlier process of this node as leader');
  }
  const leader = document.nodes.find((node) => node.id === shard.leader);
  if (!leader) return stand('outsider', `the document has no address of leader ${shard.leader}`);
  const role = isThisProcess && shard.followers.includes(me.id) ? 'follower' : 'learner';
  return stand(role, '', { id: leader.id, address: leader.address });
}

function outsider(reason: string): Position {
  return { role: 'outsider', epoch: 0, leader: null, listedFollowers: [], leaseMs: 0, reason };
}
