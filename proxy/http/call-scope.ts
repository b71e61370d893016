import type { IncomingMessage } from 'node:http';
import { formatAddress } from '../../lib/net/index.ts';
import type { CallScope } from '../core/api.ts';

/** What the data path is told of a request. */
export function scopeOf({ socket }: IncomingMessage): CallScope {
  return {
    deadlineMs: Number.POSITIVE_INFINITY,
    get address() {
      const { remoteAddress, remotePort } = socket;
      return remoteAddress === undefined ? '' : formatAddress(remoteAddress, remotePort ?? 0);
    },
  };
}
