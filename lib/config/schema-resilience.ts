import { decimal, group, milliseconds, ratio, size, whole } from './option.ts';

const outlier = group(
  {
    consecutiveFailures: whole({
      minimum: 1,
      maximum: 1_000_000,
      unit: 'failures',
      default: 5,
      description:
        'So many failures of one node in a row eject it: reads that were not answered within `proxy.readTimeoutMs`, commands past their deadline, connections that fail or break. Error replies are no failures.',
    }),
    failureRatio: ratio({
      default: 0.5,
      description:
        'This part of the outcomes of `windowMs` being failures ejects a node too, unless half of the nodes fare half as badly.',
    }),
    minimumOutcomes: whole({
      minimum: 1,
      maximum: 1_000_000,
      unit: 'outcomes',
      default: 100,
      description: 'With fewer outcomes in `windowMs` the ratio is not judged.',
    }),
    windowMs: milliseconds({
      minimum: 100,
      maximum: 600_000,
      default: 10_000,
      description: 'The time over which `failureRatio` is taken.',
    }),
    ejectionMs: milliseconds({
      minimum: 10,
      maximum: 600_000,
      default: 1000,
      formula: 'time out = min(ejectionMs x ejections lately, maxEjectionMs), then until a probe is answered',
      description: 'How long a node stays ejected the first time.',
    }),
    maxEjectionMs: milliseconds({
      minimum: 10,
      maximum: 3_600_000,
      default: 30_000,
      formula: 'maxEjectionMs >= ejectionMs',
      description: 'How long it stays ejected at most before it is probed.',
    }),
    maxEjectedRatio: ratio({
      default: 0.34,
      description: 'This part of all nodes at most is ejected at once; one always may be.',
    }),
  },
  {
    description:
      'Which nodes fare worse than others. An ejected follower is asked for nothing; an ejected leader is spared the reads of namespaces with `stalenessMs` > 0 that a follower can answer.',
  },
);

const breaker = group(
  {
    consecutiveFailures: whole({
      minimum: 1,
      maximum: 1_000_000,
      unit: 'failures',
      default: 20,
      description:
        'So many commands in a row that pass their deadline (`proxy.operationTimeoutMs`) at one node open its breaker.',
    }),
    failureRatio: ratio({
      default: 0.5,
      description: 'So does this part of the commands of `windowMs`.',
    }),
    minimumOutcomes: whole({
      minimum: 1,
      maximum: 1_000_000,
      unit: 'outcomes',
      default: 100,
      description: 'With fewer commands in `windowMs` the ratio is not judged.',
    }),
    windowMs: milliseconds({
      minimum: 100,
      maximum: 600_000,
      default: 5000,
      description: 'The time over which `failureRatio` is taken.',
    }),
    openMs: milliseconds({
      minimum: 10,
      maximum: 600_000,
      default: 250,
      description:
        'How long a breaker stays open the first time before the node is probed; twice as long after each probe that fails. Probes are commands of the proxy (PING), no client waits for them.',
    }),
    maxOpenMs: milliseconds({
      minimum: 10,
      maximum: 600_000,
      default: 1000,
      formula: 'maxOpenMs >= openMs; a node that is well again is used again within 1.2 x maxOpenMs',
      description: 'How long it stays open at most before the next probe.',
    }),
    probes: whole({
      minimum: 1,
      maximum: 100,
      unit: 'probes',
      default: 2,
      description:
        'So many probes must be answered within `proxy.readTimeoutMs`, one after the other, before it closes.',
    }),
    maxQueuedPerNode: whole({
      minimum: 1,
      maximum: 10_000_000,
      unit: 'commands',
      default: 50_000,
      description:
        'Commands of one worker that wait for one node to be connected, or to take more. Further ones are answered CLUSTERDOWN at once.',
    }),
    maxQueuedBytesPerNode: size({
      minimum: '64kb',
      maximum: '64gb',
      default: '64mb',
      formula: 'memory for commands that wait <= workers x nodes x maxQueuedBytesPerNode',
      description: 'Bytes of such commands.',
    }),
  },
  {
    description:
      'When a node is sent nothing more. Who has nobody else to ask is answered CLUSTERDOWN at once, instead of waiting for a deadline.',
  },
);

const retries = group(
  {
    ratio: ratio({
      default: 0.2,
      formula: 'retries of ten seconds <= max(ratio x commands of ten seconds, 10 x minimumPerSecond)',
      description: 'Commands that may be tried a second time, as a part of all. 0 leaves only the minimum.',
    }),
    minimumPerSecond: whole({
      minimum: 0,
      maximum: 1_000_000,
      unit: '1/s',
      default: 100,
      description: 'So many may be tried again each second however few commands there are.',
    }),
  },
  { description: 'How much is tried again: retries must not make an overload worse.' },
);

const fanOut = group(
  {
    maxBytesPerShard: size({
      minimum: '16kb',
      maximum: '1gb',
      default: '1mb',
      formula: 'replies on their way to one command <= shards x maxBytesPerShard, as sizes were lately',
      description:
        'Bytes of values that one read of many keys over several shards asks each shard for at once; the next keys are asked for when those have come.',
    }),
    maxKeysPerShard: whole({
      minimum: 64,
      maximum: 1_048_576,
      unit: 'keys',
      default: 1000,
      description: 'Keys that it asks each shard for at once.',
    }),
  },
  { description: 'How wide reads of many keys fan out.' },
);

const hedge = group(
  {
    percentile: decimal({
      minimum: 50,
      maximum: 99.9,
      unit: '%',
      default: 95,
      formula:
        'a read is sent a second time after max(minimumMs, the time in which this part of the answers came)',
      description:
        'Which part of the answers that a node gave in the last seconds counts as in time. Lower helps sooner, and asks more of the followers.',
    }),
    minimumMs: milliseconds({
      minimum: 1,
      maximum: 60_000,
      default: 1,
      description: 'No read is sent a second time before that, however fast the node usually is.',
    }),
  },
  {
    description:
      'When reads of namespaces with `hedgedReads` are sent to a follower as well. They count as retries (`proxy.resilience.retries`): beyond that budget there are none.',
  },
);

/** How the proxy stands up to slow, dead and overloaded nodes. */
export const resilienceSchema = group(
  {
    outlier,
    breaker,
    retries,
    hedge,
    fanOut,
    gutterTtlMs: milliseconds({
      minimum: 100,
      maximum: 600_000,
      default: 10_000,
      description:
        'How long what is written to a gutter shard lives at most. Longer spares origins more while a shard is away, and lets older values come back when it goes away again.',
    }),
    resolveEveryMs: milliseconds({
      minimum: 0,
      maximum: 86_400_000,
      default: 30_000,
      description:
        'How often the names of nodes are looked up again. A shared connection to an address that its name no longer stands for is replaced by a new one as soon as it is looked at while no reply is due on it. 0: only when a connection is made. Addresses that are no names are not looked up.',
    }),
  },
  { description: 'How the proxy stands up to slow, dead and overloaded nodes (`docs/resilience.md`).' },
);
