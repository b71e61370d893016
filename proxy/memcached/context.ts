import type { Access } from '../access/index.ts';
import type { Router } from '../core/router.ts';
import type { CommandFigures } from '../watch/command-figures.ts';
import type { AnswerWriter } from './answer-writer.ts';
import type { MemcachedConnection } from './connection.ts';
import type { Counters } from './counters.ts';
import type { DelayedFlush } from './delayed-flush.ts';
import type { FrameSlab } from './frame-slab.ts';

/** What one client may use. */
export interface MemcachedConnectionLimits {
  readonly maxItemBytes: number;
  readonly maxGetLineBytes: number;
  /** Keys of one command. */
  readonly maxKeys: number;
  readonly maxInFlight: number;
  /** Requests and replies held for one client. */
  readonly maxHeldBytes: number;
}

/** What the connections of one listener share. */
export interface MemcachedContext {
  readonly router: Router;
  readonly limits: MemcachedConnectionLimits;
  /** Who may do what. */
  readonly access: Access;
  /** What is known of the commands, by their number in `commandNames`. */
  readonly figures: CommandFigures;
  readonly counters: Counters;
  readonly flushes: DelayedFlush;
  /** One of each for all: a command writes and takes within one call. */
  readonly frames: FrameSlab;
  readonly out: AnswerWriter;
  readonly info: MemcachedInfo;
  readonly connections: ReadonlySet<MemcachedConnection>;
  closed(connection: MemcachedConnection): void;
}

/** What `stats` tells about the process. */
export interface MemcachedInfo {
  readonly pid: number;
  readonly startedMonotonicMs: number;
  readonly port: number;
  readonly maxConnections: number;
  readonly threads: number;
  accepted: number;
  refused: number;
}
