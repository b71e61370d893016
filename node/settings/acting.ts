import { evictionPolicies } from '../eviction.ts';
import { formatEventClasses, parseEventClasses } from '../pubsub/event-classes.ts';
import {
  anyText,
  INT_MAX,
  Invalid,
  integer,
  type Kind,
  LONG_MAX,
  memory,
  memoryOrPercent,
  oneOf,
  UINT_MAX,
  ULONG_MAX,
  yesNo,
} from './kind.ts';
import { formatOutputLimits, parseOutputLimits, percentiles, savePoints } from './kinds-of-lists.ts';
import { field, limitField, numberField, type Place, type Setting, setting } from './setting.ts';

const count = integer({ max: LONG_MAX });
const allChannels: Kind<boolean> = {
  parse(text) {
    const word = oneOf('allchannels', 'resetchannels').parse(text);
    return word instanceof Invalid ? word : word === 'allchannels';
  },
  format: (value) => (value ? 'allchannels' : 'resetchannels'),
};

const outputLimits: Setting = {
  ...setting('client-output-buffer-limit', anyText, {
    get: ({ settings }) => formatOutputLimits(settings.outputLimits),
    set: () => {},
  }),
  prepare(text, { settings }) {
    const limits = parseOutputLimits(text, settings.outputLimits);
    if (limits instanceof Invalid) return limits;
    return () => {
      settings.outputLimits = limits;
    };
  },
};

/** The password of the default user, as it was last set here. */
const requirePass: Place<string> = {
  get: ({ settings }) => settings.requirePass,
  set({ settings, users }, password) {
    settings.requirePass = password;
    users.setDefaultPassword(Buffer.from(password).latin1Slice());
  },
};

const eventClasses: Kind<number> = {
  parse: (text) =>
    parseEventClasses(text) ?? new Invalid("Invalid event class character. Use 'Ag$lshzxeKEtmdn'."),
  format: formatEventClasses,
};

const appendOnly: Setting = {
  ...setting('appendonly', yesNo, {
    get: ({ aof }) => aof.state !== 'off',
    set: () => {},
  }),
  prepare(text, { aof }) {
    const isOn = yesNo.parse(text);
    if (isOn instanceof Invalid) return isOn;
    if (!isOn) return () => aof.turnOff();
    return aof.canTurnOn ? () => aof.turnOn() : new Invalid('Unable to turn on AOF. Check server logs.');
  },
};

/** How much of the stream is kept for followers that come back. */
const backlogBytes: Place<bigint> = {
  get: ({ data }) => BigInt(data.log.backlogBytes),
  set({ data }, bytes) {
    data.log.backlogBytes = Number(bytes);
  },
};

/** Settings that something in the node goes by. */
export const actingSettings: readonly Setting[] = [
  setting('maxmemory', memory({ max: ULONG_MAX }), numberField('maxMemoryBytes')),
  setting('maxmemory-policy', oneOf(...evictionPolicies), field('maxMemoryPolicy')),
  setting('maxmemory-clients', memoryOrPercent(), numberField('maxClientBytes')),
  setting('requirepass', anyText, requirePass, { isSensitive: true }),
  setting('timeout', integer(), numberField('idleTimeoutMs', 1000)),
  setting('maxclients', integer({ min: 1n, max: UINT_MAX }), numberField('maxClients')),
  setting('proto-max-bulk-len', memory({ min: 1n << 20n }), numberField('maxBulkBytes')),
  outputLimits,
  setting('min-replicas-to-write', integer(), numberField('minReplicasToWrite'), {
    alias: 'min-slaves-to-write',
  }),
  setting('min-replicas-max-lag', integer(), numberField('minReplicasMaxLagMs', 1000), {
    alias: 'min-slaves-max-lag',
  }),
  setting('repl-backlog-size', memory({ min: 1n }), backlogBytes),
  setting('repl-ping-replica-period', integer({ min: 1n }), numberField('replPingMs', 1000), {
    alias: 'repl-ping-slave-period',
  }),
  setting('repl-timeout', integer({ min: 1n }), numberField('replTimeoutMs', 1000)),
  setting('replica-read-only', yesNo, field('replicaReadOnly'), { alias: 'slave-read-only' }),
  setting('replica-serve-stale-data', yesNo, field('servesStaleData'), {
    alias: 'slave-serve-stale-data',
  }),
  setting('tracking-table-max-keys', count, numberField('trackingTableMaxKeys')),

  setting('notify-keyspace-events', eventClasses, {
    get: ({ observers }) => observers.eventClasses,
    set({ observers }, mask) {
      observers.eventClasses = mask;
    },
  }),
  setting('hash-max-listpack-entries', count, limitField('hashEntries'), {
    alias: 'hash-max-ziplist-entries',
  }),
  setting('hash-max-listpack-value', memory(), limitField('hashValueBytes'), {
    alias: 'hash-max-ziplist-value',
  }),
  setting('set-max-intset-entries', count, limitField('setIntegers')),
  setting('zset-max-listpack-entries', count, limitField('zsetEntries'), {
    alias: 'zset-max-ziplist-entries',
  }),
  setting('zset-max-listpack-value', memory(), limitField('zsetValueBytes'), {
    alias: 'zset-max-ziplist-value',
  }),
  setting('hll-sparse-max-bytes', memory(), limitField('hllSparseBytes')),
  setting('list-max-listpack-size', integer({ min: -INT_MAX - 1n }), limitField('listSize'), {
    alias: 'list-max-ziplist-size',
  }),

  setting(
    'slowlog-log-slower-than',
    integer({ min: -1n, max: LONG_MAX }),
    numberField('slowlogSlowerThanUs'),
  ),
  setting('slowlog-max-len', count, numberField('slowlogMaxLength')),
  setting('latency-monitor-threshold', count, numberField('latencyThresholdMs')),
  setting('latency-tracking', yesNo, field('latencyTracking')),
  setting('latency-tracking-info-percentiles', percentiles, field('latencyPercentiles')),
  setting('save', savePoints, field('savePoints')),
  setting('stop-writes-on-bgsave-error', yesNo, field('stopWritesOnSaveError')),
  setting('rdbcompression', yesNo, field('compressesSnapshots')),
  appendOnly,
  setting('appendfsync', oneOf('everysec', 'always', 'no'), field('appendFsync')),
  setting('no-appendfsync-on-rewrite', yesNo, field('skipsFsyncOnRewrite')),
  setting('auto-aof-rewrite-percentage', integer(), numberField('rewritePercentage')),
  setting('auto-aof-rewrite-min-size', memory(), numberField('rewriteMinBytes')),
  setting('acllog-max-len', count, numberField('aclLogMaxLength')),
  setting('acl-pubsub-default', allChannels, field('newUsersHaveAllChannels')),
];
