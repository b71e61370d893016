import type { NamespaceMatcher } from './namespace-rules.ts';
import { mayFallBack, stalenessOf } from './read-fallback.ts';
import type { Request } from './request.ts';
import type { ShardRoute, UpstreamNode } from './topology.ts';

/** Picks who of its shard answers a read whose leader is in trouble. */
export class ReadTargets {
  readonly #namespaces: NamespaceMatcher;
  #nextFollower = 0;

  constructor(namespaces: NamespaceMatcher) {
    this.#namespaces = namespaces;
  }

  /** The leader, or a follower in its place. */
  targetOf(request: Request, route: ShardRoute): UpstreamNode | null {
    const { leader } = route;
    if (leader !== null && !this.#isAvoided(request, leader)) return leader;
    return this.followerFor(request, route) ?? leader;
  }

  /** A follower that may answer this read; null: none, or the namespace does not allow it. */
  followerFor(request: Request, { followers }: ShardRoute): UpstreamNode | null {
    if (followers.length === 0 || request.fromLeader || !mayFallBack(this.#namespaces, request)) return null;
    return this.#nextFollowerOf(followers, false) ?? this.#nextFollowerOf(followers, true);
  }

  /** A follower that fares well, whatever the leader does; null: none. */
  wellFollower({ followers }: ShardRoute): UpstreamNode | null {
    return this.#nextFollowerOf(followers, false);
  }

  /** Whether this read goes to a follower rather than to the leader, if it may. */
  #isAvoided(request: Request, { health }: UpstreamNode): boolean {
    if (health.isSuspect || health.breakerState !== 'closed') return true;
    return health.isEjected && stalenessOf(this.#namespaces, request) > 0;
  }

  /** The next one in turn that answers; one that fares badly only with `evenEjected`. */
  #nextFollowerOf(followers: readonly UpstreamNode[], evenEjected: boolean): UpstreamNode | null {
    for (let i = 0; i < followers.length; i++) {
      const follower = followers[(this.#nextFollower + i) % followers.length];
      const { isSuspect, isEjected, breakerState } = follower.health;
      if (isSuspect || breakerState !== 'closed' || !follower.isConnected) continue;
      if (isEjected && !evenEjected) continue;
      this.#nextFollower = (this.#nextFollower + i + 1) % followers.length;
      return follower;
    }
    return null;
  }
}
