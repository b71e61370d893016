import type { ServerUnaryCall } from '@grpc/grpc-js';
import type { Clock } from '../../lib/base/index.ts';
import { formatAddress } from '../../lib/net/index.ts';
import type { CallScope } from '../core/api.ts';

/** A call, whatever its messages are. */
export type AnyCall = Pick<ServerUnaryCall<unknown, unknown>, 'getPeer' | 'getDeadline'>;

/** What the data path is told of a call. */
export function scopeOf(call: AnyCall, clock: Clock): CallScope {
  // A moment of the wall clock, which may be set: only what is left now counts.
  const leftMs = Number(call.getDeadline()) - clock.wallMs();
  // Of a call that is over, grpc-js does not know it any more.
  const peer = call.getPeer();
  return {
    deadlineMs: clock.monotonicMs() + leftMs,
    get address() {
      const colon = peer.lastIndexOf(':');
      return colon < 0 ? '' : formatAddress(peer.slice(0, colon), Number(peer.slice(colon + 1)));
    },
  };
}
