import type { RateGuard } from '../health/index.ts';
import type { LinkEnvironment } from './link.ts';
import type { Stats } from './stats.ts';

/** What the router needs beyond what its links need. */
export interface RouterEnvironment extends LinkEnvironment {
  /** Null: neither clients nor namespaces have a rate. */
  readonly rates: RateGuard | null;
  readonly stats: Stats;
  /** Asks the control plane for its newest ring; undefined with a fixed ring, where a refusal goes to the client at once. */
  readonly refresh: (() => void) | undefined;
}
