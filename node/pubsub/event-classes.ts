import {
  NOTIFY_EVICTED,
  NOTIFY_EXPIRED,
  NOTIFY_GENERIC,
  NOTIFY_HASH,
  NOTIFY_KEY_MISS,
  NOTIFY_LIST,
  NOTIFY_NEW,
  NOTIFY_SET,
  NOTIFY_STRING,
  NOTIFY_ZSET,
} from '../data-set.ts';

/** Events go to `__keyspace@<db>__:<key>`. */
export const NOTIFY_KEYSPACE = 1024;
/** Events go to `__keyevent@<db>__:<event>`. */
export const NOTIFY_KEYEVENT = 2048;
/** Classes that Redis has for streams and modules; nothing here makes their events yet. */
const NOTIFY_STREAM = 4096;
const NOTIFY_MODULE = 8192;

/** The letters of `notify-keyspace-events`, in the order in which Redis prints those that `A` stands for, then the rest. */
const ALL_CLASSES: readonly [string, number][] = [
  ['g', NOTIFY_GENERIC],
  ['$', NOTIFY_STRING],
  ['l', NOTIFY_LIST],
  ['s', NOTIFY_SET],
  ['h', NOTIFY_HASH],
  ['z', NOTIFY_ZSET],
  ['x', NOTIFY_EXPIRED],
  ['e', NOTIFY_EVICTED],
  ['t', NOTIFY_STREAM],
  ['d', NOTIFY_MODULE],
];
const OTHERS: readonly [string, number][] = [
  ['K', NOTIFY_KEYSPACE],
  ['E', NOTIFY_KEYEVENT],
  ['m', NOTIFY_KEY_MISS],
];

const bits = new Map([...ALL_CLASSES, ...OTHERS, ['n', NOTIFY_NEW] as const]);
const NOTIFY_ALL = ALL_CLASSES.reduce((mask, [, bit]) => mask | bit, 0);
bits.set('A', NOTIFY_ALL);

/** The mask that a value of `notify-keyspace-events` means; null when it has a letter that means nothing. */
export function parseEventClasses(text: string): number | null {
  let mask = 0;
  for (const letter of text) {
    const bit = bits.get(letter);
    if (bit === undefined) return null;
    mask |= bit;
  }
  return mask;
}

/** The value of `notify-keyspace-events`, as Redis prints it: with all of `A`, it leaves out `n`. */
export function formatEventClasses(mask: number): string {
  const letters = (of: readonly [string, number][]) =>
    of
      .filter(([, bit]) => (mask & bit) !== 0)
      .map(([letter]) => letter)
      .join('');
  const classes = (mask & NOTIFY_ALL) === NOTIFY_ALL ? 'A' : letters([...ALL_CLASSES, ['n', NOTIFY_NEW]]);
  return classes + letters(OTHERS);
}
