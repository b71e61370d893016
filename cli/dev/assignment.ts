import type { Config } from '../../lib/config/index.ts';

/** What `ringside dev` tells each of its processes. */
export interface Assignment {
  /** Checked, complete, and the member's own. */
  readonly config: Config;
  /** A temporary folder to remove when dev ends without having been able to; null: none. */
  readonly orphanRemoves: string | null;
}
