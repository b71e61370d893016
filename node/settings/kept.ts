import {
  anyText,
  type Bounds,
  INT_MAX,
  Invalid,
  integer,
  type Kind,
  LONG_MAX,
  memory,
  oneOf,
  UINT_MAX,
  ULONG_MAX,
  yesNo,
} from './kind.ts';
import { oomScores, shutdownFlags } from './kinds-of-lists.ts';
import { kept, type Setting } from './setting.ts';

const IMMUTABLE = { access: 'immutable' } as const;
const PROTECTED = { access: 'protected' } as const;
const HIDDEN = { isHidden: true } as const;
const SENSITIVE = { isSensitive: true } as const;

/** Where the node listens. Listeners are opened once, so only what is so already can be set. */
function listener(name: string, kind: Kind<unknown>, refusal: string): Setting {
  const base = kept(name, anyText, '');
  return {
    ...base,
    prepare(text, target) {
      const value = kind.parse(text);
      if (value instanceof Invalid) return value;
      return text === base.read(target) ? () => {} : new Invalid(refusal);
    },
  };
}

function switches(initial: 'yes' | 'no', names: string, options = {}): Setting[] {
  return names.split(' ').map((name) => kept(name, yesNo, initial, options));
}

function texts(names: string, options = {}): Setting[] {
  return names.split(' ').map((name) => kept(name, anyText, '', options));
}

function number(name: string, initial: number, bounds: Bounds = {}, options = {}): Setting {
  return kept(name, integer(bounds), String(initial), options);
}

function bytes(name: string, initial: number, bounds: Bounds = {}, options = {}): Setting {
  return kept(name, memory(bounds), String(initial), options);
}

/** Of the process and its host. */
const ofProcess: readonly Setting[] = [
  ...switches('no', 'daemonize io-threads-do-reads always-show-logo syslog-enabled', IMMUTABLE),
  ...switches('yes', 'set-proc-title disable-thp', IMMUTABLE),
  ...switches(
    'yes',
    'crash-log-enabled crash-memcheck-enabled activerehashing dynamic-hz jemalloc-bg-thread',
  ),
  ...switches('no', 'activedefrag lazyfree-lazy-eviction lazyfree-lazy-expire lazyfree-lazy-server-del'),
  ...switches('no', 'lazyfree-lazy-user-del lazyfree-lazy-user-flush'),
  ...switches('no', 'use-exit-on-panic', HIDDEN),
  ...texts('pidfile server_cpulist bio_cpulist aof_rewrite_cpulist bgsave_cpulist logfile', IMMUTABLE),
  ...texts('ignore-warnings'),
  kept('syslog-ident', anyText, 'redis', IMMUTABLE),
  kept('syslog-facility', oneOf('user', 'local0', 'local1'), 'local0', IMMUTABLE),
  kept('supervised', oneOf('upstart', 'systemd', 'auto', 'no'), 'no', IMMUTABLE),
  kept('proc-title-template', anyText, '{title} {listen-addr} {server-mode}'),
  kept('loglevel', oneOf('debug', 'verbose', 'notice', 'warning'), 'notice'),
  kept('oom-score-adj', oneOf('no', 'yes', 'relative', 'absolute'), 'no'),
  kept('oom-score-adj-values', oomScores, '0 200 800'),
  kept('shutdown-on-sigint', shutdownFlags, 'default'),
  kept('shutdown-on-sigterm', shutdownFlags, 'default'),
  number('shutdown-timeout', 10),
  number('databases', 16, { min: 1n }, IMMUTABLE),
  number('io-threads', 1, { min: 1n, max: 128n }, IMMUTABLE),
  number('hz', 10),
  number('watchdog-period', 0, {}, HIDDEN),
  number('active-expire-effort', 1, { min: 1n, max: 10n }),
  number('maxmemory-samples', 5, { min: 1n }),
  number('maxmemory-eviction-tenacity', 10, { max: 100n }),
  number('lfu-log-factor', 10),
  number('lfu-decay-time', 1),
  number('active-defrag-cycle-min', 1, { min: 1n, max: 99n }),
  number('active-defrag-cycle-max', 25, { min: 1n, max: 99n }),
  number('active-defrag-threshold-lower', 10, { max: 1000n }),
  number('active-defrag-threshold-upper', 100, { max: 1000n }),
  number('active-defrag-max-scan-fields', 1000, { min: 1n, max: LONG_MAX }),
  bytes('active-defrag-ignore-bytes', 100 << 20, { min: 1n }),
  number('list-compress-depth', 0),
  number('stream-node-max-entries', 100, { max: LONG_MAX }),
  bytes('stream-node-max-bytes', 4096),
  kept('busy-reply-threshold', integer({ max: LONG_MAX }), '5000', { alias: 'lua-time-limit' }),
  ...switches('no', 'lua-enable-deprecated-api', { ...IMMUTABLE, ...HIDDEN }),
];

/** Of listeners and clients. */
const ofNetwork: readonly Setting[] = [
  listener('port', integer({ max: 65535n }), 'Unable to listen on this port. Check server logs.'),
  listener('bind', anyText, 'Failed to bind to specified addresses.'),
  ...texts('bind-source-addr'),
  ...texts('unixsocket', IMMUTABLE),
  kept('unixsocketperm', anyText, '0', IMMUTABLE),
  number('tcp-backlog', 511, {}, IMMUTABLE),
  number('socket-mark-id', 0, { max: UINT_MAX }, IMMUTABLE),
  number('tcp-keepalive', 300),
  ...switches('yes', 'protected-mode'),
  kept('enable-protected-configs', oneOf('no', 'yes', 'local'), 'no', IMMUTABLE),
  kept('enable-debug-command', oneOf('no', 'yes', 'local'), 'no', IMMUTABLE),
  kept('enable-module-command', oneOf('no', 'yes', 'local'), 'no', IMMUTABLE),
  bytes('client-query-buffer-limit', 2 ** 30, { min: 1n << 20n }),
  kept('aclfile', anyText, '', IMMUTABLE),
];

/** Of files. */
const ofPersistence: readonly Setting[] = [
  kept('dir', anyText, '', PROTECTED),
  kept('dbfilename', anyText, 'dump.rdb', PROTECTED),
  ...switches('no', 'aof-timestamp-enabled aof-disable-auto-gc rdb-del-sync-files'),
  ...switches('yes', 'aof-rewrite-incremental-fsync'),
  ...switches('yes', 'rdb-save-incremental-fsync aof-load-truncated aof-use-rdb-preamble'),
  ...switches('yes', 'rdbchecksum', IMMUTABLE),
  kept('appendfilename', anyText, 'appendonly.aof', IMMUTABLE),
  kept('appenddirname', anyText, 'appendonlydir', IMMUTABLE),
  bytes('loading-process-events-interval-bytes', 2 << 20, { min: 1024n, max: INT_MAX }, HIDDEN),
  number('rdb-key-save-delay', 0, { min: -INT_MAX - 1n }, HIDDEN),
  number('key-load-delay', 0, { min: -INT_MAX - 1n }, HIDDEN),
  kept('sanitize-dump-payload', oneOf('no', 'yes', 'clients'), 'no'),
];

/** Of replication. */
const ofReplication: readonly Setting[] = [
  kept('replicaof', anyText, '', { ...IMMUTABLE, alias: 'slaveof' }),
  ...texts('masterauth masteruser', SENSITIVE),
  kept('replica-announce-ip', anyText, '', { alias: 'slave-announce-ip' }),
  kept('replica-announce-port', integer({ max: 65535n }), '0', { alias: 'slave-announce-port' }),
  kept('replica-priority', integer(), '100', { alias: 'slave-priority' }),
  kept('replica-lazy-flush', yesNo, 'no', { alias: 'slave-lazy-flush' }),
  kept('replica-ignore-maxmemory', yesNo, 'yes', { alias: 'slave-ignore-maxmemory' }),
  number('repl-diskless-sync-delay', 5),
  number('repl-diskless-sync-max-replicas', 0),
  number('repl-backlog-ttl', 3600, { max: LONG_MAX }),
  kept('repl-diskless-load', oneOf('disabled', 'on-empty-db', 'swapdb'), 'disabled'),
  ...switches('no', 'repl-disable-tcp-nodelay replica-ignore-disk-write-errors'),
  ...switches('yes', 'repl-diskless-sync replica-announced'),
  kept('propagation-error-behavior', oneOf('ignore', 'panic', 'panic-on-replicas'), 'ignore'),
];

/** Of Redis Cluster, which a node never is part of. */
const ofCluster: readonly Setting[] = [
  ...switches('no', 'cluster-enabled', IMMUTABLE),
  kept('cluster-config-file', anyText, 'nodes.conf', IMMUTABLE),
  number('cluster-port', 0, { max: 65535n }, IMMUTABLE),
  ...switches(
    'yes',
    'cluster-require-full-coverage cluster-allow-pubsubshard-when-down cluster-allow-replica-migration',
  ),
  ...switches('no', 'cluster-allow-reads-when-down'),
  kept('cluster-replica-no-failover', yesNo, 'no', { alias: 'cluster-slave-no-failover' }),
  kept('cluster-replica-validity-factor', integer(), '10', { alias: 'cluster-slave-validity-factor' }),
  number('cluster-migration-barrier', 1),
  number('cluster-node-timeout', 15_000, { max: LONG_MAX }),
  number('cluster-announce-port', 0, { max: 65535n }),
  number('cluster-announce-tls-port', 0, { max: 65535n }),
  number('cluster-announce-bus-port', 0, { max: 65535n }),
  ...texts('cluster-announce-ip cluster-announce-hostname'),
  kept('cluster-preferred-endpoint-type', oneOf('ip', 'hostname', 'unknown-endpoint'), 'ip'),
  bytes('cluster-link-sendbuf-limit', 0, { max: ULONG_MAX }),
];

/** Settings of Redis that mean nothing here: checked and shown, so that tools that set them find what they set. */
export const keptSettings: readonly Setting[] = [
  ...ofProcess,
  ...ofNetwork,
  ...ofPersistence,
  ...ofReplication,
  ...ofCluster,
];
