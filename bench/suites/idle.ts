import { setTimeout as delay } from 'node:timers/promises';
import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { IdleClients } from '../support/idle-clients.ts';
import { type Server, startProxyRole, startRedis } from '../support/peers.ts';
import { residentBytes } from '../support/resident.ts';
import { startPeers } from './proxy.ts';
import { withServers } from './throughput.ts';

/** Bytes of resident memory that one connection costs a server. */
export interface IdleRow {
  readonly server: string;
  readonly connections: number;
  /** Connected, nothing sent yet. */
  readonly fresh: number;
  /** Idle again behind one GET. */
  readonly used: number;
}

/** How many clients, and for how long nothing happens before the memory is read. */
export interface IdleEffort {
  readonly connections: number;
  readonly settleMs: number;
  readonly progress: (line: string) => void;
}

/** Clients of other suites come before those that are counted: what a first client costs is not theirs. */
const WARM_UP = 50;

async function measure(server: Server, { connections, settleMs, progress }: IdleEffort): Promise<IdleRow> {
  const get = encodeCommand('GET', 'idle');
  const clients = new IdleClients(server.port);
  try {
    await clients.connect(WARM_UP);
    await clients.ask(get);
    await delay(settleMs);
    const before = residentBytes(server.pid);
    await clients.connect(connections - WARM_UP);
    await delay(settleMs);
    const connected = residentBytes(server.pid);
    await clients.ask(get);
    await delay(settleMs);
    if (clients.open !== connections)
      throw new Error(`${server.name} has closed ${connections - clients.open} connections`);
    const used = residentBytes(server.pid);
    progress(`idle: ${server.name} measured`);
    const each = (bytes: number) => Math.round((bytes - before) / (connections - WARM_UP));
    return { server: server.name, connections, fresh: each(connected), used: each(used) };
  } finally {
    clients.close();
  }
}

/** What connections that do nothing cost `ringside proxy`, nutcracker and Envoy, one after the other. */
export async function idleConnections(effort: IdleEffort): Promise<IdleRow[]> {
  return withServers(async (keep) => {
    const upstream = await keep(startRedis());
    const room = ['--set', `proxy.limits.maxConnections=${2 * effort.connections}`];
    const ours = await keep(startProxyRole([upstream], [], room));
    const rows: IdleRow[] = [];
    for (const server of [ours, ...(await startPeers(keep, [upstream], effort.progress))])
      rows.push(await measure(server, effort));
    return rows;
  });
}
