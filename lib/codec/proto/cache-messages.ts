/**
 * TypeScript shapes of cache.proto as proto-loader hands them out with the options of index.ts: camelCase, 64-bit numbers as
 * decimal strings, every field present in what arrives.
 */

export interface GetRequest {
  key: Buffer;
  lease: boolean;
}

export interface GetResponse {
  found: boolean;
  value: Buffer;
  ttlMs: number | string;
  possiblyStale: boolean;
}

export interface PutRequest {
  key: Buffer;
  value: Buffer;
  ttlMs: string;
  onlyIfAbsent: boolean;
  softTtlMs: string;
  ifVersion: string;
  fencingToken: string;
  leaseToken: string;
  idempotencyKey: string;
  tags: string[];
}

export interface PutResponse {
  stored: boolean;
  created: boolean;
}

export interface DeleteRequest {
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
}

export interface MultiGetResponse {
  results: KeyResult[];
}

export interface IncrementRequest {
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
}
