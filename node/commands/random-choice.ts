import type { Args } from '../../lib/codec/resp/index.ts';
import type { Dice, Found, VisitBytes } from '../values/index.ts';
import { NOT_AN_INTEGER } from './command.ts';

/** Members are drawn one by one while fewer than one in so many is wanted. */
const DRAWN_SHARE = 3;
const INT64_MAX = 2n ** 63n - 1n;

/** Chooses `wanted` of `population` that pass by, each subset as likely (selection sampling: Knuth, TAOCP 2, 3.4.2, algorithm S). */
export class Selection {
  readonly #dice: Dice;
  #population: number;
  #wanted: number;

  constructor(dice: Dice, population: number, wanted: number) {
    this.#dice = dice;
    this.#population = population;
    this.#wanted = wanted;
  }

  /** Whether the next one is among them. */
  next(): boolean {
    const isChosen = this.#dice.int(this.#population--) < this.#wanted;
    if (isChosen) this.#wanted--;
    return isChosen;
  }
}

/** Whether drawing `wanted` different members one by one is cheaper than passing all of them. */
export function drawsOneByOne(wanted: number, population: number): boolean {
  return wanted * DRAWN_SHARE <= population;
}

/** Calls `answer` for `wanted` different members that `random` draws. */
export function drawDifferent(wanted: number, chosen: Found, random: () => void, answer: VisitBytes): void {
  const seen = new Set<string>();
  while (seen.size < wanted) {
    random();
    const { buffer, start, end } = chosen;
    const { size } = seen;
    if (seen.add(buffer.latin1Slice(start, end)).size !== size) answer(buffer, start, end);
  }
}

/** The count in argument 2, negative when members may repeat; or the text of an error. */
export function parseRandomCount(args: Args): number | string {
  const count = args.bigint(2);
  if (count === null) return NOT_AN_INTEGER;
  if (count < -INT64_MAX)
    return `ERR value is out of range, value must between ${-INT64_MAX} and ${INT64_MAX}`;
  return Math.max(-Number.MAX_SAFE_INTEGER, Math.min(Number(count), Number.MAX_SAFE_INTEGER));
}

/** Whether the count in argument 2, a number, is too large to be doubled. */
export function isTooManyPairs(args: Args): boolean {
  const count = args.bigint(2)!;
  return count < -INT64_MAX / 2n || count > INT64_MAX / 2n;
}
