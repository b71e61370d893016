import { errorReply } from './frames.ts';
import { type LedRoute, leaderOf, meansNoLeader, nextChange } from './leader-wait.ts';
import type { Router } from './router.ts';
import { Stat } from './stats.ts';
import type { ShardRoute } from './topology.ts';
import type { UnitLane, UnitLanes, UnitSink } from './transaction-lanes.ts';
import type { Unit } from './unit.ts';
import { abortReply, type UnitAnswer } from './unit-replies.ts';

/** How long after a refusal another attempt is made when no newer ring comes. */
const RETRY_MS = 100;

/** How a transaction ended. */
export interface TransactionResult {
  /** EXEC's reply. */
  readonly reply: Buffer;
  /** Where it may have run; null: certainly nowhere. */
  readonly route: ShardRoute | null;
}

/**
 * Runs one transaction that watches nothing on the leader of its shard, again and again while it certainly did not run, for
 * `operationTimeoutMs` at most. Then EXEC answers EXECABORT; or UNKNOWN when it was sent and no answer came.
 */
export class TransactionRun implements UnitSink {
  readonly #router: Router;
  readonly #lanes: UnitLanes;
  readonly #unit: Unit;
  readonly #done: (result: TransactionResult) => void;
  /** What EXEC answers when there is no other attempt any more. */
  #failure: Buffer;
  #led: LedRoute | null = null;
  /** Where the present attempt is under way. */
  #lane: UnitLane | null = null;
  #sentMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;
  readonly #nearMark: number;

  constructor(router: Router, lanes: UnitLanes, unit: Unit, done: (result: TransactionResult) => void) {
    this.#router = router;
    this.#lanes = lanes;
    this.#unit = unit;
    this.#done = done;
    this.#failure = abortReply(`CLUSTERDOWN shard ${unit.shard} has no leader; nothing was sent`);
    this.#nearMark = router.bypassed(unit.frame, unit.database);
  }

  /** Begins; `done` may be called before this returns. The time counts from now, or from when writes are no longer held. */
  start(): void {
    if (this.#router.isHolding) {
      void nextChange(this.#router, RETRY_MS).then(() => this.start());
      return;
    }
    // What has come meanwhile is read first: after a pause of this process the answer may be here.
    const { operationTimeoutMs } = this.#router.env.settings;
    this.#timer = setTimeout(() => setImmediate(() => this.#expire()), operationTimeoutMs);
    this.#tryNow();
  }

  answered({ buffer, start, end, refusal }: UnitAnswer): void {
    this.#left();
    const reply = buffer.subarray(start, end);
    const mayRetry = this.#router.mayChangeLeader(this.#led!.node);
    if (refusal === null || !mayRetry || !meansNoLeader(refusal)) {
      this.#finish(reply, refusal === null ? this.#led!.route : null);
      return;
    }
    this.#router.refresh();
    this.#router.stats.add(Stat.writeRetries);
    this.#failure = reply;
    this.#again();
  }

  lost(reason: string, wasSent: boolean): void {
    this.#left();
    if (wasSent && this.#unit.isWrite) {
      this.#unknown(`the connection was lost before the answer came (${reason})`);
      return;
    }
    this.#failure = abortReply(wasSent ? `CLUSTERDOWN ${this.#where()}: ${reason}` : reason);
    this.#again();
  }

  #again(): void {
    void nextChange(this.#router, RETRY_MS).then(() => {
      if (!this.#isOver) this.#tryNow();
    });
  }

  #tryNow(): void {
    const led = leaderOf(this.#router, this.#unit.shard);
    if (led === null) this.#again();
    else this.#attempt(led);
  }

  #attempt(led: LedRoute): void {
    const { protocol, database } = this.#unit;
    const lane = this.#lanes.laneTo(led.node, protocol, database);
    const { maxInFlightPerShard } = this.#router.env.settings;
    if (lane.length >= maxInFlightPerShard) {
      const { stats, health, clock } = this.#router.env;
      const setting = 'proxy.limits.maxInFlightPerShard';
      stats.add(Stat.overloadedErrors);
      health.limits.reached(setting, clock.monotonicMs(), { shard: this.#unit.shard });
      const text = `shard ${this.#unit.shard} has ${maxInFlightPerShard} transactions in flight (${setting})`;
      this.#finish(errorReply('overloaded', text), null);
      return;
    }
    this.#led = led;
    this.#lane = lane;
    this.#sentMs = this.#router.env.clock.monotonicMs();
    if (this.#unit.isWrite) this.#router.pinnedWrites++;
    lane.run(this.#unit, this);
  }

  /** The present attempt is over. */
  #left(): void {
    this.#lane = null;
    if (this.#unit.isWrite) this.#router.pinnedWrites--;
  }

  #expire(): void {
    if (this.#isOver) return;
    const lane = this.#lane;
    if (lane === null) {
      this.#finish(this.#failure, null);
      return;
    }
    this.#left();
    const { operationTimeoutMs } = this.#router.env.settings;
    const why = `no answer within ${operationTimeoutMs} ms`;
    const isUnsent = lane.giveUp(this);
    if (isUnsent) this.#finish(abortReply(`CLUSTERDOWN ${this.#where()}: ${why}; nothing was sent`), null);
    else if (this.#unit.isWrite) this.#unknown(why);
    else this.#finish(errorReply('timeout', `${this.#where()}: ${why}`), null);
    if (lane.lastAnsweredMs < this.#sentMs) lane.close(`${why}, nor did anything else arrive`);
  }

  #unknown(why: string): void {
    this.#router.stats.add(Stat.writesUnknown);
    this.#finish(errorReply('write_unknown', `${this.#where()}: ${why}`), this.#led!.route);
  }

  #where(): string {
    return `shard ${this.#unit.shard}: ${this.#led?.node.name}`;
  }

  #finish(reply: Buffer, route: ShardRoute | null): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#router.reads?.settled(this.#nearMark);
    this.#done({ reply, route });
  }
}
