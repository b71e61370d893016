import { NearestExpiry, NoEviction, type Policy } from './policy.ts';
import { LfuPolicy } from './policy-lfu.ts';
import { LruPolicy } from './policy-lru.ts';
import { type Draw, RandomPolicy } from './policy-random.ts';
import { type Reinsert, S3FifoPolicy } from './policy-s3-fifo.ts';
import type { RecordLinks } from './record-links.ts';
import type { Records } from './records.ts';
import type { Space } from './space.ts';

/** What policies need of the store. */
export interface PolicyDeps {
  readonly records: Records;
  readonly links: RecordLinks;
  readonly nowSeconds: () => number;
  readonly reinsert: Reinsert;
  readonly draw: Draw;
}

/** The policy for the rule of a space. */
export function createPolicy(space: Space, deps: PolicyDeps): Policy {
  const { policy, volatileOnly } = space.rule;
  switch (policy) {
    case 'lru':
      return new LruPolicy(space, deps.links, volatileOnly, deps.nowSeconds);
    case 'lfu':
      return new LfuPolicy(space, deps.links, volatileOnly);
    case 'random':
      return new RandomPolicy(space, deps.draw, volatileOnly);
    case 's3-fifo':
      return new S3FifoPolicy(space, deps.records, deps.reinsert);
    case 'ttl':
      return new NearestExpiry(space);
    case 'none':
      return new NoEviction(space);
  }
}
