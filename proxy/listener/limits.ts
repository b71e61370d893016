/** Most keys of one multi-get over HTTP or gRPC. */
export const MAX_MULTI_KEYS = 10_000;
/** Prefixes of one purge: each looks through all keys of all shards. */
export const MAX_PURGED_PREFIXES = 16;
/** What a client is told whose connection is one too many. */
export const TOO_MANY_CONNECTIONS = 'max number of clients reached (setting proxy.limits.maxConnections)';
