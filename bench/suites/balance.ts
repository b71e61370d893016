import { build } from 'hdr-histogram-js';
import { seededRandom } from '../../lib/base/index.ts';
import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { RespClient } from '../../test/support/resp-client.ts';
import { PatientClient } from '../support/patient-client.ts';
import { type Server, startNodeRole, startProxyRole } from '../support/peers.ts';
import { withServers } from './throughput.ts';

const SHARDS = 8;
const CLIENTS = 64;
const COLD_KEYS = 10_000;
const HOT_PERCENT = 95;
const WARM_UP_MS = 3000;
const TIMEOUT_MS = 5000;

const NAMESPACE = 'namespaces=[{name: all, prefix: "", stalenessMs: 10000}]';

/** What is done about the hot key. */
const WAYS = {
  nothing: [],
  'bounded load': [NAMESPACE, 'balance.mode=overflow'],
  'near cache, hot keys': [NAMESPACE, 'nearCache.mode=hot-keys'],
  'near cache, all keys': [NAMESPACE, 'nearCache.mode=always'],
} as const;

/** How the load of one hot key is spread over eight shards. */
export interface BalanceRow {
  readonly way: keyof typeof WAYS;
  /** Commands that each shard executed, the most first. */
  readonly shards: readonly number[];
  /** Of the busiest shard, in parts of the mean. */
  readonly busiest: number;
  /** Reads of the clients, a second, and the part of all commands of the shards that they come to, in percent. */
  readonly rate: number;
  readonly upstreamPercent: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly errors: number;
}

/** 95 of 100 reads are of one key, `seconds` for each way of dealing with it. */
export async function hotKeyBalance(
  seconds: number,
  progress: (line: string) => void,
): Promise<BalanceRow[]> {
  return withServers(async (keep) => {
    const nodes: Server[] = [];
    for (let i = 0; i < SHARDS; i++) nodes.push(await keep(startNodeRole()));
    const rows: BalanceRow[] = [];
    for (const way of Object.keys(WAYS) as (keyof typeof WAYS)[]) {
      const set = WAYS[way].flatMap((setting) => ['--set', setting]);
      const proxy = await keep(startProxyRole(nodes, [], ['--engine', 'ringside', ...set]));
      rows.push(await measure(way, proxy, nodes, seconds));
      progress(`balance: ${way}`);
    }
    return rows;
  });
}

async function measure(
  way: BalanceRow['way'],
  proxy: Server,
  nodes: readonly Server[],
  seconds: number,
): Promise<BalanceRow> {
  const clients = Array.from({ length: CLIENTS }, () => new PatientClient(proxy.port));
  const hot = encodeCommand('GET', 'hot');
  await clients[0].ask(encodeCommand('SET', 'hot', 'x'.repeat(100)), TIMEOUT_MS);
  const random = seededRandom(7);
  const frame = () =>
    random.int(100) < HOT_PERCENT ? hot : encodeCommand('GET', `cold:${random.int(COLD_KEYS)}`);
  const waits = build({ highestTrackableValue: 60_000_000, numberOfSignificantValueDigits: 3 });
  let isOver = false;
  let errors = 0;
  const run = async (client: PatientClient) => {
    while (!isOver) {
      const startMs = performance.now();
      if ((await client.ask(frame(), TIMEOUT_MS)) !== 'reply') errors++;
      waits.recordValue(Math.round((performance.now() - startMs) * 1000));
    }
    client.close();
  };
  const running = clients.map(run);
  await new Promise((resolve) => setTimeout(resolve, WARM_UP_MS));
  waits.reset();
  const before = await executedBy(nodes);
  const startMs = performance.now();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const reads = waits.totalCount;
  const elapsedS = (performance.now() - startMs) / 1000;
  const after = await executedBy(nodes);
  isOver = true;
  await Promise.all(running);
  const shards = after.map((count, i) => count - before[i]).sort((a, b) => b - a);
  const sum = shards.reduce((total, count) => total + count, 0);
  return {
    ...{ way, shards, errors, rate: reads / elapsedS, upstreamPercent: (100 * sum) / reads },
    busiest: (shards[0] * SHARDS) / sum,
    p50Ms: waits.getValueAtPercentile(50) / 1000,
    p99Ms: waits.getValueAtPercentile(99) / 1000,
  };
}

async function executedBy(nodes: readonly Server[]): Promise<number[]> {
  return Promise.all(
    nodes.map(async ({ port }) => {
      const client = new RespClient(`127.0.0.1:${port}`);
      const text = await client.text('INFO', 'stats');
      client.close();
      return Number(/total_commands_processed:(\d+)/.exec(text!)![1]);
    }),
  );
}
