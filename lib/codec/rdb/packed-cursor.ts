/**
 * Goes over the elements of a packed value, one after the other: of one value at a time, and from its beginning after each `open`. Both methods
 * throw RdbFormatError when the bytes are no such value, perhaps only behind some elements.
 */
export interface PackedCursor {
  /** Where the element is: in the value, or the text of a number elsewhere, which is good until the element behind the next one. */
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
  /** The element when it stands there as a number (of 64 bits: the nearest one), else NaN. */
  readonly number: number;
  /** Begins with the value that these bytes are. */
  open(buffer: Buffer, start: number, end: number): void;
  /** Turns to the next element; false at the end. */
  next(): boolean;
}
