/**
 * TypeScript shapes of cache.proto as proto-loader hands them out with the options of index.ts: camelCase, 64-bit numbers as
 * decimal strings, every field present in what arrives.
 */

export interface GetRequest {
  key: Buffer;
  lease: boolean;
  unlessVersion: string;
}

export interface GetResponse {
  found: boolean;
  value: Buffer;
  ttlMs: number | string;
  possiblyStale: boolean;
  version: string;
  stale: boolean;
  softTtlMs: number | string;
  leaseToken: string;
  leaseMs: number | string;
  notModified: boolean;
}

/** What every write may depend on. */
export interface ConditionFields {
  ifVersion: string;
  fencingToken: string;
  fenceName: Buffer;
  idempotencyKey: string;
}

export interface PutRequest extends ConditionFields {
  key: Buffer;
  value: Buffer;
  ttlMs: string;
  onlyIfAbsent: boolean;
  onlyIfPresent: boolean;
  softTtlMs: string;
  leaseToken: string;
  tags: string[];
}

export interface PutResponse {
  stored: boolean;
  created: boolean;
  version: string;
}

export interface DeleteRequest extends ConditionFields {
  key: Buffer;
}

export interface DeleteResponse {
  deleted: boolean;
}

export interface MultiGetRequest {
  keys: Buffer[];
}

export interface KeyResult {
  found: boolean;
  value: Buffer;
  possiblyStale: boolean;
  error: { code: string; message: string } | null;
  version: string;
  ttlMs: number | string;
  stale: boolean;
}

export interface MultiGetResponse {
  results: KeyResult[];
}

export interface IncrementRequest extends ConditionFields {
  key: Buffer;
  by: string;
}

export interface PurgeRequest {
  keys: Buffer[];
  tags: string[];
  prefixes: Buffer[];
}

/** Has no fields. */
export type PurgeResponse = Readonly<Record<string, never>>;

export interface IncrementResponse {
  value: string;
  version: string;
}
