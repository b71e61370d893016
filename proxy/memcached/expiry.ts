const MONTH_SECONDS = 60 * 60 * 24 * 30;

/** What the nodes are told for "at once". */
export const GONE = -1;

/**
 * memcached's expiry times as milliseconds from `nowMs` (unix milliseconds) on: 0 never, a negative one `GONE`, up to 30 days seconds from now, more
 * is a unix time.
 */
export function ttlOf(exptime: number, nowMs: number): number {
  if (exptime === 0) return 0;
  if (exptime < 0) return GONE;
  if (exptime <= MONTH_SECONDS) return exptime * 1000;
  const leftMs = exptime * 1000 - nowMs;
  return leftMs > 0 ? leftMs : GONE;
}

/** Whole seconds that a time to live of the nodes (-1: for ever) has left, as memcached tells them. */
export function secondsLeft(ttlMs: number): string {
  return ttlMs < 0 ? '-1' : String(Math.ceil(ttlMs / 1000));
}
