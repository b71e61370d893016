import { giveBack } from './bytes.ts';

/** Entries of a leaf, and children of a branch, at most. */
export const MAX_LEAF = 256;
export const MAX_BRANCH = 64;
const FIRST_CAPACITY = 16;
/** Few different sizes, so that what one leaf gives back fits another. */
const CAPACITY_STEP = 64;
/** What the objects of a node cost beside their contents. */
const NODE_OVERHEAD_BYTES = 400;
/** A score and a reference. */
const ENTRY_BYTES = 12;
const NO_SIZES = new Int32Array(0);

/**
 * A node of the order tree. A leaf holds entries: score and reference, in order. A branch holds children: of each the score and the
 * reference of its first entry, and how many entries are below it.
 */
export class OrderNode {
  scores: Float64Array<ArrayBuffer>;
  refs: Int32Array;
  /** Entries or children in use. */
  count = 0;
  /** Null in a leaf. */
  readonly children: OrderNode[] | null;
  /** Entries below each child; empty in a leaf. */
  sizes: Int32Array;
  /** The leaves next to this one. */
  next: OrderNode | null = null;
  previous: OrderNode | null = null;

  constructor(isLeaf: boolean, capacity = FIRST_CAPACITY) {
    const places = isLeaf ? capacity : MAX_BRANCH;
    this.scores = new Float64Array(new ArrayBuffer(places * ENTRY_BYTES), 0, places);
    this.refs = new Int32Array(this.scores.buffer, places * 8, places);
    this.children = isLeaf ? null : [];
    this.sizes = isLeaf ? NO_SIZES : new Int32Array(MAX_BRANCH);
  }

  /** Entries below this node. */
  get size(): number {
    if (this.children === null) return this.count;
    let size = 0;
    for (let i = 0; i < this.count; i++) size += this.sizes[i];
    return size;
  }

  get isFull(): boolean {
    return this.count === (this.children === null ? MAX_LEAF : MAX_BRANCH);
  }

  get bytes(): number {
    return NODE_OVERHEAD_BYTES + this.scores.length * ENTRY_BYTES + this.sizes.length * 4;
  }

  /** Makes room for an entry of a leaf, or a child of a branch, which must not be full. */
  open(at: number): void {
    if (this.count === this.scores.length) this.#grow();
    this.scores.copyWithin(at + 1, at, this.count);
    this.refs.copyWithin(at + 1, at, this.count);
    if (this.children !== null) this.sizes.copyWithin(at + 1, at, this.count);
    this.count++;
  }

  #grow(): void {
    this.#resize(capacityFor(this.scores.length));
  }

  #resize(capacity: number): void {
    const { scores, refs } = this;
    const kept = Math.min(capacity, scores.length);
    this.scores = new Float64Array(new ArrayBuffer(capacity * ENTRY_BYTES), 0, capacity);
    this.scores.set(scores.subarray(0, kept));
    this.refs = new Int32Array(this.scores.buffer, capacity * 8, capacity);
    this.refs.set(refs.subarray(0, kept));
    giveBack(scores);
  }

  /** Removes `count` entries or children from `at` on. */
  close(at: number, count: number): void {
    this.scores.copyWithin(at, at + count, this.count);
    this.refs.copyWithin(at, at + count, this.count);
    if (this.children !== null) {
      this.sizes.copyWithin(at, at + count, this.count);
      this.children.splice(at, count);
    }
    this.count -= count;
  }

  /** Puts a child at `at` of this branch. */
  adopt(at: number, child: OrderNode): void {
    this.open(at);
    this.children!.splice(at, 0, child);
    this.refresh(at);
  }

  /** Notes what has become of a child. */
  refresh(at: number): void {
    const child = this.children![at];
    this.scores[at] = child.scores[0];
    this.refs[at] = child.refs[0];
    this.sizes[at] = child.size;
  }

  /** Moves what is from `at` on to a new node, which is returned. */
  split(at: number): OrderNode {
    const { children, count } = this;
    const right = new OrderNode(children === null, capacityFor(count - at));
    right.take(this, at, count);
    this.count = at;
    if (children !== null) {
      children.length = at;
      return right;
    }
    this.#linkNext(right);
    if (capacityFor(at) < this.scores.length) this.#resize(capacityFor(at));
    return right;
  }

  #linkNext(right: OrderNode): void {
    right.next = this.next;
    right.previous = this;
    if (this.next !== null) this.next.previous = right;
    this.next = right;
  }

  /** Takes a leaf out of the row of leaves. */
  unlink(): void {
    if (this.next !== null) this.next.previous = this.previous;
    if (this.previous !== null) this.previous.next = this.next;
    this.next = null;
    this.previous = null;
  }

  /** Appends copies of what another node of the same kind has from `from` to `to`; there must be no more than a node can hold. */
  take(other: OrderNode, from: number, to: number): void {
    const at = this.count;
    this.count = at + to - from;
    while (this.count > this.scores.length) this.#grow();
    this.scores.set(other.scores.subarray(from, to), at);
    this.refs.set(other.refs.subarray(from, to), at);
    if (this.children === null) return;
    this.sizes.set(other.sizes.subarray(from, to), at);
    this.children.push(...other.children!.slice(from, to));
  }

  /** Gives the memory back; the node is of no use then. */
  free(): void {
    giveBack(this.scores);
  }

  /** The child below which the entry of a rank is; how many come before that child is in `skipped`. */
  childAt(rank: number): number {
    let at = 0;
    let before = 0;
    while (at < this.count - 1 && before + this.sizes[at] <= rank) before += this.sizes[at++];
    skipped = before;
    return at;
  }

  /** Entries below the children before `at`. */
  sizeBefore(at: number): number {
    let size = 0;
    for (let i = 0; i < at; i++) size += this.sizes[i];
    return size;
  }
}

/** Room for more entries than these. */
function capacityFor(count: number): number {
  return Math.min(MAX_LEAF, (Math.floor(count / CAPACITY_STEP) + 1) * CAPACITY_STEP);
}

/** Second result of `childAt`. */
export let skipped = 0;
