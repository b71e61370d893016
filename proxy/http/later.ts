import type { IncomingMessage } from 'node:http';
import { RingsideError } from '../../lib/base/index.ts';

/** Request headers of features that a later release brings. Ignoring one could break what its sender relies on. */
const LATER_HEADERS: readonly (readonly [header: string, feature: string])[] = [
  ['if-match', 'writes conditional on a version (If-Match)'],
  ['x-lease-token', 'leases (X-Lease-Token)'],
  ['x-soft-ttl-seconds', 'soft lifetimes (X-Soft-TTL-Seconds)'],
  ['x-fencing-token', 'fenced writes (X-Fencing-Token)'],
  ['idempotency-key', 'idempotent repetition (Idempotency-Key)'],
];

/** Throws RingsideError `not_implemented` when the request asks for what a later release brings. */
export function refuseLater(request: IncomingMessage, query: unknown): void {
  const { headers } = request;
  for (const [header, feature] of LATER_HEADERS) {
    if (headers[header] !== undefined) throw later(feature);
  }
  const condition = headers['if-none-match'];
  if (condition !== undefined && (request.method !== 'PUT' || condition.trim() !== '*')) {
    throw later('conditions on an ETag (If-None-Match other than `*` on PUT)');
  }
  if ((query as { lease?: unknown }).lease !== undefined) throw later('leases (?lease)');
}

function later(feature: string): RingsideError {
  return new RingsideError('not_implemented', `not implemented: ${feature} come in a later release`);
}
