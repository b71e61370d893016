import type { Link } from './link.ts';
import type { UpstreamNode } from './topology.ts';

/** The links of one client. */
export interface OwnLinks {
  /** Null: no more may be opened. */
  linkTo(node: UpstreamNode, protocol: 2 | 3, database: number): Link | null;
}
