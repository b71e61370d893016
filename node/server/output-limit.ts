import type { OutputLimit, OutputLimits } from '../settings/kinds-of-lists.ts';
import type { Client } from './client.ts';

/** What `client-output-buffer-limit` says of this client now; a follower's link looks after itself. */
export function outputLimitOf({ subscriptions }: Client, limits: OutputLimits): OutputLimit {
  return subscriptions === null ? limits.normal : limits.pubsub;
}

/** Watches how much one client, or one follower, leaves unread. */
export class OutputGuard {
  /** Since when it has been beyond the soft limit, monotonic milliseconds; 0 when it is not. */
  #softSinceMs = 0;

  /** Whether the client, with so many bytes unread, is to be closed. To be asked after each change, and from time to time. */
  closes({ hardBytes, softBytes, softSeconds }: OutputLimit, bytes: number, nowMs: number): boolean {
    if (hardBytes > 0 && bytes > hardBytes) return true;
    if (softBytes === 0 || bytes <= softBytes) {
      this.#softSinceMs = 0;
      return false;
    }
    if (this.#softSinceMs === 0) this.#softSinceMs = nowMs;
    return nowMs - this.#softSinceMs > softSeconds * 1000;
  }
}
