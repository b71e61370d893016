import type { ServerUnaryCall } from '@grpc/grpc-js';
import { formatAddress } from '../../lib/net/index.ts';
import type { CallScope } from '../core/api.ts';

/** A call, whatever its messages are. */
export type AnyCall = Pick<ServerUnaryCall<unknown, unknown>, 'getPeer'>;

/** What the data path is told of a call. */
export function scopeOf(call: AnyCall): CallScope {
  // Of a call that is over, grpc-js does not know it any more.
  const peer = call.getPeer();
  return {
    get address() {
      const colon = peer.lastIndexOf(':');
      return colon < 0 ? '' : formatAddress(peer.slice(0, colon), Number(peer.slice(colon + 1)));
    },
  };
}
