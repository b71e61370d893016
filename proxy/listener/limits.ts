/** Most keys of one multi-get over HTTP or gRPC. */
export const MAX_MULTI_KEYS = 10_000;
