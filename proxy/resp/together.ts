import { type AnsweredPart, Gather } from '../core/gather.ts';
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

/** Commands about one key each, as they came: where each begins, its key begins and ends, and it ends, in `buffer`. */
export interface CommandFrames {
  readonly buffer: Buffer;
  readonly starts: Int32Array;
  readonly keyStarts: Int32Array;
  readonly keyEnds: Int32Array;
  readonly ends: Int32Array;
}

/** Sends some of the frames as they came, each for itself, on behalf of `command`; `done` gets the replies in this order, and must not keep them. */
export function sendApart(
  router: Router,
  command: Request,
  { buffer, starts, keyStarts, keyEnds, ends }: CommandFrames,
  which: readonly number[],
  isWrite: boolean,
  done: (answered: readonly AnsweredPart[]) => void,
): void {
  const gather = new Gather(command, done, { keyIndex: 1 });
  for (const i of which) {
    const route = router.routeOf(buffer, keyStarts[i], keyEnds[i]);
    gather.sendRange(router, route, buffer, starts[i], ends[i], isWrite);
  }
  gather.seal();
}

/** The reply in memory of its own. */
export function copyOfReply({ bytes, start, end }: Request): Buffer {
  return Buffer.from(bytes.subarray(start, end));
}
