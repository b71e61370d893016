/** Gets a byte range, valid during the call. */
export type VisitBytes = (buffer: Buffer, start: number, end: number) => void;

const NO_BYTES = Buffer.alloc(0);

/** Where a value found its answer: valid until any entry changes. */
export class Found {
  buffer: Buffer = NO_BYTES;
  start = 0;
  end = 0;

  set(buffer: Buffer, start: number, end: number): void {
    this.buffer = buffer;
    this.start = start;
    this.end = end;
  }
}

/** What chooses among members. */
export interface Dice {
  /** A whole number from 0 to below `n`. */
  int(n: number): number;
}

/** Up to this many bytes a loop beats the call into native code. */
const LOOP_BYTES = 40;

/** Copies bytes to another buffer. */
export function copyBytes(source: Buffer, start: number, end: number, target: Buffer, at: number): void {
  if (end - start > LOOP_BYTES) source.copy(target, at, start, end);
  else for (let i = start, to = at; i < end; i++, to++) target[to] = source[i];
}

/** Whether `length` bytes of two buffers are the same. */
export function sameBytes(a: Buffer, aStart: number, b: Buffer, bStart: number, length: number): boolean {
  if (length > LOOP_BYTES) {
    return a[aStart] === b[bStart] && a.compare(b, bStart, bStart + length, aStart, aStart + length) === 0;
  }
  for (let i = 0; i < length; i++) if (a[aStart + i] !== b[bStart + i]) return false;
  return true;
}

/** Order of two byte strings: negative when the first comes before, 0 when they are equal. */
export function compareBytes(
  a: Buffer,
  aStart: number,
  aEnd: number,
  b: Buffer,
  bStart: number,
  bEnd: number,
): number {
  const length = Math.min(aEnd - aStart, bEnd - bStart);
  if (length > LOOP_BYTES) return a.compare(b, bStart, bEnd, aStart, aEnd);
  for (let i = 0; i < length; i++) {
    const difference = a[aStart + i] - b[bStart + i];
    if (difference !== 0) return difference;
  }
  return aEnd - aStart - (bEnd - bStart);
}

/** Gives memory back to the system now, rather than at some garbage collection. Every view of it is empty then. */
export function giveBack(bytes: Uint8Array | Int32Array | Float64Array): void {
  (bytes.buffer as ArrayBuffer).transfer(0);
}
