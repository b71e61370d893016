import type { Clock, Logger, Random } from '../lib/base/index.ts';
import type { Access } from './access.ts';
import type { AckRules } from './ack-rules.ts';
import type { Aside } from './aside.ts';
import type { ShardState } from './cluster/shard-state.ts';
import type { Migrations } from './migration/migrations.ts';
import type { Observers } from './observers.ts';
import type { CommandWatch } from './operations/command-watch.ts';
import type { Aof, Saves } from './persistence/index.ts';
import type { Followers } from './replication/followers.ts';
import type { BlockedClients } from './server/blocked-clients.ts';
import type { ClientRegistry } from './server/client-registry.ts';
import type { Pause } from './server/pause.ts';
import type { Settings } from './settings.ts';
import type { Shutdown } from './shutdown.ts';
import type { NodeStats } from './stats.ts';

/** What commands may use besides the keyspace. */
export interface NodeServices {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly settings: Settings;
  readonly stats: NodeStats;
  readonly clients: ClientRegistry;
  readonly blocked: BlockedClients;
  readonly observers: Observers;
  readonly pause: Pause;
  readonly shard: ShardState;
  readonly followers: Followers;
  readonly ackRules: AckRules;
  /** Who may do what. */
  readonly access: Access;
  /** Takes note of every command. */
  readonly watch: CommandWatch;
  /** The RDB file. */
  readonly saves: Saves;
  /** The append-only file. */
  readonly aof: Aof;
  /** Ends the process in good order. */
  readonly shutdown: Shutdown;
  /** Keys on their way to other servers. */
  readonly migrations: Migrations;
  /** Changes of data that no turn of a client makes. */
  readonly aside: Aside;
  /** Random identity of this process, 40 hexadecimal digits. */
  readonly runId: string;
  /** Monotonic milliseconds. */
  readonly startedAtMs: number;
}
