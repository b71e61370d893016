import { PrivatePool } from './private-pool.ts';
import type { Router } from './router.ts';
import { TransactionLanes } from './transaction-lanes.ts';

/** The connections to nodes that are not the shared pipelined links of the router. One per worker. */
export class Privates {
  readonly pool: PrivatePool;
  readonly lanes: TransactionLanes;

  constructor(router: Router) {
    this.pool = new PrivatePool(router);
    this.lanes = new TransactionLanes(router);
  }

  close(): void {
    this.lanes.close();
    this.pool.close();
  }
}
