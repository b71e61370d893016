import { setTimeout as delay } from 'node:timers/promises';

/**
 * Polls `condition` until it yields a truthy value and resolves with that value.
 *
 * Rejects with `what` (and the last error thrown by the condition, as `cause`) once `timeoutMs` have passed:
 * on a busy machine much takes long, and only a test that fails waits to the end.
 */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  { timeoutMs = 60_000, everyMs = 20 } = {},
): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeoutMs;
  let lastError: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`timed out after ${timeoutMs} ms waiting until ${what}`, { cause: lastError });
    }
    await delay(everyMs);
  }
}
