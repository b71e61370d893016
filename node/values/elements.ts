import { copyBytes, sameBytes } from './bytes.ts';
import { lengthAt, lengthBefore, lengthSize, writeLength, writeLengthBackwards } from './lengths.ts';

/*
 * Elements of a list one behind the other, each between its length and its length written backwards, so that they can be walked both ways.
 */

/** Longer elements stand alone. */
export const MAX_ELEMENT_BYTES = 7900;

/** Bytes an element of `length` takes. */
export function elementSize(length: number): number {
  return length + 2 * lengthSize(length);
}

/** Where the element at `at` has its bytes. */
export function elementStart(bytes: Buffer, at: number): number {
  return at + lengthSize(lengthAt(bytes, at));
}

/** Where the bytes of the element at `at` end. */
export function elementEnd(bytes: Buffer, at: number): number {
  const length = lengthAt(bytes, at);
  return at + lengthSize(length) + length;
}

/** Where the element behind the one at `at` begins. */
export function nextElement(bytes: Buffer, at: number): number {
  return at + elementSize(lengthAt(bytes, at));
}

/** Where the element that ends before `end` begins. */
export function previousElement(bytes: Buffer, end: number): number {
  return end - elementSize(lengthBefore(bytes, end));
}

/** Writes an element; its room must be there. */
export function writeElement(bytes: Buffer, at: number, buffer: Buffer, start: number, end: number): void {
  const length = end - start;
  const from = writeLength(bytes, at, length);
  copyBytes(buffer, start, end, bytes, from);
  writeLengthBackwards(bytes, from + length, length);
}

/** Where the element number `index` of the `count` ones from `start` to `end` begins; `end` for `count`. */
export function seekElement(bytes: Buffer, start: number, end: number, count: number, index: number): number {
  if (index > count >> 1) {
    let at = end;
    for (let i = count; i > index; i--) at = previousElement(bytes, at);
    return at;
  }
  let at = start;
  for (let i = 0; i < index; i++) at = nextElement(bytes, at);
  return at;
}

/** How many of the elements from `start` to `end` are equal to the bytes. */
export function countEqual(
  bytes: Buffer,
  start: number,
  end: number,
  buffer: Buffer,
  from: number,
  to: number,
): number {
  let found = 0;
  for (let at = start; at < end; at = nextElement(bytes, at)) {
    if (isElement(bytes, at, buffer, from, to)) found++;
  }
  return found;
}

function isElement(bytes: Buffer, at: number, buffer: Buffer, from: number, to: number): boolean {
  const length = lengthAt(bytes, at);
  return length === to - from && sameBytes(bytes, at + lengthSize(length), buffer, from, length);
}

/**
 * Drops elements equal to the bytes, but the first `skipped` ones and any behind `limit` more; what stays is moved together. Returns where
 * it ends.
 */
export function dropEqual(
  bytes: Buffer,
  start: number,
  end: number,
  buffer: Buffer,
  from: number,
  to: number,
  skipped: number,
  limit: number,
): number {
  let kept = start;
  let seen = 0;
  for (let at = start; at < end; ) {
    const next = nextElement(bytes, at);
    const isEqual = isElement(bytes, at, buffer, from, to);
    if (isEqual) seen++;
    if (!isEqual || seen <= skipped || seen > skipped + limit) {
      if (kept !== at) bytes.copyWithin(kept, at, next);
      kept += next - at;
    }
    at = next;
  }
  return kept;
}
