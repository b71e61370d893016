import type { Access } from '../access/index.ts';
import type { Router } from '../core/router.ts';
import type { ProxyWatch } from '../watch/proxy-watch.ts';
import type { Group } from '../workers/questions.ts';
import type { AnswerWriter } from './answer-writer.ts';
import type { MemcachedConnection } from './connection.ts';
import type { Counters } from './counters.ts';
import type { FrameSlab } from './frame-slab.ts';
import type { JoinedGets } from './joined-gets.ts';
import type { MemcachedWatch } from './memcached-watch.ts';

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
  /** Which commands somebody wants to hear of. */
  readonly watch: ProxyWatch;
  /** Takes note of every command, by its number in `commandNames`. */
  readonly commands: MemcachedWatch;
  readonly counters: Counters;
  /** One of each for all: a command writes and takes within one call. */
  readonly frames: FrameSlab;
  readonly joined: JoinedGets;
  readonly out: AnswerWriter;
  readonly info: MemcachedInfo;
  /** All threads of the process. */
  readonly group: Group;
  closed(connection: MemcachedConnection): void;
}

/** What `stats` tells about the process. */
export interface MemcachedInfo {
  readonly pid: number;
  readonly startedMonotonicMs: number;
  readonly port: number;
  /** Of all threads. */
  readonly maxConnections: number;
  readonly threads: number;
}
