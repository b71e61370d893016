import { build, type Histogram } from 'hdr-histogram-js';
import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { PatientClient } from '../support/patient-client.ts';
import { type Server, startProxyRole, startRedis } from '../support/peers.ts';
import { withServers } from './throughput.ts';

const SHARDS = 8;
const KEYS = 1000;
const TIMEOUT_MS = 5000;

/** How long an MGET of 1,000 keys over eight shards takes, and its parts at the shards alone. */
export interface WideReadRow {
  readonly valueBytes: number;
  readonly clients: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** The same clients ask the shard that takes the longest for its keys, directly and with nobody else there. */
  readonly slowestP99Ms: number;
  readonly errors: number;
}

/** `rounds` commands of each client, for each size of values. */
export async function wideReads(sizes: readonly number[], rounds: number): Promise<WideReadRow[]> {
  return withServers(async (keep) => {
    const shards: Server[] = [];
    for (let i = 0; i < SHARDS; i++) shards.push(await keep(startRedis(`upstream redis-server ${i}`)));
    const proxy = await keep(startProxyRole(shards));
    const rows: WideReadRow[] = [];
    for (const valueBytes of sizes)
      for (const clients of [1, 8]) rows.push(await measure(proxy, shards, { valueBytes, clients, rounds }));
    return rows;
  });
}

interface Effort {
  readonly valueBytes: number;
  readonly clients: number;
  readonly rounds: number;
}

async function measure(proxy: Server, shards: readonly Server[], effort: Effort): Promise<WideReadRow> {
  const { valueBytes, clients } = effort;
  const keys = Array.from({ length: KEYS }, (_, i) => `wide:${valueBytes}:${i}`);
  const owned = await spread(proxy, shards, keys, valueBytes);
  const whole = await ask(proxy, keys, effort);
  const alone: Histogram[] = [];
  for (const [i, shard] of shards.entries()) alone.push((await ask(shard, owned[i], effort)).waits);
  const at = (waits: Histogram, percent: number) => waits.getValueAtPercentile(percent) / 1000;
  return {
    ...{ valueBytes, clients, p50Ms: at(whole.waits, 50), p99Ms: at(whole.waits, 99) },
    slowestP99Ms: Math.max(...alone.map((waits) => at(waits, 99))),
    errors: whole.errors,
  };
}

/** Writes the keys through the proxy; those of each shard. */
async function spread(proxy: Server, shards: readonly Server[], keys: readonly string[], valueBytes: number) {
  const client = new PatientClient(proxy.port);
  const direct = shards.map(({ port }) => new PatientClient(port));
  const owned: string[][] = shards.map(() => []);
  for (const key of keys) {
    await client.ask(encodeCommand('SET', key, 'x'.repeat(valueBytes)), TIMEOUT_MS);
    // Only where the key is, LPOP of it is refused.
    const found = await Promise.all(direct.map((one) => one.ask(encodeCommand('LPOP', key), TIMEOUT_MS)));
    owned[found.indexOf('error')].push(key);
  }
  for (const one of [client, ...direct]) one.close();
  return owned;
}

async function ask({ port }: Server, keys: readonly string[], { clients, rounds }: Effort) {
  const waits = build({ highestTrackableValue: 60_000_000, numberOfSignificantValueDigits: 3 });
  let errors = 0;
  const frame = encodeCommand('MGET', ...keys);
  const run = async () => {
    const client = new PatientClient(port);
    for (let i = -Math.ceil(rounds / 10); i < rounds; i++) {
      const startMs = performance.now();
      const outcome = await client.ask(frame, TIMEOUT_MS);
      if (outcome !== 'reply') errors++;
      if (i >= 0) waits.recordValue(Math.round((performance.now() - startMs) * 1000));
    }
    client.close();
  };
  await Promise.all(Array.from({ length: clients }, run));
  return { waits, errors };
}
