import { type Load, median, redisBenchmark } from '../support/measure.ts';
import { type Server, startProxyRole, startRedis } from '../support/peers.ts';
import { forgetPeak, peakResidentBytes } from '../support/resident.ts';
import { startPeers } from './proxy.ts';
import { withServers } from './throughput.ts';

/** How values of 1 MB go through one server. */
export interface LargeRow {
  readonly server: string;
  readonly command: string;
  /** Values a second, the middle turn. */
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** Of redis-server without a proxy. */
  readonly ofDirect: number;
  /** The most memory it took meanwhile. */
  readonly peakMiB: number;
}

/** How often it is each server's turn, and for how long. */
export interface LargeEffort {
  readonly alternations: number;
  readonly seconds: number;
  readonly progress: (line: string) => void;
}

const VALUE_BYTES = 1024 * 1024;
const CONNECTIONS = 50;
/** So many values are there. */
const KEYS = 100;
/** Requests that show how many fill a turn. */
const FIRST_REQUESTS = 400;

async function alternateLarge(
  servers: readonly Server[],
  load: Load,
  { alternations, seconds }: LargeEffort,
): Promise<number[][]> {
  const requests: number[] = [];
  for (const { port, pid } of servers) {
    requests.push(Math.ceil(seconds * (await redisBenchmark(port, load, FIRST_REQUESTS))));
    forgetPeak(pid);
  }
  const rates = servers.map(() => [] as number[]);
  for (let round = 0; round < alternations; round++) {
    for (let turn = 0; turn < servers.length; turn++) {
      const i = (round + turn) % servers.length;
      rates[i].push(await redisBenchmark(servers[i].port, load, requests[i]));
    }
  }
  return rates;
}

/** SET and GET of 1 MB by 50 clients: redis-server itself, and the same through each proxy, turn about. */
export async function largeValues(effort: LargeEffort): Promise<LargeRow[]> {
  return withServers(async (keep) => {
    const upstream = await keep(startRedis());
    const ours = await keep(startProxyRole([upstream]));
    const servers = [upstream, ours, ...(await startPeers(keep, [upstream], effort.progress))];
    const rows: LargeRow[] = [];
    for (const command of ['SET', 'GET']) {
      const load: Load = {
        command,
        pipeline: 1,
        connections: CONNECTIONS,
        valueBytes: VALUE_BYTES,
        keys: KEYS,
      };
      const rates = await alternateLarge(servers, load, effort);
      const direct = median(rates[0]);
      for (const [i, { name, pid }] of servers.entries()) {
        const figures = { median: median(rates[i]), min: Math.min(...rates[i]), max: Math.max(...rates[i]) };
        const peakMiB = Math.round(peakResidentBytes(pid) / 2 ** 20);
        rows.push({ server: name, command, ...figures, ofDirect: figures.median / direct, peakMiB });
      }
      effort.progress(`large: ${command} measured`);
    }
    return rows;
  });
}
