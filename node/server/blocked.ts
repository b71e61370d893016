import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import type { CommandContext } from '../commands/command.ts';

/**
 * Tries again, for the client that waits, with the key that has become ready: argument `i` of its command. Writes the command's reply
 * and returns true, or changes and writes nothing and returns false. Says itself what goes into the replication stream.
 */
export type Serve = (context: CommandContext, args: Args, i: number, reply: RespWriter) => boolean;

/** A client that waits: nothing more of it is executed until the wait is over. */
export interface Wait {
  /** Monotonic milliseconds; Infinity for a wait without end. */
  readonly deadlineMs: number;
  /** The client asked not to be answered (CLIENT REPLY SKIP). */
  muted: boolean;
}

/** A wait for data in one of several keys. */
export interface KeyWait extends Wait {
  readonly kind: 'keys';
  readonly database: number;
  /** The command, in memory of its own. */
  readonly args: Args;
  readonly firstKey: number;
  readonly lastKey: number;
  readonly serve: Serve;
}

/** A wait for followers (WAIT). */
export interface ReplicaWait extends Wait {
  readonly kind: 'replicas';
  readonly replicas: number;
  /** The offset that followers must have reached. */
  readonly offset: number;
}

/** A command that waits for the end of a pause; it is executed then. */
export interface PauseWait extends Wait {
  readonly kind: 'pause';
}

/** A command that waits for another server (MIGRATE); whoever speaks to that one answers. */
export interface MigrationWait extends Wait {
  readonly kind: 'migration';
}

/** A client that has asked for the end of the node (SHUTDOWN): it is answered when that goes on. */
export interface ShutdownWait extends Wait {
  readonly kind: 'shutdown';
}

export type Blocked = KeyWait | ReplicaWait | PauseWait | MigrationWait | ShutdownWait;
