import { RingsideError } from '../../lib/base/index.ts';
import type { ProxyClient } from './proxy-client.ts';
import type { Server } from './server.ts';
import type { ServerFacts } from './server-facts.ts';

/** `CLIENT PAUSE … WRITE` came with 6.2. */
const OLDEST_SOURCE = 60_200;
/** What a node writes is what 7.0 reads, and the other way round. */
const SNAPSHOTS_OF = 70_000;
const NEXT_SNAPSHOTS = 70_100;

/** Who takes part. */
export interface Parties {
  readonly source: Server;
  readonly target: Server;
  readonly proxies: readonly ProxyClient[];
}

/** What has to be done. */
export interface Plan {
  /** The target follows the source already. */
  readonly follows: boolean;
  /** An earlier cut-over got so far that the source follows the target: only proxies are left to be turned. */
  readonly isHalfDone: boolean;
  /** Proxies whose upstream is still the source. */
  readonly toTurn: readonly ProxyClient[];
  /** What people should know. */
  readonly notes: readonly string[];
}

/** Looks at everybody and changes nothing. Throws RingsideError, with what is in the way. */
export async function makePlan(parties: Parties, replace: boolean): Promise<Plan> {
  const { source, target } = parties;
  const [from, to] = await Promise.all([source.facts(), target.facts()]);
  if (from.runId === to.runId) throw conflict(`${source.name} and ${target.name} are the same server`);
  checkVersions(parties, from, to);
  const isHalfDone = from.leader === target.url.address && to.leader === null;
  if (from.leader !== null && !isHalfDone)
    throw conflict(`${source.name} follows ${from.leader} itself: name that one`);
  if (from.isLoading) throw conflict(`${source.name} is loading its data: wait until it has`);
  const follows = to.leader === source.url.address;
  if (!isHalfDone && !follows) checkTarget(target, to, replace);
  return { follows, isHalfDone, toTurn: await proxiesToTurn(parties), notes: notesOf(parties, from, to) };
}

function checkVersions({ source, target }: Parties, from: ServerFacts, to: ServerFacts): void {
  if (from.isCluster || to.isCluster) throw unsupported('servers in cluster mode are not supported');
  for (const [server, { isControlled }] of [
    [source, from],
    [target, to],
  ] as const) {
    if (isControlled)
      throw unsupported(
        `${server.name} is a node under a control plane: only standalone nodes can be migrated to and from`,
      );
  }
  if (!from.isNode && from.version < OLDEST_SOURCE)
    throw unsupported(
      `${source.name} is redis-server ${from.versionText}: 6.2 is the oldest that can hold its writes`,
    );
  if (to.isNode && !from.isNode && from.version >= NEXT_SNAPSHOTS)
    throw unsupported(
      `${source.name} is redis-server ${from.versionText}: a node reads the snapshots of 7.0 and older ones`,
    );
  if (!to.isNode && to.version < SNAPSHOTS_OF)
    throw unsupported(
      `${target.name} is redis-server ${to.versionText}: 7.0 is the oldest that reads what a node sends`,
    );
}

function checkTarget(target: Server, to: ServerFacts, replace: boolean): void {
  if (replace) return;
  if (to.leader !== null)
    throw conflict(`${target.name} follows ${to.leader}: say --replace if it is to leave that one`);
  if (to.keys > 0)
    throw conflict(
      `${target.name} holds ${to.keys} keys, which would be deleted: say --replace if they may go, as after a cut-over that did not end`,
    );
}

async function proxiesToTurn({ source, target, proxies }: Parties): Promise<ProxyClient[]> {
  const left: ProxyClient[] = [];
  for (const proxy of proxies) {
    const { upstream, hold } = await proxy.upstream();
    if (upstream === null)
      throw unsupported(
        `the proxy ${proxy.url} has several shards, or a control plane: only one fixed upstream can be moved`,
      );
    if (hold !== null)
      throw conflict(`the proxy ${proxy.url} holds writes for ${hold}: wait until that is over`);
    if (upstream === target.url.address) continue;
    if (upstream !== source.url.address)
      throw conflict(
        `the upstream of the proxy ${proxy.url} is ${upstream}, not ${source.url.address}: name the source as the proxy does`,
      );
    left.push(proxy);
  }
  return left;
}

function notesOf({ source, target }: Parties, from: ServerFacts, to: ServerFacts): string[] {
  const isTight = to.maxMemoryBytes > 0 && to.maxMemoryBytes < from.usedBytes;
  return isTight
    ? [
        `${target.name} may use ${to.maxMemoryBytes} bytes (maxmemory), and ${source.name} uses ${from.usedBytes}: keys may be evicted, or writes refused, after the cut-over`,
      ]
    : [];
}

function conflict(message: string): RingsideError {
  return new RingsideError('conflict', message);
}

function unsupported(message: string): RingsideError {
  return new RingsideError('not_implemented', message);
}
