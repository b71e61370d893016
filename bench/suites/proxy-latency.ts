import { type Server, startProxyRole, startRedis } from '../support/peers.ts';
import { roundTrips } from '../support/round-trips.ts';
import { startPeers } from './proxy.ts';
import { withServers } from './throughput.ts';

/** Microseconds of one unpipelined GET. */
export interface LatencyRow {
  readonly server: string;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  /** What it takes longer than without a proxy; undefined for the row without one. */
  readonly added?: { readonly p50: number; readonly p99: number; readonly p999: number };
}

/** How often to ask each server in a turn, and how often it is its turn. */
export interface LatencyEffort {
  readonly alternations: number;
  readonly requests: number;
  readonly valueBytes: number;
  readonly progress: (line: string) => void;
}

/** One client that asks for one key after the other: redis-server itself, and the same through each proxy. */
export async function proxyLatency(effort: LatencyEffort): Promise<LatencyRow[]> {
  return withServers(async (keep) => {
    const upstream = await keep(startRedis());
    const ours = await keep(startProxyRole([upstream]));
    const peers = await startPeers(keep, [upstream], effort.progress);
    const servers: Server[] = [upstream, ours, ...peers];
    const measured = await roundTrips(servers, effort);
    const rows = servers.map(({ name }, i) => ({
      server: name,
      p50: measured[i].getValueAtPercentile(50),
      p99: measured[i].getValueAtPercentile(99),
      p999: measured[i].getValueAtPercentile(99.9),
    }));
    const [direct, ...through] = rows;
    return [
      direct,
      ...through.map((row) => ({
        ...row,
        added: { p50: row.p50 - direct.p50, p99: row.p99 - direct.p99, p999: row.p999 - direct.p999 },
      })),
    ];
  });
}
