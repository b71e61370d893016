import type { RespLimits } from '../../lib/codec/resp/index.ts';
import type { Executor } from '../executor.ts';
import type { ReplicationLog } from '../replication/replication-log.ts';
import type { NodeServices } from '../services.ts';
import type { Connection } from './connection.ts';
import type { Departures } from './departures.ts';

/** What the connections of a node share. */
export interface ConnectionHost {
  readonly node: NodeServices;
  readonly executor: Executor;
  readonly log: ReplicationLog;
  readonly limits: RespLimits & {
    /** Bytes that one client may leave unread. */
    readonly maxOutputBytes: number;
    /** Bytes of unfinished commands that all clients together may make the node hold. */
    readonly maxInputBytes: number;
  };
  readonly departures: Departures;
  /** Connections with replies that wait for followers. */
  readonly waiting: Set<Connection>;
}
