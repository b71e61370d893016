import type { KeyRanges, KeySorter } from '../../lib/ring/index.ts';
import type { FanOutWindow } from '../health/index.ts';
import type { KeptKeys } from './near-port.ts';
import type { Router } from './router.ts';
import { copyRange, Slab } from './slab.ts';
import type { ShardRoute } from './topology.ts';

const NONE = -1;
/** What becomes of a key. */
const SHARED = 0;
const ALONE = 1;
const KEPT = 2;
/** Keys of one command that are asked for alone. */
const MAX_ALONE = 64;
const slab = new Slab();

/** How keys are sorted. */
export interface SortOptions {
  /** Bounds the parts, when there are several shards. */
  readonly window: FanOutWindow | null;
  readonly kept: KeptKeys | null;
}

const PLAIN: SortOptions = { window: null, kept: null };

/** The keys of a command, among its arguments. */
export interface KeyArgs extends KeyRanges {
  readonly count: number;
}

/**
 * The keys of one command, sorted by the shard that owns them, and the part of the command that each shard gets. Nothing is made per key:
 * one is used again and again (`acquireSplit`, `release`).
 */
export class KeySplit {
  /** The shard of each part, in the order in which the command first names a key of it. With a window a shard may have several. */
  readonly routes: ShardRoute[] = [];
  /** How many of the keys each part has. */
  readonly counts: number[] = [];
  keyCount = 0;
  /** For each key, in the order of the command, the position of its part in `routes`; until it has one, that of its shard in the ring. */
  owners: Uint16Array = new Uint16Array(128);
  /** After `encode`: holds the parts. */
  bytes: Buffer = slab.bytes;
  /** Where each part begins and ends in `bytes`. */
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  /** Bytes of each shard's keys as they travel, and what follows each up to the next. */
  readonly #sizes: number[] = [];
  /** By index of the shard in the ring: the position of its last part in `routes`. */
  readonly #places: number[] = [];
  /** How many keys each part may have. */
  readonly #limits: number[] = [];
  /** What bounds the parts; null: nothing does, and each shard has one. */
  window: FanOutWindow | null = null;
  /** Some of the parts leave later, when those before them are answered: commands of the same client that come behind would overtake them. */
  hasLater = false;
  /** Position of the part that is not sent, since its values are at hand; -1: there is none. Its reply is `replyAtHand`. */
  keptPlace = NONE;
  /** Each shard gets the keys that it owns, and nothing else is to be done. */
  isPlain = true;
  /** Whether a part is one key that is asked for alone, by position in `routes`. */
  readonly isAlone: boolean[] = [];
  /** Has sorted the keys, and nothing else since; null: they were looked at one after the other. */
  #sorter: KeySorter | null = null;
  #alone = 0;
  readonly #atHand: Buffer[] = [];

  /**
   * Sorts the keys `first`, `first + step`, … up to the end. There must be a ring, and at least one key. Only of keys without anything that follows them
   * may some be kept. `encode` must come next, or never.
   */
  sort(
    router: Router,
    args: KeyArgs,
    first: number,
    step: number,
    { window, kept }: SortOptions = PLAIN,
  ): void {
    this.window = window;
    this.keyCount = Math.floor((args.count - first) / step);
    if (this.owners.length < this.keyCount) this.owners = new Uint16Array(2 * this.keyCount);
    if (kept === null && router.routes.length === 1 && mayAskFor(window, router.routes[0], this.keyCount)) {
      this.#takeAll(router.routes[0], args, first);
      return;
    }
    const sorter = kept === null ? router.sortKeys(args, first, step, this.keyCount) : null;
    if (sorter !== null && isWithin(window, router, sorter)) {
      this.#takeSorted(router, sorter);
      return;
    }
    if (sorter === null) router.placesOf(args, first, step, this.keyCount, this.owners);
    else sorter.shardsTo(this.owners);
    this.#sortEach(router, args, first, step, { window, kept });
  }

  /** There is one shard. */
  #takeAll(route: ShardRoute, args: KeyArgs, first: number): void {
    this.owners.fill(0, 0, this.keyCount);
    this.routes[0] = route;
    this.counts[0] = this.keyCount;
    this.#sizes[0] = args.end(args.count - 1) - args.end(first - 1);
    this.isAlone[0] = false;
  }

  /** Each shard has one part. */
  #takeSorted({ routes }: Router, sorter: KeySorter): void {
    this.#sorter = sorter;
    const { places } = sorter;
    for (let i = 0; i < this.keyCount; i++) this.owners[i] = places[i];
    for (let place = 0; place < sorter.partCount; place++) {
      this.routes[place] = routes[sorter.shardOf(place)];
      this.counts[place] = sorter.countOf(place);
      this.#sizes[place] = sorter.bytesOf(place);
      this.isAlone[place] = false;
    }
  }

  /** `owners` has the position of each key's shard in the ring. */
  #sortEach(router: Router, args: KeyArgs, first: number, step: number, { window, kept }: SortOptions): void {
    const { buffer, count } = args;
    const places = this.#places;
    while (places.length < router.routes.length) places.push(NONE);
    const { owners, counts } = this;
    const shards = router.routes;
    const sizes = this.#sizes;
    let before = args.end(first - 1);
    for (let i = first, position = 0; i < count; i += step, position++) {
      const route = shards[owners[position]];
      const way = kept === null ? SHARED : this.#wayOf(kept, buffer, args.start(i), args.end(i));
      let place = way === SHARED ? places[route.index] : this.#placeApart(route, way);
      if (place === NONE || counts[place] === this.#limits[place]) place = this.#add(route, window);
      const end = args.end(i + step - 1);
      owners[position] = place;
      counts[place]++;
      sizes[place] += end - before;
      before = end;
    }
    for (const { index } of this.routes) places[index] = NONE;
  }

  /** Whether one shard is asked for all the keys: then the command may go there as it is, however many parts were made of it. */
  get goesWhole(): boolean {
    const { routes } = this;
    return this.isPlain && routes.every((route) => route === routes[0]);
  }

  #wayOf(kept: KeptKeys, buffer: Buffer, start: number, end: number): number {
    const element = kept.look(buffer, start, end);
    if (element === null)
      return this.#alone < MAX_ALONE && kept.isWanted(buffer, start, end) ? ALONE : SHARED;
    this.#atHand.push(element);
    return KEPT;
  }

  /** The part of a key that is not sent, or not with others; those that share parts do not see it. */
  #placeApart(route: ShardRoute, way: number): number {
    this.isPlain = false;
    if (way === KEPT && this.keptPlace !== NONE) return this.keptPlace;
    const shared = this.#places[route.index];
    const place = this.#add(route, null);
    this.#places[route.index] = shared;
    if (way === KEPT) {
      this.keptPlace = place;
    } else {
      this.isAlone[place] = true;
      this.#alone++;
    }
    return place;
  }

  /** The reply to the part that is not sent. */
  get replyAtHand(): Buffer {
    return Buffer.concat([Buffer.from(`*${this.#atHand.length}\r\n`), ...this.#atHand]);
  }

  #add(route: ShardRoute, window: FanOutWindow | null): number {
    const place = this.routes.push(route) - 1;
    if (window !== null && this.#places[route.index] !== NONE) this.hasLater = true;
    this.#limits[place] = window === null ? Number.POSITIVE_INFINITY : window.keysFor(route.name);
    this.#places[route.index] = place;
    this.counts[place] = 0;
    this.isAlone[place] = false;
    this.#sizes[place] = 0;
    return place;
  }

  /**
   * Makes the command of each shard: its name, and this shard's keys with what follows each. Arguments as for `sort`. `nameFor`: what a shard is asked by
   * instead, of a command that has nothing ahead of its keys but its name.
   */
  encode(args: KeyArgs, first: number, step: number, nameFor?: (route: ShardRoute) => string): void {
    const { buffer } = args;
    const nameEnd = args.end(first - 1) + 2;
    const nameAt = nameFor === undefined ? encodedStart(buffer, args.start(0)) : nameEnd;
    const headers = this.counts.map((keys, place) => {
      const count = `*${first + keys * step}\r\n`;
      if (nameFor === undefined) return count;
      const name = nameFor(this.routes[place]);
      return `${count}$${name.length}\r\n${name}\r\n`;
    });
    this.#layOut(headers, nameEnd - nameAt);
    const { bytes, starts, ends } = this;
    for (let place = 0; place < headers.length; place++) {
      const at = starts[place] + bytes.latin1Write(headers[place], starts[place]);
      ends[place] = copyRange(buffer, nameAt, nameEnd, bytes, at);
    }
    if (this.#sorter === null) this.#copyKeys(args, first, step);
    else this.#copySorted(this.#sorter);
  }

  #copySorted(sorter: KeySorter): void {
    const { bytes, ends } = this;
    sorter.group();
    for (let place = 0; place < this.routes.length; place++)
      ends[place] = sorter.copy(place, bytes, ends[place]);
  }

  #layOut(headers: readonly string[], nameBytes: number): void {
    let total = 0;
    for (let place = 0; place < headers.length; place++) {
      this.starts[place] = total;
      total += headers[place].length + nameBytes + this.#sizes[place];
    }
    const from = slab.reserve(total);
    this.bytes = slab.bytes;
    for (let place = 0; place < headers.length; place++) this.starts[place] += from;
  }

  /** Neighbours that go to the same shard are copied together. */
  #copyKeys(args: KeyArgs, first: number, step: number): void {
    const { buffer } = args;
    const { bytes, ends, owners, keyCount } = this;
    let from = args.end(first - 1) + 2;
    let to = from;
    for (let position = 0, i = first + step - 1; position < keyCount; position++, i += step) {
      to = args.end(i) + 2;
      const owner = owners[position];
      if (position + 1 < keyCount && owners[position + 1] === owner) continue;
      ends[owner] = copyRange(buffer, from, to, bytes, ends[owner]);
      from = to;
    }
  }

  /** Gives it back: nobody may look at it any more. The parts themselves stay. */
  release(): void {
    this.routes.length = 0;
    this.counts.length = 0;
    this.window = null;
    this.hasLater = false;
    this.keptPlace = NONE;
    this.isPlain = true;
    this.#sorter = null;
    this.#alone = 0;
    this.#atHand.length = 0;
    if (pool.length < POOL_LIMIT) pool.push(this);
  }
}

/** Whether no shard would be asked for more keys at once than the window lets. */
function isWithin(window: FanOutWindow | null, { routes }: Router, sorter: KeySorter): boolean {
  for (let part = 0; part < sorter.partCount; part++)
    if (!mayAskFor(window, routes[sorter.shardOf(part)], sorter.countOf(part))) return false;
  return true;
}

function mayAskFor(window: FanOutWindow | null, { name }: ShardRoute, keys: number): boolean {
  return window === null || keys <= window.keysFor(name);
}

const POOL_LIMIT = 256;
const pool: KeySplit[] = [];

/** An empty one; to be given back with `release`. */
export function acquireSplit(): KeySplit {
  return pool.pop() ?? new KeySplit();
}

/** Where the encoded argument begins whose bytes begin at `at`: back over its length line, `$`, digits, line end. */
function encodedStart(buffer: Buffer, at: number): number {
  let start = at - 3;
  while (buffer[start] !== 0x24) start--;
  return start;
}
