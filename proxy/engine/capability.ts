import { RingsideError } from '../../lib/base/index.ts';
import type { ShardRoute } from '../core/topology.ts';

/** What Ringside's nodes can do beyond Redis, as error messages call it. */
const NAMES = {
  leases: 'leases',
  versions: 'versions (If-Match, ETag)',
  cas: 'cas',
  flags: 'flags other than 0',
  fences: 'fencing tokens',
  softTtl: 'soft times to live',
  tags: 'tags',
  prefixPurges: 'purges by prefix',
  idempotency: 'idempotency keys',
} as const;

/** One thing that not every engine can do. */
export type Capability = keyof typeof NAMES;

/** Null when the engine of this shard can do it; else the error to answer (`not_implemented`, before anything is sent). */
export function capability(route: ShardRoute, what: Capability): RingsideError | null {
  if (route.engine === 'ringside') return null;
  return new RingsideError('not_implemented', `${NAMES[what]}: not supported by engine ${route.engine}`);
}
