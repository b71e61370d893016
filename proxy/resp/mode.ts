import type { RequestParser } from '../../lib/codec/resp/index.ts';
import type { CommandSpec } from '../../lib/commands/index.ts';
import type { RespConnection } from './connection.ts';

/** What CLIENT LIST tells of a client because of a mode. */
export interface ModeFacts {
  readonly channels?: number;
  readonly patterns?: number;
  readonly shardChannels?: number;
  readonly queuedCommands?: number;
  readonly queuedBytes?: number;
  /** Client that invalidations go to; 0: itself. */
  readonly redirect?: number;
  /** Redis's letters. */
  readonly flags?: string;
}

/**
 * What changes the meaning of all commands of one client for a while: an open MULTI, subscriptions in RESP2, MONITOR. Several can be on;
 * they are asked in the order in which they were entered (`RespConnection.enter`).
 */
export interface ConnectionMode {
  /**
   * Is offered every command that is known, of the right arity, and allowed to this client. True: dealt with, its reply included (one, in
   * order); false: the next mode, or else the command's own handler, gets it. `args` is valid during the call only.
   */
  take(connection: RespConnection, args: RequestParser, spec: CommandSpec, nowMs: number): boolean;
  /** What CLIENT LIST is to tell of it. */
  facts?(): ModeFacts;
  /** What the client listens to because of it. */
  channels?(): Iterable<{ readonly name: string; readonly isPattern: boolean }>;
  /** A command was refused before it was offered (unknown, wrong arity, no permission); the error is already the reply. */
  refused?(): void;
  /** The mode ends without having left by itself: the client is gone, or said RESET. */
  closed(): void;
}

/** Shared by all connections without a mode: most of them. */
export const NO_MODES: readonly ConnectionMode[] = [];
