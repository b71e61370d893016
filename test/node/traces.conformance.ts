import t from 'tap';
import { type HitRatios, traceHitRatios } from '../../bench/suites/traces.ts';
import { type SimulatedPolicy, simulate } from '../../bench/support/cache-simulator.ts';
import { readRequests, traceFolder } from '../../bench/support/traces.ts';

/* The simulators against the miss counts that libCacheSim publishes (README of the traces), and the node's store against the simulators. */

const folder = traceFolder();
const skip = folder === null && 'skipped: the traces are not there (RINGSIDE_SHARED, default ../shared)';
const MEBIBYTE = 1 << 20;
/** A tenth of a point; where chance decides, four times the standard deviation of the difference on the shorter traces. */
const TOLERANCE = 0.001;
const RANDOM_TOLERANCE = 0.004;
/** On `cloudphysics`, with capacities of 128 to 1024 MiB. */
const published: readonly [SimulatedPolicy, readonly number[]][] = [
  ['lru', [93374, 89783, 83572, 81722, 72494, 72104, 71972, 71704]],
  ['fifo', [93403, 89386, 84387, 84025, 72498, 72228, 72182, 72140]],
  ['lfu', [91699, 86720, 78578, 76707, 69945, 66221, 64445, 64376]],
  ['s3-fifo-plain', [89307, 82387, 77041, 76791, 71300, 70343, 70455, 70355]],
];

t.test('the simulators miss as often as published', { skip }, async (t) => {
  const { keys, sizes } = await readRequests(folder!, 'cloudphysics');
  for (const [policy, expected] of published) {
    const misses = expected.map((_, i) => {
      const cache = simulate(policy, (i + 1) * 128 * MEBIBYTE);
      let count = 0;
      for (let at = 0; at < keys.length; at++) if (!cache.access(keys[at], sizes[at])) count++;
      return count;
    });
    t.same(misses, expected, policy);
  }
});

t.test(
  'the node hits as often as the simulators, and the default as often as LRU at least',
  { skip },
  async (t) => {
    const percent = (ratio: number) => (100 * ratio).toFixed(2);
    const bySize = new Map<string, HitRatios[]>();
    for await (const result of traceHitRatios()) {
      const { trace, part, policy, node, reference } = result;
      const size = `${trace} at ${100 * part} %`;
      const what = `${size}, ${policy}: ${percent(node)} % beside ${percent(reference)} % of the simulator`;
      process.stderr.write(`${what}\n`);
      t.ok(Math.abs(node - reference) <= (policy === 'random' ? RANDOM_TOLERANCE : TOLERANCE), what);
      bySize.set(size, [...(bySize.get(size) ?? []), result]);
    }
    for (const [size, results] of bySize) {
      const ratio = (policy: string) => results.find((result) => result.policy === policy)!.node;
      t.ok(
        ratio('s3-fifo') >= ratio('lru'),
        `${size}: ${percent(ratio('s3-fifo'))} % beside ${percent(ratio('lru'))} % of LRU`,
      );
    }
  },
);
