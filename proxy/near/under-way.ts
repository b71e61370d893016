import { NO_MARK } from '../core/read-port.ts';

const BUCKETS = 1 << 14;
/** Marks from here downwards are about several keys: the first is `FIRST_LIST`. */
const ALL_KEYS = -2;
const FIRST_LIST = -3;

/**
 * Counts the commands that are on their way to nodes, by the hash of their keys: a value may only be fetched for keeping while no other command on its
 * key is under way, since either of the two might be the newer. Keys that share a bucket are taken for one.
 */
export class CommandsUnderWay {
  readonly #counts = new Int32Array(BUCKETS);
  /** Buckets of commands on several keys, by mark. */
  readonly #lists: (readonly number[] | null)[] = [];
  readonly #freeLists: number[] = [];
  readonly #onIdle: (bucket: number) => void;
  #all = 0;

  /** `onIdle`: the last command under way on a bucket's keys is over. */
  constructor(onIdle: (bucket: number) => void) {
    this.#onIdle = onIdle;
  }

  bucketOf(hash: number): number {
    return hash & (BUCKETS - 1);
  }

  /** Commands on keys of this bucket. */
  count(bucket: number): number {
    return this.#counts[bucket];
  }

  /** Commands are under way that may change any key. */
  get concernsAll(): boolean {
    return this.#all > 0;
  }

  /** A command on one key. All that add return the mark that `settle` wants. */
  add(bucket: number): number {
    this.#counts[bucket]++;
    return bucket;
  }

  /** A command on keys of these buckets. */
  addSeveral(buckets: readonly number[]): number {
    if (buckets.length === 0) return NO_MARK;
    for (const bucket of buckets) this.#counts[bucket]++;
    if (buckets.length === 1) return buckets[0];
    const place = this.#freeLists.pop() ?? this.#lists.length;
    this.#lists[place] = buckets;
    return FIRST_LIST - place;
  }

  /** A command on any key. */
  addAll(): number {
    this.#all++;
    return ALL_KEYS;
  }

  /** The command with this mark is over. */
  settle(mark: number): void {
    if (mark >= 0) this.#leave(mark);
    else if (mark === ALL_KEYS) this.#all--;
    else if (mark <= FIRST_LIST) this.#leaveSeveral(FIRST_LIST - mark);
  }

  #leaveSeveral(place: number): void {
    const buckets = this.#lists[place]!;
    this.#lists[place] = null;
    this.#freeLists.push(place);
    for (const bucket of buckets) this.#leave(bucket);
  }

  #leave(bucket: number): void {
    if (--this.#counts[bucket] === 0) this.#onIdle(bucket);
  }
}
