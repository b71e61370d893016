/** What one kind of error looks like on each interface. In the texts, `…` stands for the message of the error at hand. */
export interface ErrorEntry {
  /** RESP error text, without the leading `-` and the line end. */
  readonly resp: string;
  /** HTTP status. */
  readonly http: number;
  /** `error.code` in HTTP bodies and in `--json` output. */
  readonly httpCode: string;
  /** gRPC status number. */
  readonly grpc: number;
  /** memcached reply line, without the line end. */
  readonly memcached: string;
  /** One sentence for people: what it means, and what a client should do. */
  readonly meaning: string;
}

const grpcStatus = {
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

function entry(
  resp: string,
  memcached: string,
  http: number,
  grpc: keyof typeof grpcStatus,
  meaning: string,
): Omit<ErrorEntry, 'httpCode'> {
  return { resp, memcached, http, grpc: grpcStatus[grpc], meaning };
}

const serverError = 'SERVER_ERROR …';
const clientError = 'CLIENT_ERROR …';

// biome-ignore format: one row per error, to be read as a table
const entries = {
  write_unknown: entry('UNKNOWN write outcome unknown: …', 'SERVER_ERROR unknown outcome', 504, 'DEADLINE_EXCEEDED',
    'The write was sent and no answer came: it may or may not have happened. Read before trying again, or repeat only what is idempotent.'),
  no_replicas: entry('NOREPLICAS Not enough good replicas to write.', 'SERVER_ERROR Not enough good replicas to write.', 503, 'UNAVAILABLE',
    'The namespace asks for `ack: replica` and no follower is connected, or there are fewer than `min-replicas-to-write` asks for; the write was not executed.'),
  overloaded: entry('OVERLOADED …', serverError, 503, 'RESOURCE_EXHAUSTED',
    'A configured limit is reached; the message names the setting. The command was not executed.'),
  rate_limited: entry('OVERLOADED …', serverError, 429, 'RESOURCE_EXHAUSTED',
    'A client, or all clients of a namespace, sent more commands in a second than a setting allows; the message names it. The command was not executed.'),
  shard_down: entry('CLUSTERDOWN …', serverError, 503, 'UNAVAILABLE',
    'No node serves the shard of this key right now. The command was not executed.'),
  fenced: entry('FENCED …', serverError, 409, 'FAILED_PRECONDITION',
    'The fencing token is older than one already seen: another holder has taken over.'),
  stale_ring: entry('STALERING …', serverError, 503, 'UNAVAILABLE',
    'Sender and node hold different epochs of the shard. The command was not executed; a proxy refreshes its ring and tries once more.'),
  read_only: entry("READONLY You can't write against a read only replica.", "SERVER_ERROR You can't write against a read only replica.", 503, 'UNAVAILABLE',
    'A write reached a node that is not the leader or holds no lease. The command was not executed.'),
  loading: entry('LOADING Ringside is loading the dataset in memory', 'SERVER_ERROR Ringside is loading the dataset in memory', 503, 'UNAVAILABLE',
    'The node has not yet received its data set. The command was not executed.'),
  timeout: entry('TIMEOUT …', serverError, 504, 'DEADLINE_EXCEEDED',
    'A read, or a request that changes nothing, was not answered in time, or a write was not sent before the deadline of its call. It is safe to try again.'),
  out_of_memory: entry("OOM command not allowed when used memory > 'maxmemory'.", 'SERVER_ERROR out of memory storing object', 507, 'RESOURCE_EXHAUSTED',
    'The memory budget is used up and nothing may be evicted. The command was not executed.'),
  too_large: entry('ERR …', 'SERVER_ERROR object too large for cache', 413, 'INVALID_ARGUMENT',
    'The key, the value or the request is larger than a configured limit; the message names it.'),
  bad_request: entry('ERR …', clientError, 400, 'INVALID_ARGUMENT',
    'The request makes no sense; the message says why. Sending it again will not help.'),
  not_found: entry('ERR …', 'NOT_FOUND', 404, 'NOT_FOUND',
    'There is no such key or thing.'),
  not_an_integer: entry('ERR value is not an integer or out of range', 'CLIENT_ERROR cannot increment or decrement non-numeric value', 409, 'FAILED_PRECONDITION',
    'Arithmetic on a value that is not a whole number of 64 bits, or the result would not be one.'),
  wrong_type: entry('WRONGTYPE Operation against a key holding the wrong kind of value', 'SERVER_ERROR the key holds a Redis collection', 409, 'FAILED_PRECONDITION',
    'The key holds a value of another type than the command works on.'),
  precondition_failed: entry('PRECONDITION …', 'EXISTS', 412, 'FAILED_PRECONDITION',
    'The condition of the request (`If-Match`, `If-None-Match`; `IFVERSION`, `NX`, `XX`) does not hold; nothing was changed.'),
  lease_void: entry('LEASEVOID The lease is over, or the key was written meanwhile.', 'NOT_STORED', 409, 'ABORTED',
    'The value came too late: the token is no longer the one that may fill the key. Nothing was changed; serve the value without caching it.'),
  origin_failed: entry('ORIGIN …', serverError, 502, 'UNAVAILABLE',
    'The value is not in the cache, and the origin of its namespace has given none: it failed, or is not asked because it kept failing. Try again later.'),
  idempotency_key_reused: entry('KEYREUSED The idempotency key came before with another request.', 'SERVER_ERROR the idempotency key came before with another request', 422, 'INVALID_ARGUMENT',
    'The same `Idempotency-Key` came before for this key, with a different request. Nothing was changed; use a new one for a new request.'),
  conflict: entry('ERR …', serverError, 409, 'ABORTED',
    'The thing asked for cannot be done in the present state; the message says what is in the way.'),
  unauthorized: entry('NOAUTH Authentication required.', 'CLIENT_ERROR unauthenticated', 401, 'UNAUTHENTICATED',
    'The connection has not authenticated, or the credentials are wrong.'),
  forbidden: entry('NOPERM …', clientError, 403, 'PERMISSION_DENIED',
    'The caller is known and may not do this.'),
  not_implemented: entry('ERR …', serverError, 501, 'UNIMPLEMENTED',
    'This release cannot do it; the message says so and names what it would need.'),
  unavailable: entry('ERR …', serverError, 503, 'UNAVAILABLE',
    'A part of the system that the request needs does not answer, or is shutting down.'),
  port_in_use: entry('ERR …', serverError, 500, 'INTERNAL',
    'A listening port is taken; the message names the port and the setting.'),
  config_invalid: entry('ERR …', serverError, 400, 'INVALID_ARGUMENT',
    'A configuration, a ring document or a flag is wrong; the message says where.'),
  internal: entry('ERR internal error: …', 'SERVER_ERROR internal error', 500, 'INTERNAL',
    'A defect of Ringside. Please report it with the log line.'),
};

/** Codes of everything that can go wrong; stable from release to release. */
export type ErrorCode = keyof typeof entries;

/** The one table of errors: stable codes and the exact text that clients see. `docs/errors.md` is held to it by a test. */
export const errorCatalogue: Readonly<Record<ErrorCode, ErrorEntry>> = Object.freeze(
  Object.fromEntries(
    Object.entries(entries).map(([code, e]) => [code, Object.freeze({ ...e, httpCode: code })]),
  ) as Record<ErrorCode, ErrorEntry>,
);

const LINE_BREAKS = /[\r\n]+/g;

/** An error with a place in the catalogue. `cause` keeps what a library or the platform said. */
export class RingsideError extends Error {
  readonly code: ErrorCode;

  /** `message` defaults to the catalogue's meaning; it takes the place of `…` in the texts of each interface. */
  constructor(
    code: ErrorCode,
    message: string = errorCatalogue[code].meaning,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = 'RingsideError';
    this.code = code;
  }

  /** The text of a RESP error reply, without the leading `-` and the line end; never holds a line break. */
  toResp(): string {
    return fill(errorCatalogue[this.code].resp, this.message);
  }

  /** The memcached reply line, without the line end; never holds a line break. */
  toMemcached(): string {
    return fill(errorCatalogue[this.code].memcached, this.message);
  }
}

/** Whether `error` is a RingsideError, with any code or with this one. */
export function isRingsideError(error: unknown, code?: ErrorCode): error is RingsideError {
  return error instanceof RingsideError && (code === undefined || error.code === code);
}

function fill(text: string, message: string): string {
  return text.replace('…', () => message.replace(LINE_BREAKS, ' '));
}
