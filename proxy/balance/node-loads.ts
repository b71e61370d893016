/** Commands sent fade with this time constant: at a steady rate their count comes to that of one second. */
const TIME_CONSTANT_MS = 1000;
/** How often counts fade, and what is in flight is looked at. */
const FADE_MS = 50;
const LOOK_MS = 1;
/** Below this a node has so little to do that nothing is moved away from it. */
const LEAST_LOAD = 50;
/** Reads are moved away at this part of the cap: what has to go to a leader whatever it has to do (to learn versions, to replace copies) comes on top. */
const FULL_PART = 0.99;

/** The load of one node, in commands: of the last second, and in flight. */
export class NodeLoad<Node> {
  readonly node: Node;
  /** Sent by this thread, fading. */
  sent = 0;
  /** Sent by this thread since the last report. */
  sinceReport = 0;
  /** In flight from this thread, as last looked at. */
  inFlight = 0;
  /** What others send it in a second, by its last two reports. */
  others = 0;
  /** Commands that it had executed by the last report; -1: it has not reported. */
  reported = -1;
  reportedMs = 0;

  constructor(node: Node) {
    this.node = node;
  }

  get total(): number {
    return this.sent + this.inFlight + this.others;
  }
}

/**
 * How the load is spread over the nodes, as one thread knows it: what it has sent itself of late, what is in flight, and what nodes report of others'.
 *
 * A node may have `factor` times what each shard would have if all had the same ("Consistent Hashing with Bounded Loads", Mirrokni, Thorup and
 * Zadimoghaddam, 2016). What is in flight counts beside what was sent, so that a slow node is full sooner. Does no I/O; `nowMs` is monotonic.
 */
export class NodeLoads<Node> {
  readonly #factor: number;
  readonly #inFlightOf: (node: Node) => number;
  #loads: readonly NodeLoad<Node>[] = [];
  #shards = 1;
  #sum = 0;
  #fadedMs = 0;
  #lookedMs = 0;

  /** `inFlightOf`: commands in flight to a node by now. */
  constructor(factor: number, inFlightOf: (node: Node) => number) {
    this.#factor = factor;
    this.#inFlightOf = inFlightOf;
  }

  get all(): readonly NodeLoad<Node>[] {
    return this.#loads;
  }

  /** What a shard has on average. */
  get mean(): number {
    return this.#sum / this.#shards;
  }

  /** What a node may have. */
  get cap(): number {
    return Math.max(LEAST_LOAD, this.#factor * this.mean);
  }

  /** These are the nodes, of so many shards. What is known of nodes that were there before is kept. */
  use(nodes: readonly Node[], shards: number): void {
    const before = new Map(this.#loads.map((load) => [load.node, load]));
    this.#loads = nodes.map((node) => before.get(node) ?? new NodeLoad(node));
    this.#shards = Math.max(1, shards);
    this.#add();
  }

  /** A command goes to this node. */
  sent(load: NodeLoad<Node>): void {
    load.sent++;
    load.sinceReport++;
    this.#sum++;
  }

  /** Whether the node has about as much as it may. */
  isFull(load: NodeLoad<Node>): boolean {
    return load.total + 1 > Math.max(LEAST_LOAD, FULL_PART * this.cap);
  }

  /** Brings the figures up to date. */
  look(nowMs: number): void {
    if (nowMs - this.#lookedMs < LOOK_MS) return;
    this.#lookedMs = nowMs;
    const elapsedMs = nowMs - this.#fadedMs;
    const isDue = elapsedMs >= FADE_MS;
    const part = isDue ? Math.exp(-elapsedMs / TIME_CONSTANT_MS) : 1;
    if (isDue) this.#fadedMs = nowMs;
    for (const load of this.#loads) {
      load.sent *= part;
      load.inFlight = this.#inFlightOf(load.node);
    }
    this.#add();
  }

  /** The node says that it had executed so many commands since it started, when it was asked behind the `own`th that was sent since its last report. */
  report(load: NodeLoad<Node>, executed: number, own: number, nowMs: number): void {
    const seconds = (nowMs - load.reportedMs) / 1000;
    const isComparable = load.reported >= 0 && executed >= load.reported && seconds > 0;
    load.others = isComparable ? Math.max(0, executed - load.reported - own) / seconds : 0;
    load.reported = executed;
    load.reportedMs = nowMs;
    load.sinceReport -= own;
  }

  #add(): void {
    let sum = 0;
    for (const load of this.#loads) sum += load.total;
    this.#sum = sum;
  }
}
