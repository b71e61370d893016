import type { RequestParser, RespWriter } from '../../lib/codec/resp/index.ts';
import type { Access } from '../access/index.ts';
import type { NodeSettings } from '../core/node-settings.ts';
import type { Privates } from '../core/privates.ts';
import type { PubSub } from '../core/pubsub.ts';
import type { Router } from '../core/router.ts';
import type { WaitService } from '../core/wait.ts';
import type { Fills } from '../fill/index.ts';
import type { ProxyWatch } from '../watch/proxy-watch.ts';
import type { RespWatch } from '../watch/resp-watch.ts';
import type { ProxySettings } from '../watch/settings.ts';
import type { Group } from '../workers/questions.ts';
import type { RespConnection } from './connection.ts';
import type { MonitorFeed } from './monitor-feed.ts';
import type { NearReads } from './near-reads.ts';
import type { Pause } from './pause.ts';
import type { Runs } from './runs.ts';

/** What the connections of one listener share. */
export interface ListenerContext {
  readonly router: Router;
  readonly wait: WaitService;
  /** Connections to nodes that one client has for itself, or that only transactions share. */
  readonly privates: Privates;
  readonly pubsub: PubSub;
  /** Fills keys from their origins; null: no namespace has one. */
  readonly fills: Fills | null;
  /** Answers from the near cache; null: there is none. */
  readonly nearReads: NearReads | null;
  readonly runs: Runs;
  /** Settings of the nodes that clients have set. */
  readonly nodeSettings: NodeSettings;
  readonly monitors: MonitorFeed;
  /** Who may do what. */
  readonly access: Access;
  readonly settings: ProxySettings;
  /** Which commands somebody wants to hear of. */
  readonly watch: ProxyWatch;
  /** Takes note of every command. */
  readonly commands: RespWatch;
  readonly pause: Pause;
  /** All threads of the process. */
  readonly group: Group;
  /** One writer for all: a command writes its reply and takes it within one call. */
  readonly writer: RespWriter;
  readonly connections: ReadonlyMap<number, RespConnection>;
  readonly info: ProxyInfo;
  /** Bytes that are held for one client at most. */
  readonly maxHeldBytes: number;
  closed(connection: RespConnection): void;
}

/** What INFO, HELLO and CONFIG GET tell about this proxy. */
export interface ProxyInfo {
  /** Ringside's version. */
  readonly version: string;
  readonly runId: string;
  readonly pid: number;
  port: number;
  readonly startedWallMs: number;
  /** Settings by their Redis names. */
  readonly config: Readonly<Record<string, string>>;
}

/** Runs one command that is not simply forwarded by its key. */
export type Handler = (connection: RespConnection, args: RequestParser, nowMs: number) => void;
