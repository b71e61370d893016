import type { OutputLimit } from '../settings/kinds-of-lists.ts';
import type { Settings } from '../settings.ts';
import type { Client } from './client.ts';

/** What `client-output-buffer-limit` says of this client now. */
function limitOf({ subscriptions }: Client, { outputLimits }: Settings): OutputLimit {
  return subscriptions === null ? outputLimits.normal : outputLimits.pubsub;
}

/** Watches how much one client leaves unread. */
export class OutputGuard {
  /** Since when it has been beyond the soft limit, monotonic milliseconds; 0 when it is not. */
  #softSinceMs = 0;

  /** Whether the client, with so many bytes unread, is to be closed. */
  closes(client: Client, bytes: number, settings: Settings, nowMs: number): boolean {
    const { hardBytes, softBytes, softSeconds } = limitOf(client, settings);
    if (hardBytes > 0 && bytes > hardBytes) return true;
    if (softBytes === 0 || bytes <= softBytes) {
      this.#softSinceMs = 0;
      return false;
    }
    if (this.#softSinceMs === 0) this.#softSinceMs = nowMs;
    return nowMs - this.#softSinceMs > softSeconds * 1000;
  }
}
