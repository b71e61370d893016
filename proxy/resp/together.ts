import type { Request } from '../core/request.ts';
import type { Router } from '../core/router.ts';
import type { RespConnection } from './connection.ts';

/**
 * Whether commands that have just come of this client may be sent together as another one: nothing else of it is under way, and nobody wants to see them as they are but the
 * nodes.
 */
export function maySendTogether(connection: RespConnection, router: Router): boolean {
  const { rates, settings } = router.env;
  if (connection.pending > 0 || !connection.isPlain || !router.isPlain || rates !== null) return false;
  if (settings.namespaces.all.length > 1 || router.ownLinks.size > 0 || router.isHolding) return false;
  return router.routes.length > 0 && !router.hasParked(connection);
}

/** The reply in memory of its own. */
export function copyOfReply({ bytes, start, end }: Request): Buffer {
  return Buffer.from(bytes.subarray(start, end));
}
