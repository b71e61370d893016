import type { RingsideError } from '../../lib/base/index.ts';
import { PrivateConnection } from './private-connection.ts';
import type { Router } from './router.ts';
import { linkSlot, type UpstreamNode } from './topology.ts';
import type { Unit } from './unit.ts';
import { type UnitAnswer, UnitReplies } from './unit-replies.ts';

/** A lane is closed after so long without a transaction. */
const IDLE_MS = 60_000;
const SWEEP_MS = 1000;

/** Whoever waits for a unit. Hears of it once. */
export interface UnitSink {
  answered(answer: UnitAnswer): void;
  /** `wasSent`: the node may have executed it. */
  lost(reason: string, wasSent: boolean): void;
}

/** Where a unit is sent over. */
export interface UnitLane {
  /** Units under way. */
  readonly length: number;
  /** Monotonic milliseconds when a unit was last answered. */
  readonly lastAnsweredMs: number;
  /** Sends a unit, once connected. */
  run(unit: Unit, sink: UnitSink): void;
  /** The sink waits no more. False: the unit may have left; its answer will be dropped. */
  giveUp(sink: UnitSink): boolean;
  /** Ends the connection; whoever waits hears that it is lost. */
  close(reason: string): void;
}

/** Knows the lane to a node, for units in this protocol and database. */
export interface UnitLanes {
  laneTo(node: UpstreamNode, protocol: 2 | 3, database: number): UnitLane;
}

/**
 * The connections for transactions that watch nothing: one per node, RESP version and database, shared by all clients. A unit is sent in one
 * piece, so that no command of anybody else gets between its MULTI and its EXEC.
 */
export class TransactionLanes implements UnitLanes {
  readonly #router: Router;
  readonly #lanes = new Map<UpstreamNode, (Lane | undefined)[]>();
  #sweeper: NodeJS.Timeout | undefined;

  constructor(router: Router) {
    this.#router = router;
  }

  laneTo(node: UpstreamNode, protocol: 2 | 3, database: number): Lane {
    let lanes = this.#lanes.get(node);
    if (lanes === undefined) {
      lanes = [];
      this.#lanes.set(node, lanes);
      this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
    }
    const slot = linkSlot(protocol, database);
    lanes[slot] ??= new Lane(this.#router, node, protocol, database);
    return lanes[slot];
  }

  close(): void {
    clearInterval(this.#sweeper);
    for (const lanes of this.#lanes.values())
      for (const lane of lanes) lane?.close('the proxy is shutting down');
    this.#lanes.clear();
  }

  /** Closes what nobody uses, and forgets nodes that left the ring. */
  #sweep(): void {
    const present = new Set(this.#router.nodes);
    const nowMs = this.#router.env.clock.monotonicMs();
    for (const [node, lanes] of this.#lanes) {
      lanes.forEach((lane, slot) => {
        if (lane === undefined || lane.length > 0 || nowMs - lane.lastUsedMs < IDLE_MS) return;
        lane.close('idle');
        lanes[slot] = undefined;
      });
      if (!present.has(node) && lanes.every((lane) => lane === undefined)) this.#lanes.delete(node);
    }
  }
}

/** One connection for units. Opened when the first comes, and again after it was lost. */
export class Lane implements UnitLane {
  readonly node: UpstreamNode;
  readonly #router: Router;
  readonly #protocol: 2 | 3;
  readonly #database: number;
  #connection: PrivateConnection | null = null;
  #isOpening = false;
  #isLeaving = false;
  /** Sent, and not answered yet. */
  readonly #sent = new Set<UnitSink>();
  #waiting: { readonly unit: Unit; readonly sink: UnitSink }[] = [];
  /** Monotonic milliseconds when a unit last came. */
  lastUsedMs = 0;
  lastAnsweredMs = 0;

  constructor(router: Router, node: UpstreamNode, protocol: 2 | 3, database: number) {
    this.#router = router;
    this.node = node;
    this.#protocol = protocol;
    this.#database = database;
  }

  get length(): number {
    return this.#sent.size + this.#waiting.length;
  }

  run(unit: Unit, sink: UnitSink): void {
    this.lastUsedMs = this.#router.env.clock.monotonicMs();
    if (this.#connection !== null) {
      this.#send(this.#connection, unit, sink);
      return;
    }
    this.#waiting.push({ unit, sink });
    if (!this.#isOpening) void this.#open();
  }

  giveUp(sink: UnitSink): boolean {
    const before = this.#waiting.length;
    this.#waiting = this.#waiting.filter((one) => one.sink !== sink);
    this.#sent.delete(sink);
    return this.#waiting.length < before;
  }

  close(reason: string): void {
    this.#connection?.abandon(reason);
  }

  async #open(): Promise<void> {
    this.#isOpening = true;
    const options = { protocol: this.#protocol, database: this.#database, router: this.#router };
    try {
      const connection = await PrivateConnection.open(this.node, options);
      this.#isOpening = false;
      this.#opened(connection);
    } catch (error) {
      this.#isOpening = false;
      for (const { sink } of this.#waiting.splice(0)) sink.lost((error as RingsideError).toResp(), false);
    }
  }

  #opened(connection: PrivateConnection): void {
    this.#connection = connection;
    connection.onClosed = (reason) => {
      this.#connection = null;
      const lost = [...this.#sent];
      this.#sent.clear();
      for (const sink of lost) sink.lost(reason, true);
    };
    connection.onNodeLeft = () => {
      this.#isLeaving = true;
      this.#closeIfDone();
    };
    for (const { unit, sink } of this.#waiting.splice(0)) this.#send(connection, unit, sink);
  }

  /** What was sent to a node that left the ring is still answered. */
  #closeIfDone(): void {
    if (this.#sent.size === 0) this.close('the node left the ring');
  }

  #send(connection: PrivateConnection, unit: Unit, sink: UnitSink): void {
    const replies = new UnitReplies(unit.commands);
    this.#sent.add(sink);
    connection.send(
      unit.frame,
      (buffer, start, end) => {
        const answer = replies.take(buffer, start, end);
        if (replies.isBroken) connection.abandon('the node refused MULTI');
        if (answer === null) return;
        this.lastAnsweredMs = this.#router.env.clock.monotonicMs();
        if (this.#sent.delete(sink)) sink.answered(answer);
        if (this.#isLeaving) this.#closeIfDone();
      },
      replies.total,
    );
  }
}
