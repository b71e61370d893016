import type { Random } from '../../../lib/base/index.ts';

interface Timed {
  at: number;
  order: number;
  run: () => void;
}

/** Virtual time: what is to happen, in order, and nothing in between. */
export class Timeline {
  nowMs = 0;
  steps = 0;
  #order = 0;
  readonly #heap: Timed[] = [];

  after(delayMs: number, run: () => void): void {
    this.#push({ at: this.nowMs + delayMs, order: this.#order++, run });
  }

  /** Runs everything up to `untilMs`; `check` after each step. */
  runUntil(untilMs: number, check: () => void): void {
    while (this.#heap.length > 0 && this.#heap[0].at <= untilMs) {
      const next = this.#pop();
      this.nowMs = next.at;
      this.steps++;
      next.run();
      check();
    }
    this.nowMs = untilMs;
  }

  #push(item: Timed): void {
    const heap = this.#heap;
    let i = heap.push(item) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (before(heap[parent], heap[i])) break;
      [heap[parent], heap[i]] = [heap[i], heap[parent]];
      i = parent;
    }
  }

  #pop(): Timed {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop()!;
    if (heap.length === 0) return top;
    heap[0] = last;
    for (let i = 0; ; ) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2]) {
        if (child < heap.length && before(heap[child], heap[least])) least = child;
      }
      if (least === i) return top;
      [heap[least], heap[i]] = [heap[i], heap[least]];
      i = least;
    }
  }
}

function before(a: Timed, b: Timed): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** A process on a machine of its own: its clock started anywhere and runs up to 3 % fast or slow. */
export class Process {
  readonly timeline: Timeline;
  readonly name: string;
  alive = true;
  #pausedUntilMs = 0;
  #deferred: (() => void)[] = [];
  readonly #offsetMs: number;
  readonly #rate: number;

  constructor(timeline: Timeline, name: string, random: Random) {
    this.timeline = timeline;
    this.name = name;
    this.#offsetMs = random.next() * 1e6;
    this.#rate = 0.97 + random.next() * 0.06;
  }

  /** Monotonic, and runs on while the process is stopped. */
  get clockMs(): number {
    return this.#offsetMs + this.timeline.nowMs * this.#rate;
  }

  get paused(): boolean {
    return this.timeline.nowMs < this.#pausedUntilMs;
  }

  /** SIGSTOP, and SIGCONT after `forMs`. */
  pause(forMs: number): void {
    this.#pausedUntilMs = this.timeline.nowMs + forMs;
    this.timeline.after(forMs, () => this.#wake());
  }

  /** SIGCONT. */
  resume(): void {
    this.#pausedUntilMs = this.timeline.nowMs;
    this.#wake();
  }

  /** Runs when the process runs: a stopped one does it when it wakes up, a dead one never. */
  act(run: () => void): void {
    if (!this.alive) return;
    if (this.paused) this.#deferred.push(run);
    else run();
  }

  #wake(): void {
    if (this.paused) return;
    const deferred = this.#deferred;
    this.#deferred = [];
    for (const run of deferred) this.act(run);
  }

  every(intervalMs: number, run: () => void): void {
    const again = () => {
      if (!this.alive) return;
      this.act(() => {
        run();
        this.timeline.after(intervalMs, again);
      });
    };
    this.timeline.after(intervalMs, again);
  }
}

/** Which hosts cannot reach each other. */
export class Network {
  readonly #cut = new Set<string>();
  readonly random: Random;
  readonly timeline: Timeline;

  constructor(timeline: Timeline, random: Random) {
    this.timeline = timeline;
    this.random = random;
  }

  cut(a: string, b: string): void {
    this.#cut.add(`${a} ${b}`).add(`${b} ${a}`);
  }

  heal(): void {
    this.#cut.clear();
  }

  get whole(): boolean {
    return this.#cut.size === 0;
  }

  isCut(a: string, b: string): boolean {
    return this.#cut.has(`${a} ${b}`);
  }

  /** Mostly a millisecond, now and then much more. */
  delayMs(): number {
    return this.random.int(20) === 0 ? this.random.next() * 120 : 0.2 + this.random.next() * 2;
  }
}

/** One end of a connection. */
export interface End<T> {
  process: Process;
  receive: (message: T) => void;
  closed: () => void;
}

const BROKEN_AFTER_MS = 8000;

/** Like TCP: in order, held up by a cut network, and given up some seconds later or when an end is gone. */
export class Connection<A, B> {
  open = true;
  readonly #network: Network;
  readonly #ends: [End<A>, End<B>];
  readonly #queues: [A[], B[]] = [[], []];
  readonly #pumping = [false, false];

  /** Messages of type A go to the first end, of type B to the second. */
  constructor(network: Network, first: End<A>, second: End<B>) {
    this.#network = network;
    this.#ends = [first, second];
  }

  toFirst(message: A): void {
    this.#queues[0].push(message);
    this.#pump(0);
  }

  toSecond(message: B): void {
    this.#queues[1].push(message);
    this.#pump(1);
  }

  /** Closed by one end or its death; what is under way is lost, the other end learns of it when it can. */
  close(): void {
    if (!this.open) return;
    this.open = false;
    for (const end of this.#ends) this.#tell(end, this.#network.timeline.nowMs + BROKEN_AFTER_MS);
  }

  #tell(end: End<A> | End<B>, giveUpMs: number): void {
    const { timeline } = this.#network;
    timeline.after(this.#network.delayMs(), () => {
      if (this.#isCut && timeline.nowMs < giveUpMs) this.#tell(end, giveUpMs);
      else end.process.act(() => end.closed());
    });
  }

  get #isCut(): boolean {
    return this.#network.isCut(this.#ends[0].process.name, this.#ends[1].process.name);
  }

  #pump(side: 0 | 1): void {
    if (this.#pumping[side]) return;
    this.#pumping[side] = true;
    const attempt = (sinceMs: number) => {
      if (!this.open) return;
      const { timeline } = this.#network;
      if (this.#isCut) {
        if (timeline.nowMs - sinceMs > BROKEN_AFTER_MS) this.close();
        else timeline.after(20, () => attempt(sinceMs));
        return;
      }
      this.#pumping[side] = false;
      const messages = this.#queues[side].splice(0);
      const end = this.#ends[side] as End<A | B>;
      for (const message of messages) end.process.act(() => this.open && end.receive(message));
    };
    this.#network.timeline.after(this.#network.delayMs(), () => attempt(this.#network.timeline.nowMs));
  }
}
