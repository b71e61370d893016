import type { RequestParser, RespWriter } from '../../lib/codec/resp/index.ts';
import type { Router } from '../core/router.ts';
import type { WaitService } from '../core/wait.ts';
import type { Authenticator } from './auth.ts';
import type { RespConnection } from './connection.ts';

/** What the connections of one listener share. */
export interface ListenerContext {
  readonly router: Router;
  readonly wait: WaitService;
  /** Null: clients need no password. */
  readonly authenticator: Authenticator | null;
  /** One writer for all: a command writes its reply and takes it within one call. */
  readonly writer: RespWriter;
  readonly connections: ReadonlyMap<number, RespConnection>;
  readonly info: ProxyInfo;
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
