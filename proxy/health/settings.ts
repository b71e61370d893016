import type { ProxyConfig } from '../../lib/config/index.ts';
import type { BreakerOptions } from './circuit-breaker.ts';
import type { FanOutOptions } from './fan-out-window.ts';
import type { OutlierOptions } from './outlier-detector.ts';
import type { RetryBudgetOptions } from './retry-budget.ts';

/** How a worker stands up to slow, dead and overloaded nodes (`proxy.resilience`). */
export interface ResilienceSettings {
  readonly outlier: OutlierOptions;
  readonly breaker: BreakerOptions;
  readonly retries: RetryBudgetOptions;
  readonly fanOut: FanOutOptions;
  /** Commands, and their bytes, that may wait for a node to be connected or to take more. */
  readonly maxQueuedPerNode: number;
  readonly maxQueuedBytesPerNode: number;
  /** Milliseconds that a node may take to answer a probe. */
  readonly probeTimeoutMs: number;
}

/** What the configuration says. */
export function resilienceOf({ resilience, readTimeoutMs }: ProxyConfig): ResilienceSettings {
  const { outlier, breaker, retries, fanOut } = resilience;
  return {
    outlier,
    breaker,
    retries,
    fanOut: { maxBytes: fanOut.maxBytesPerShard, maxKeys: fanOut.maxKeysPerShard },
    maxQueuedPerNode: breaker.maxQueuedPerNode,
    maxQueuedBytesPerNode: breaker.maxQueuedBytesPerNode,
    probeTimeoutMs: readTimeoutMs,
  };
}
