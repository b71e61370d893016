import type { Logger, Random } from '../../lib/base/index.ts';
import { CircuitBreaker } from './circuit-breaker.ts';
import { FanOutWindow } from './fan-out-window.ts';
import { LimitLog } from './limit-log.ts';
import { NodeHealth, type Tell } from './node-health.ts';
import { OutlierDetector } from './outlier-detector.ts';
import { RetryBudget } from './retry-budget.ts';
import type { ResilienceSettings } from './settings.ts';

const SWEEP_MS = 1000;

/** What one worker knows of how all nodes fare, and what it may do about it. Does no I/O; `nowMs` is monotonic. */
export class Health {
  readonly settings: ResilienceSettings;
  readonly retries: RetryBudget;
  readonly fanOut: FanOutWindow;
  readonly limits: LimitLog;
  readonly #random: Random;
  readonly #log: Logger;
  readonly #outliers: OutlierDetector;
  readonly #nodes = new Set<NodeHealth>();
  #sweptMs = 0;

  constructor(settings: ResilienceSettings, random: Random, log: Logger) {
    this.settings = settings;
    this.#random = random;
    this.#log = log;
    this.retries = new RetryBudget(settings.retries);
    this.fanOut = new FanOutWindow(settings.fanOut);
    this.limits = new LimitLog(log);
    this.#outliers = new OutlierDetector(settings.outlier);
  }

  /** The health of a node that is new in the ring; `close` it when it leaves. */
  nodeHealth(node: string, shard: string): NodeHealth {
    const tell: Tell = (level, what, fields) => this.#log[level]({ node, shard, ...fields }, what);
    const setting = 'proxy.resilience.breaker';
    let isClosed = true;
    const breaker = new CircuitBreaker(this.settings.breaker, this.#random, (state, reason) => {
      // Probes of a node that stays away are not worth a line each.
      const level = state === 'open' && isClosed ? 'warn' : 'debug';
      isClosed = state === 'closed';
      tell(isClosed ? 'info' : level, `the circuit breaker of the node is ${state}`, { reason, setting });
    });
    const health = new NodeHealth(breaker, this.#outliers, tell);
    this.#nodes.add(health);
    return health;
  }

  /** The node has left the ring. */
  forget(health: NodeHealth): void {
    this.#nodes.delete(health);
    health.close();
  }

  /** Compares the nodes once a second. To be called often while something is under way. */
  tick(nowMs: number): void {
    if (nowMs - this.#sweptMs < SWEEP_MS) return;
    this.#sweptMs = nowMs;
    this.retries.settle(nowMs);
    for (const node of this.#nodes) node.settle(nowMs);
    const ejected = this.#outliers.sweep(nowMs);
    if (ejected.length > 0) for (const node of this.#nodes) node.sweptOut(ejected);
  }
}
