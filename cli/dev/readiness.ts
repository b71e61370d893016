import { setTimeout as delay } from 'node:timers/promises';
import { type Clock, RingsideError } from '../../lib/base/index.ts';
import type { TlsMaterial } from '../../lib/net/index.ts';
import type { FleetStatus } from '../ctl/client.ts';
import type { Member } from './plan.ts';
import { getJson, probe } from './probe.ts';

const DEADLINE_MS = 30_000;
const POLL_MS = 25;

/** A member that listens. */
export interface StartedMember {
  readonly member: Member;
  readonly listeners: Readonly<Record<string, string>>;
}

/**
 * Settles once the fleet serves: every shard has a leader and all its followers in the ring, every proxy has applied that
 * ring, and every listener answers in its own protocol. Rejects with what is missing after 30 s.
 */
export async function waitUntilWhole(
  started: readonly StartedMember[],
  { tls, clock }: { tls?: TlsMaterial; clock: Clock },
): Promise<void> {
  const deadlineMs = clock.monotonicMs() + DEADLINE_MS;
  const retry = async (attempt: () => Promise<string | null>) => {
    for (;;) {
      const missing = await attempt().catch((error: Error) => error.message);
      if (missing === null) return;
      if (clock.monotonicMs() > deadlineMs)
        throw new RingsideError('unavailable', `not ready after ${DEADLINE_MS / 1000} s: ${missing}`);
      await delay(POLL_MS);
    }
  };
  const http = httpOf(started);
  if (http !== undefined) {
    await retry(async () => missingIn(await getJson<FleetStatus>(http, '/v1/status', tls), started));
  }
  await Promise.all(
    started.flatMap(({ member, listeners }) =>
      Object.entries(listeners).map(([protocol, address]) =>
        retry(() => probeListener(member, protocol, address, tls)),
      ),
    ),
  );
}

function httpOf(started: readonly StartedMember[]): string | undefined {
  return started.find(({ member }) => member.role === 'control-plane')?.listeners.http;
}

async function probeListener(
  member: Member,
  protocol: string,
  address: string,
  tls?: TlsMaterial,
): Promise<null> {
  // The control plane's HTTP is no data interface: it is asked as an admin listener is.
  const question = member.role === 'control-plane' && protocol === 'http' ? 'admin' : protocol;
  await probe(question, address, tls);
  return null;
}

/** What the fleet still lacks; null when it is whole. */
function missingIn(status: FleetStatus, started: readonly StartedMember[]): string | null {
  if (!status.ring) return 'there is no ring yet';
  const nodes = started.filter(({ member }) => member.role === 'node').map(({ member }) => member.name);
  const serving = new Set(
    status.shards.flatMap(({ leader, followers }) =>
      [...(leader ? [leader] : []), ...followers]
        .filter(({ state }) => state === 'serving')
        .map(({ id }) => id),
    ),
  );
  const leaderless = status.shards.find(({ leader }) => leader?.state !== 'serving');
  if (leaderless) return `${leaderless.name} has no leader that serves`;
  const absent = nodes.find((name) => !serving.has(name));
  if (absent !== undefined) return `${absent} does not serve`;
  const proxies = started.filter(({ member }) => member.role === 'proxy').map(({ member }) => member.name);
  const behind = proxies.find(
    (name) => status.proxies.find(({ id }) => id === name)?.ackedEpoch !== status.ring?.epoch,
  );
  return behind === undefined ? null : `${behind} has not applied the ring`;
}
