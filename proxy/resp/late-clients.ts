import type { RespConnection } from './connection.ts';

/** How long clients may take, in milliseconds; 0 for ever, except for requests. */
export interface Patience {
  readonly requestTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly stalledReaderTimeoutMs: number;
}

/** Why a client is closed. */
export interface Lateness {
  readonly setting: string;
  readonly text: string;
}

const SLOW: Lateness = {
  setting: 'proxy.limits.headerTimeoutMs',
  text: 'client closed: its request did not arrive in time',
};
const STALLED: Lateness = {
  setting: 'proxy.limits.stalledReaderTimeoutMs',
  text: 'client closed: it takes none of its replies',
};
const IDLE: Lateness = { setting: 'proxy.limits.idleTimeoutMs', text: 'client closed: idle' };

/** Null, or why the patience with this client is at its end. To be asked now and then. */
export function latenessOf(connection: RespConnection, patience: Patience, nowMs: number): Lateness | null {
  const { requestTimeoutMs, idleTimeoutMs, stalledReaderTimeoutMs } = patience;
  const { partialSinceMs, lastActiveMs } = connection;
  if (partialSinceMs > 0 && nowMs - partialSinceMs > requestTimeoutMs) return SLOW;
  if (stalledReaderTimeoutMs > 0 && connection.stalledMs(nowMs) > stalledReaderTimeoutMs) return STALLED;
  return idleTimeoutMs > 0 && connection.isIdle && nowMs - lastActiveMs > idleTimeoutMs ? IDLE : null;
}
