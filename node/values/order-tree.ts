import { MAX_BRANCH, MAX_LEAF, OrderNode, skipped } from './order-node.ts';
import type { Ref } from './record-log.ts';

/** Below this a node is joined with a neighbour if both fit into one with some room left. */
const MIN_LEAF = MAX_LEAF >> 2;
const MIN_BRANCH = MAX_BRANCH >> 2;

/** Compares the key of a record with the key looked for: negative when the record's comes before, 0 when they are equal. */
export interface KeyOrder {
  compareKey(ref: Ref): number;
}

/**
 * References ordered by score, and where scores are equal by the keys of their records: a counted B+ tree (Bayer and McCreight, 1972;
 * Comer, "The ubiquitous B-tree", 1979, with sizes of subtrees) whose nodes keep scores and references in typed arrays. What is looked for is a score and the
 * key that `order` compares with.
 */
export class OrderTree {
  readonly #order: KeyOrder;
  #root = new OrderNode(true);
  /** Bytes of the nodes. */
  bytes = this.#root.bytes;
  size = 0;
  /** The entry that `at` found. */
  ref: Ref = 0;
  score = 0;
  /** Where `turnTo` found it. */
  leaf = this.#root;
  place = 0;

  constructor(order: KeyOrder) {
    this.#order = order;
  }

  /** First place in a node whose entry (or first entry below the child) is not before what is looked for. */
  #search(node: OrderNode, score: number): number {
    const { scores, refs } = node;
    let low = 0;
    let high = node.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = scores[middle];
      if (other < score || (other === score && this.#order.compareKey(refs[middle]) < 0)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The child that what is looked for is in, or belongs to. */
  #childOf(branch: OrderNode, score: number): number {
    const at = this.#search(branch, score);
    if (at === 0) return 0;
    const isFirst =
      at < branch.count && branch.scores[at] === score && this.#order.compareKey(branch.refs[at]) === 0;
    return isFirst ? at : at - 1;
  }

  /** How many entries are before what is looked for. */
  rank(score: number): number {
    let node = this.#root;
    let rank = 0;
    while (node.children !== null) {
      const at = this.#childOf(node, score);
      rank += node.sizeBefore(at);
      node = node.children[at];
    }
    return rank + this.#search(node, score);
  }

  /** How many entries have a score below this one, with `inclusive` also those that have it. */
  countBelow(score: number, inclusive: boolean): number {
    let node = this.#root;
    let rank = 0;
    for (;;) {
      const at = firstBeyond(node, score, inclusive);
      if (node.children === null) return rank + at;
      const child = Math.max(0, at - 1);
      rank += node.sizeBefore(child);
      node = node.children[child];
    }
  }

  /** Adds an entry for what is looked for, which must not be there. */
  insert(score: number, ref: Ref): void {
    this.#insert(this.#root, score, ref);
    this.size++;
    if (!this.#root.isFull) return;
    const root = new OrderNode(false);
    this.bytes += root.bytes;
    root.adopt(0, this.#root);
    this.#root = root;
    this.#split(root, 0, splitPlace(root.children![0], ref));
  }

  #insert(node: OrderNode, score: number, ref: Ref): void {
    if (node.children === null) {
      const at = this.#search(node, score);
      const before = node.bytes;
      node.open(at);
      this.bytes += node.bytes - before;
      node.scores[at] = score;
      node.refs[at] = ref;
      return;
    }
    const at = this.#childOf(node, score);
    const child = node.children[at];
    this.#insert(child, score, ref);
    node.scores[at] = child.scores[0];
    node.refs[at] = child.refs[0];
    node.sizes[at]++;
    if (!child.isFull) return;
    this.#split(node, at, splitPlace(child, ref));
  }

  #split(branch: OrderNode, at: number, place: number): void {
    const child = branch.children![at];
    const before = child.bytes;
    const right = child.split(place);
    this.bytes += child.bytes - before + right.bytes;
    branch.refresh(at);
    branch.adopt(at + 1, right);
  }

  /** Removes what is looked for, which must be there. */
  remove(score: number): void {
    this.#removeRun(this.#root, this.rank(score), 1);
  }

  /** Removes `count` entries from `rank` on; each is first passed to `visit`. */
  removeRange(rank: number, count: number, visit: (ref: Ref) => void): void {
    for (let left = count; left > 0; ) {
      this.turnTo(rank);
      const { leaf, place } = this;
      const run = Math.min(left, leaf.count - place);
      for (let i = 0; i < run; i++) visit(leaf.refs[place + i]);
      left -= this.#removeRun(this.#root, rank, run);
    }
    this.leaf = this.#root;
  }

  /** Removes entries of one leaf. */
  #removeRun(root: OrderNode, rank: number, count: number): number {
    this.#cut(root, rank, count);
    this.size -= count;
    while (this.#root.children !== null && this.#root.count === 1) {
      const former = this.#root;
      this.bytes -= former.bytes;
      this.#root = this.#root.children[0];
      former.free();
    }
    return count;
  }

  #cut(node: OrderNode, rank: number, count: number): void {
    if (node.children === null) {
      node.close(rank, count);
      return;
    }
    const at = node.childAt(rank);
    const child = node.children[at];
    this.#cut(child, rank - skipped, count);
    node.sizes[at] -= count;
    node.scores[at] = child.scores[0];
    node.refs[at] = child.refs[0];
    if (child.count < (child.children === null ? MIN_LEAF : MIN_BRANCH)) this.#shrink(node, at);
  }

  /** Joins a small child with a neighbour, if both fit into one node. */
  #shrink(branch: OrderNode, at: number): void {
    const children = branch.children!;
    if (children[at].count === 0) {
      this.#drop(branch, at);
      return;
    }
    const max = children[at].children === null ? MAX_LEAF : MAX_BRANCH;
    for (const left of [at - 1, at]) {
      if (left < 0 || left + 1 >= branch.count) continue;
      const [first, second] = [children[left], children[left + 1]];
      if (first.count + second.count > max - (max >> 2)) continue;
      const before = first.bytes;
      first.take(second, 0, second.count);
      this.bytes += first.bytes - before;
      this.#drop(branch, left + 1);
      branch.refresh(left);
      return;
    }
  }

  #drop(branch: OrderNode, at: number): void {
    const child = branch.children![at];
    this.bytes -= child.bytes;
    if (child.children === null) child.unlink();
    child.free();
    branch.close(at, 1);
  }

  /** Finds the entry of a rank from 0 to below `size`, into `ref` and `score`. */
  at(rank: number): void {
    this.turnTo(rank);
    this.ref = this.leaf.refs[this.place];
    this.score = this.leaf.scores[this.place];
  }

  /** Finds the leaf that the entry of a rank is in, and its place there, until anything changes: `leaf`, `place`. */
  turnTo(rank: number): void {
    let node = this.#root;
    let left = rank;
    while (node.children !== null) {
      const child = node.childAt(left);
      left -= skipped;
      node = node.children[child];
    }
    this.leaf = node;
    this.place = left;
  }

  /** The record of what is looked for has a new name. */
  rename(score: number, to: Ref): void {
    let node = this.#root;
    while (node.children !== null) {
      const at = this.#childOf(node, score);
      if (node.scores[at] === score && this.#order.compareKey(node.refs[at]) === 0) node.refs[at] = to;
      node = node.children[at];
    }
    node.refs[this.#search(node, score)] = to;
  }
}

/** First place in a node whose score is not below `score`, or with `inclusive` above it. */
function firstBeyond(node: OrderNode, score: number, inclusive: boolean): number {
  const { scores } = node;
  let low = 0;
  let high = node.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (scores[middle] < score || (inclusive && scores[middle] === score)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Where to split a full node: in the middle, but what arrives in order, from either end, leaves full nodes behind. */
function splitPlace(node: OrderNode, added: Ref): number {
  const last = node.count - 1;
  if (node.next === null && node.refs[last] === added) return last;
  if (node.previous === null && node.refs[0] === added) return 1;
  return node.count >> 1;
}
