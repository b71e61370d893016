import type { Dice } from './bytes.ts';
import type { TwofoldForm } from './collection.ts';
import { MemberTable } from './member-table.ts';
import type { OrderNode } from './order-node.ts';
import { type KeyOrder, OrderTree } from './order-tree.ts';
import type { Ref } from './record-log.ts';

const NO_BYTES = Buffer.alloc(0);

/** Gets a member's byte range, valid during the call, and its score; false ends the walk. */
export type VisitMember = (buffer: Buffer, start: number, end: number, score: number) => boolean;

/** A sorted set too large for the bytes of its entry: a table of the members, and a tree that has them in order. */
export class OrderedTable implements TwofoldForm, KeyOrder {
  isCompact: boolean;
  readonly table: MemberTable;
  readonly #tree = new OrderTree(this);
  /** The record that `scoreOf` found, or 0. */
  #found: Ref = 0;
  /** What the tree looks for, beside the score. */
  #buffer: Buffer = NO_BYTES;
  #start = 0;
  #end = 0;

  constructor(seed: number, isCompact = true) {
    this.isCompact = isCompact;
    this.table = new MemberTable('score', seed, (_, to) => this.#moved(to));
  }

  get bytes(): number {
    return this.table.reservedBytes + this.#tree.bytes;
  }

  get size(): number {
    return this.table.size;
  }

  compareKey(ref: Ref): number {
    return this.table.compareKey(ref, this.#buffer, this.#start, this.#end);
  }

  #lookFor(buffer: Buffer, start: number, end: number): void {
    this.#buffer = buffer;
    this.#start = start;
    this.#end = end;
  }

  #moved(to: Ref): void {
    const { table } = this;
    table.locate(to);
    const { score } = table;
    this.#lookFor(table.bytes, table.keyStart, table.keyEnd);
    this.#tree.rename(score, to);
  }

  scoreOf(buffer: Buffer, start: number, end: number): number | undefined {
    this.#found = this.table.find(buffer, start, end);
    return this.#found === 0 ? undefined : this.table.score;
  }

  /** Gives the member that `scoreOf` has just looked for its score; returns whether it is new. */
  place(score: number, buffer: Buffer, start: number, end: number): boolean {
    const { table } = this;
    const found = this.#found;
    const before = found === 0 ? 0 : table.score;
    if (found !== 0 && before === score) return false;
    if (found !== 0 && table.watchers.length > 0) table.show(found);
    const ref = found === 0 ? table.insert(buffer, start, end, 8) : found;
    table.score = score;
    this.#lookFor(buffer, start, end);
    if (found !== 0) this.#tree.remove(before);
    this.#tree.insert(score, ref);
    table.tidy();
    this.#buffer = NO_BYTES;
    return found === 0;
  }

  delete(buffer: Buffer, start: number, end: number): boolean {
    const { table } = this;
    const ref = table.find(buffer, start, end);
    if (ref === 0) return false;
    this.#lookFor(buffer, start, end);
    this.#tree.remove(table.score);
    table.remove(ref);
    table.tidy();
    this.#buffer = NO_BYTES;
    return true;
  }

  /** The member's rank, or -1. */
  rankOf(buffer: Buffer, start: number, end: number): number {
    const score = this.scoreOf(buffer, start, end);
    if (score === undefined) return -1;
    this.#lookFor(buffer, start, end);
    return this.#tree.rank(score);
  }

  countBelow(score: number, inclusive: boolean): number {
    return this.#tree.countBelow(score, inclusive);
  }

  /** How many members come before the bytes, all scores being equal. */
  countBefore(buffer: Buffer, start: number, end: number, inclusive: boolean): number {
    if (this.size === 0) return 0;
    this.#tree.at(0);
    const { score } = this.#tree;
    this.#lookFor(buffer, start, end);
    const rank = this.#tree.rank(score);
    if (!inclusive || rank === this.size) return rank;
    this.#tree.at(rank);
    return this.compareKey(this.#tree.ref) === 0 ? rank + 1 : rank;
  }

  /** Locates the member of a rank in the table; returns its score. */
  at(rank: number): number {
    this.#tree.at(rank);
    this.table.locate(this.#tree.ref);
    return this.#tree.score;
  }

  /** As `ZsetValue.walk`. */
  walk(rank: number, backwards: boolean, visit: VisitMember, withScores = true): void {
    if (rank < 0 || rank >= this.size) return;
    const { table } = this;
    this.#tree.turnTo(rank);
    let { place } = this.#tree;
    let leaf: OrderNode | null = this.#tree.leaf;
    const step = backwards ? -1 : 1;
    while (leaf !== null) {
      const { refs, scores, count }: OrderNode = leaf;
      for (; place >= 0 && place < count; place += step) {
        table.locate(refs[place]);
        if (!visit(table.bytes, table.keyStart, table.keyEnd, withScores ? scores[place] : 0)) return;
      }
      leaf = backwards ? leaf.previous : leaf.next;
      place = backwards && leaf !== null ? leaf.count - 1 : 0;
    }
  }

  /** Removes `count` members from `rank` on. */
  remove(rank: number, count: number): void {
    const { table } = this;
    this.#tree.removeRange(rank, count, (ref) => {
      table.locate(ref);
      table.find(table.bytes, table.keyStart, table.keyEnd);
      table.remove(ref);
    });
    table.tidy();
  }

  scan(cursor: number, count: number, visit: VisitMember): number {
    const { table } = this;
    return table.scan(cursor, count, () => visit(table.bytes, table.keyStart, table.keyEnd, table.score));
  }

  /** Locates any member in the table, each as likely; returns its score. */
  random(dice: Dice): number {
    this.table.random(dice);
    return this.table.score;
  }
}
