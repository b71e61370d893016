import type { MemoryPolicy } from '../../node/eviction.ts';
import { type SimulatedPolicy, simulate } from '../support/cache-simulator.ts';
import { NodeCache } from '../support/node-cache.ts';
import { type Requests, readRequests, type TraceName, traceFolder, traceNames } from '../support/traces.ts';

/** How a trace fared in a cache of one size under one policy. */
export interface HitRatios {
  readonly trace: string;
  readonly policy: SimulatedPolicy;
  readonly maxBytes: number;
  /** `maxBytes` as a part of the bytes of all distinct objects. */
  readonly part: number;
  /** Hits by requests, 0 to 1: of the node's data set, and of the simulator charged the same bytes. */
  readonly node: number;
  readonly reference: number;
}

const policies: readonly (readonly [SimulatedPolicy, MemoryPolicy])[] = [
  ['lru', 'allkeys-lru'],
  ['lfu', 'allkeys-lfu'],
  ['s3-fifo', 'allkeys-s3-fifo'],
  ['ttl', 'volatile-ttl'],
  ['random', 'allkeys-random'],
  ['noeviction', 'noeviction'],
];
/** The traces know no times to live: for `ttl`, keys get a minute, ten or an hour, and a request comes every 10 ms. */
const TTLS_MS = [60_000, 600_000, 3_600_000];
const REQUEST_MS = 10;
/** Sizes of caches, as parts of the bytes of all distinct objects: of `lru` and the default, and of the other policies. */
const PARTS: readonly number[] = [0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8];
const FEW_PARTS: readonly number[] = [0.05, 0.2];
/** As the node's `lfu` counts, and as it takes in every object. */
const AS_THE_NODE = { halveAfter: 10, maxFrequency: 255, admitsLarge: true };

/** Runs a trace through the node's data set in this process, look-aside, and through the simulator. */
export function compareOn(requests: Requests, policy: SimulatedPolicy, part: number): HitRatios {
  const { name, keys, sizes, footprintBytes } = requests;
  const maxBytes = Math.floor(footprintBytes * part);
  const node = new NodeCache(new Map(policies).get(policy)!, maxBytes);
  const reference = simulate(policy, maxBytes, AS_THE_NODE);
  let hits = 0;
  let expected = 0;
  for (let i = 0; i < keys.length; i++) {
    const expiresAt = policy === 'ttl' ? i * REQUEST_MS + TTLS_MS[keys[i] % TTLS_MS.length] : 0;
    if (node.access(keys[i], sizes[i], expiresAt)) hits++;
    // The simulator has the bytes that the node's entries have: the budget without what lies idle between them just now.
    reference.capacityBytes = node.capacityBytes;
    if (reference.access(keys[i], node.bytesOf(sizes[i]), expiresAt)) expected++;
  }
  const count = keys.length;
  return { trace: name, policy, maxBytes, part, node: hits / count, reference: expected / count };
}

/** Every trace at every size of each policy. Yields nothing where the traces are not there. */
export async function* traceHitRatios(names: readonly TraceName[] = traceNames): AsyncGenerator<HitRatios> {
  const folder = traceFolder();
  if (folder === null) return;
  for (const name of names) {
    const requests = await readRequests(folder, name);
    for (const part of PARTS) {
      for (const [policy] of policies) {
        const isAtEverySize = policy === 'lru' || policy === 's3-fifo';
        if (isAtEverySize || FEW_PARTS.includes(part)) yield compareOn(requests, policy, part);
      }
    }
  }
}
