/** The links of records in doubly linked rings, at whatever place of the record they are. */
export interface Links {
  next(ref: number): number;
  previous(ref: number): number;
  setNext(ref: number, to: number): void;
  setPrevious(ref: number, to: number): void;
}

/*
 * Rings of records: each is known by the address of its first record, 0 when it is empty; what is before the first is the last.
 */

/** Adds a record as the last; returns the first. */
export function append(links: Links, first: number, ref: number): number {
  if (first === 0) {
    links.setNext(ref, ref);
    links.setPrevious(ref, ref);
    return ref;
  }
  const last = links.previous(first);
  links.setNext(last, ref);
  links.setPrevious(ref, last);
  links.setNext(ref, first);
  links.setPrevious(first, ref);
  return first;
}

/** Takes a record out of its ring; returns the first of what is left, when `first` was that of this ring. */
export function unlink(links: Links, first: number, ref: number): number {
  const next = links.next(ref);
  if (next === ref) return 0;
  const previous = links.previous(ref);
  links.setNext(previous, next);
  links.setPrevious(next, previous);
  return first === ref ? next : first;
}

/** Tells the neighbours of a record that it was at `from` and is now at `to`, with its links. */
export function relink(links: Links, from: number, to: number): void {
  const next = links.next(to);
  if (next === from) {
    links.setNext(to, to);
    links.setPrevious(to, to);
    return;
  }
  const previous = links.previous(to);
  links.setNext(previous, to);
  links.setPrevious(next, to);
}

/** Puts the second ring behind the first; returns the first of both. */
export function concat(links: Links, first: number, second: number): number {
  if (first === 0) return second;
  if (second === 0) return first;
  const lastOfFirst = links.previous(first);
  const lastOfSecond = links.previous(second);
  links.setNext(lastOfFirst, second);
  links.setPrevious(second, lastOfFirst);
  links.setNext(lastOfSecond, first);
  links.setPrevious(first, lastOfSecond);
  return first;
}
