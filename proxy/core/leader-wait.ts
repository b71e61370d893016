import { RingsideError } from '../../lib/base/index.ts';
import type { ConnectionPurpose } from './greeting.ts';
import type { PrivateConnection } from './private-connection.ts';
import type { PrivatePool } from './private-pool.ts';
import type { Router } from './router.ts';
import type { ShardRoute, UpstreamNode } from './topology.ts';

const RETRY_MS = 50;

/** A shard that has a leader. */
export interface LedRoute {
  readonly route: ShardRoute;
  readonly node: UpstreamNode;
}

/** The shard of this name with its leader at this moment; null while it has none, or is not in the ring, or new writes are held. */
export function leaderOf(router: Router, shard: string): LedRoute | null {
  if (router.isHolding) return null;
  const route = router.routes.find(({ name }) => name === shard);
  if (route === undefined || route.leader === null) return null;
  return { route, node: route.leader };
}

/** Resolves when the ring changes, or writes are no longer held, or in `ms`. */
export function nextChange(router: Router, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      router.changed.delete(finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    router.changed.add(finish);
  });
}

/** Whether this error text says that the node does not lead the shard, or not yet: nothing was executed, and it may be elsewhere. */
export function meansNoLeader(text: string): boolean {
  return /^(STALERING|READONLY|LOADING|MASTERDOWN) /.test(text);
}

/** A private connection to the leader of a shard. */
export interface Borrowed {
  readonly connection: PrivateConnection;
  readonly route: ShardRoute;
}

/**
 * Borrows a connection to the leader of a shard, trying for `operationTimeoutMs` (while writes are held the time does not count), or until
 * `isWanted` says no. Rejects with RingsideError `overloaded` or `shard_down`: nothing was sent.
 */
export async function borrowAtLeader(
  router: Router,
  pool: PrivatePool,
  shard: string,
  { protocol, database }: ConnectionPurpose,
  isWanted: () => boolean,
): Promise<Borrowed> {
  const { clock, settings } = router.env;
  let deadlineMs = clock.monotonicMs() + settings.operationTimeoutMs;
  let failure = new RingsideError('shard_down', `shard ${shard} has no leader; nothing was sent`);
  for (;;) {
    const led = leaderOf(router, shard);
    if (led !== null) {
      try {
        const connection = await pool.acquire(led.node, protocol, database);
        if (connection.isOpen) return { connection, route: led.route };
        pool.discard(connection);
      } catch (error) {
        failure = error as RingsideError;
        if (failure.code !== 'shard_down') throw failure;
      }
    }
    if (router.isHolding) deadlineMs = clock.monotonicMs() + settings.operationTimeoutMs;
    if (!isWanted() || clock.monotonicMs() >= deadlineMs) throw failure;
    await nextChange(router, RETRY_MS);
  }
}
