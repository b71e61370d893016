import type { Client } from './server/client.ts';
import type { Debt } from './server/client-registry.ts';

/** Changes data on behalf of a client, in a turn of its own and as one unit. Returns what its reply owes, or why this node may not write. */
export type ChangeAside = (client: Client, ackTimeoutMs: number, change: () => void) => Debt | string;

/** The way to the executor for what has waited for something outside. */
export class Aside {
  /** Set by the executor. */
  change: ChangeAside = () => {
    throw new Error('nothing is executed yet');
  };
}
