import { flag, group, list, milliseconds, ratio, text, whole } from './option.ts';
import { upstreamSchema } from './schema-upstream.ts';

const until = group(
  {
    share: ratio({
      default: 0.001,
      formula: 'values from the old cluster / values found, of the last 10 s',
      description:
        'The warm-up is over once the old cluster has answered no larger part of the reads than this.',
    }),
    forMs: milliseconds({
      minimum: 1000,
      maximum: 86_400_000,
      default: 60_000,
      description: 'For so long without a break.',
    }),
    atLatestMs: milliseconds({
      minimum: 1000,
      maximum: 2_592_000_000,
      default: null,
      description:
        'The warm-up is over after this time in any case. Left out: it goes on until the share is reached.',
    }),
  },
  { description: 'When the old cluster is asked no more.' },
);

/** A cluster that starts cold takes values from an old one. */
export const warmUpSchema = group(
  {
    from: list(upstreamSchema, {
      unit: 'shards',
      maxItems: 1000,
      description:
        'The old cluster, as `proxy.upstreams` describes one: the same names and weights as there, or its keys are not found. `sentinels` are not asked.',
    }),
    shards: list(
      text({
        maxLength: 255,
        pattern: '^\\S+$',
        expects: 'a name without spaces',
        description: 'Name of a shard of the new cluster.',
      }),
      {
        unit: 'names',
        maxItems: 1000,
        description: 'Only these shards of the new cluster are cold. Empty: all.',
      },
    ),
    ratePerSecond: whole({
      minimum: 1,
      maximum: 10_000_000,
      unit: 'values/s',
      default: 5000,
      formula: 'divided evenly among the threads that carry data',
      description:
        'Values that are put into the new cluster each second. Further ones are answered from the old cluster all the same, and taken over when they are asked for again.',
    }),
    maxConcurrent: whole({
      minimum: 1,
      maximum: 10_000,
      unit: 'keys',
      default: 128,
      description:
        'Keys that one worker thread asks the old cluster for at once. Further ones wait for their turn.',
    }),
    maxQueued: whole({
      minimum: 0,
      maximum: 1_000_000,
      unit: 'keys',
      default: 10_000,
      description: 'Keys that wait for their turn in one worker thread. Further ones are misses.',
    }),
    timeoutMs: milliseconds({
      minimum: 10,
      maximum: 600_000,
      default: 500,
      formula: 'a read takes at most timeoutMs longer, and as long again to wait for its turn',
      description: 'How long the old cluster may take to answer. A read without an answer by then is a miss.',
    }),
    holdOffMs: milliseconds({
      minimum: 1000,
      maximum: 86_400_000,
      default: 600_000,
      description:
        'How long a key that was written or deleted through this proxy is not looked for in the old cluster: what is there is outdated.',
    }),
    deleteOld: flag({
      default: false,
      description:
        'What is written or deleted in the new cluster is deleted in the old one too, before the writer is answered: then no other proxy finds it there either. Otherwise the old cluster is only read.',
    }),
    until,
  },
  {
    nullable: true,
    description:
      'A new cluster, or a shard of it, that starts cold takes what it misses from an old one (`docs/warm-up.md`).',
  },
);
