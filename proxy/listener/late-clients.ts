import type { RouterEnvironment } from '../core/router-environment.ts';
import { Stat } from '../core/stats.ts';
import type { ClientConnection } from './client-connection.ts';

/** How long clients may take, in milliseconds; 0 for ever, except for requests. */
export interface Patience {
  readonly requestTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly stalledReaderTimeoutMs: number;
}

/** Why a client is closed. */
interface Lateness {
  readonly setting: string;
  readonly text: string;
}

/** How long a connection that was ended may take to close its side. */
const LINGER_MS = 2000;

const SLOW: Lateness = {
  setting: 'proxy.limits.headerTimeoutMs',
  text: 'client closed: its request did not arrive in time',
};
const STALLED: Lateness = {
  setting: 'proxy.limits.stalledReaderTimeoutMs',
  text: 'client closed: it takes none of its replies',
};
const IDLE: Lateness = { setting: 'proxy.limits.idleTimeoutMs', text: 'client closed: idle' };

/** Any client that can be late. */
export type PatientlyServed = Pick<
  ClientConnection<never>,
  'address' | 'endedMs' | 'partialSinceMs' | 'lastActiveMs' | 'isIdle' | 'stalledMs' | 'destroy'
>;

/** Closes clients that dawdle over a request, take no replies, are silent for too long, or do not close their side. To be called now and then. */
export function closeLate(
  connections: Iterable<PatientlyServed>,
  patience: Patience,
  { clock, log, stats }: RouterEnvironment,
): void {
  const nowMs = clock.monotonicMs();
  for (const connection of connections) {
    const { endedMs, address } = connection;
    if (endedMs > 0 && nowMs - endedMs > LINGER_MS) connection.destroy();
    const lateness = latenessOf(connection, patience, nowMs);
    if (lateness === null) continue;
    log.info({ client: address, setting: lateness.setting }, lateness.text);
    stats.add(Stat.connectionsCut);
    connection.destroy();
  }
}

/** Null, or why the patience with this client is at its end. */
function latenessOf(connection: PatientlyServed, patience: Patience, nowMs: number): Lateness | null {
  const { requestTimeoutMs, idleTimeoutMs, stalledReaderTimeoutMs } = patience;
  const { partialSinceMs, lastActiveMs } = connection;
  if (partialSinceMs > 0 && nowMs - partialSinceMs > requestTimeoutMs) return SLOW;
  if (stalledReaderTimeoutMs > 0 && connection.stalledMs(nowMs) > stalledReaderTimeoutMs) return STALLED;
  return idleTimeoutMs > 0 && connection.isIdle && nowMs - lastActiveMs > idleTimeoutMs ? IDLE : null;
}
