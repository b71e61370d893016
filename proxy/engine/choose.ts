import type { NodeView } from './role.ts';

/** Who serves a shard. */
export interface Servers {
  /** `host:port`; null: nobody says that it leads. */
  readonly leader: string | null;
  readonly followers: readonly string[];
}

/** What is known of a shard. */
export interface ShardView {
  /** By address, in the order of the configuration or of the Sentinel's answer. */
  readonly nodes: ReadonlyMap<string, NodeView>;
  /** Whoever is taken for the leader at present. */
  readonly leader: string | null;
  /** Whom the Sentinels name; undefined without Sentinels, or as long as none has answered. */
  readonly named: string | undefined;
}

/**
 * Who serves the shard from now on. Nobody is ever made anything here: a leader is who says so itself.
 *
 * Sentinels decide between several that say so. Without them the present leader stays as long as it says so, or gives no answer while nobody
 * else does; of several others the one with most followers is taken, then the one that is furthest, then the first.
 */
export function chooseServers(view: ShardView): Servers {
  const leader = leaderOf(view);
  const followers = [...view.nodes].filter(
    ([address, node]) => address !== leader && node.role !== 'leader' && !isSyncing(node),
  );
  return { leader, followers: followers.map(([address]) => address) };
}

/** Everybody who says that it leads. */
export function leadersOf(nodes: ShardView['nodes']): string[] {
  return [...nodes].filter(([, node]) => node.role === 'leader').map(([address]) => address);
}

function leaderOf({ nodes, leader, named }: ShardView): string | null {
  const roleOf = (address: string | null | undefined) => nodes.get(address ?? '')?.role;
  if (named !== undefined && roleOf(named) === 'leader') return named;
  const present = roleOf(leader);
  if (present === 'leader' || present === 'unknown') return leader;
  // What a Sentinel does not name has no part in it, whatever it says of itself.
  const other = named === undefined ? bestOf(nodes) : null;
  if (other !== null) return other;
  return present === 'unreachable' ? leader : null;
}

function bestOf(nodes: ShardView['nodes']): string | null {
  let best: [string, NodeView & { role: 'leader' }] | null = null;
  for (const [address, node] of nodes) {
    if (node.role !== 'leader') continue;
    const isBetter =
      best === null ||
      node.followers > best[1].followers ||
      (node.followers === best[1].followers && node.offset > best[1].offset);
    if (isBetter) best = [address, node];
  }
  return best?.[0] ?? null;
}

/** It has no data of its own yet, or is about to lose them. */
function isSyncing(node: NodeView): boolean {
  return node.role === 'follower' && (node.link === 'sync' || node.link === 'handshake');
}
